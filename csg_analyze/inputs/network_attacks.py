"""Attacks on a classifier over its dataset: made block by block, judged, kept in the cache."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from csg_analyze.attacks.blocks import Loss, attacked, class_loss
from csg_analyze.attacks.catalogue import Attack, Settings, attack_named, bound
from csg_analyze.attacks.detector import as_function, joint_loss
from csg_analyze.attacks.noise import with_noise
from csg_analyze.attacks.randomness import normal_noise, random_class, seed_of, shuffled
from csg_analyze.checkpoints import Classifier
from csg_analyze.data import Dataset
from csg_analyze.data.fingerprint import fingerprint_of
from csg_analyze.errors import UsageError
from csg_analyze.inputs.averaged_features import AveragedFeatures
from csg_analyze.inputs.blocks import block_size, to_pixels
from csg_analyze.inputs.cache import Arrays, Cache
from csg_analyze.metrics.adversarial import (
    SUCCESS,
    UNTARGETED,
    AttackRun,
    Differentiable,
    outcomes,
    perturbation_sizes,
)
from csg_analyze.metrics.arrays import BoolArray, FloatArray, IntArray
from csg_analyze.progress import Track

VERSION = 2  # of what this file and csg_analyze.attacks compute; raised by a change that moves any number
EXAMPLES = 3
"""Successes of a run whose images are kept, to be shown."""
UNIT = 32
"""Attacks are run on multiples of so many images, so that a larger run begins with the very blocks of a smaller one."""


@dataclass(frozen=True)
class NetworkAttacks:
    """Attacks on a classifier, as metrics.adversarial.Attacks has them.

    labels: (N,). predictions: of every compared classifier on this dataset, (M, N). own: which of them is this one's.
    """

    classifier: Classifier = field(repr=False)
    dataset: Dataset = field(repr=False)
    labels: IntArray
    predictions: IntArray
    own: int
    settings: Settings
    cache: Cache
    track: Track[Any]
    notes: tuple[str, ...]

    @property
    def layers(self) -> Mapping[str, int]:
        """As Attacks.layers."""
        return self._features.layers

    @property
    def correct(self) -> BoolArray:
        """(N,)."""
        return np.asarray(self.predictions[self.own] == self.labels)

    @property
    def correct_by_all(self) -> BoolArray:
        """(N,)."""
        return np.asarray((self.predictions == self.labels).all(axis=0))

    def named(self, text: str) -> tuple[str, ...]:
        """As Attacks.named."""
        names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
        if not names:
            raise UsageError("--attack names no attack; give some with commas between, e.g. fgsm,pgd,cw.")
        return tuple(attack_named(name, self.settings).name for name in names)

    def bounds(self, text: str) -> Mapping[str, float]:
        """As Attacks.bounds."""
        found = {part.strip(): bound(part) for part in text.split(",") if part.strip()}
        if not found:
            raise UsageError("--eps holds no number; give one such as 8/255.")
        return found

    def bounded(self, attack: str) -> bool:
        """As Attacks.bounded."""
        return attack_named(attack, self.settings).bounded

    def aims(self, attack: str) -> bool:
        """As Attacks.aims."""
        return attack_named(attack, self.settings).aims

    def order(self, seed: int) -> IntArray:
        """As Attacks.order."""
        return shuffled(seed, self.dataset.sample_ids, "order")

    def features(self, sources: IntArray) -> FloatArray:
        """As Attacks.features, in one pass."""
        parts = [
            self._features.of(self._pixels(block))
            for block in self._blocks(sources, f"{self.classifier.name}: features of {len(sources)} clean images")
        ]
        return np.concatenate([self._features.none(), *parts])

    def run(
        self,
        attack: str,
        sources: IntArray,
        *,
        eps: float,
        targeted: bool,
        seed: int,
        enough: int | None = None,
        with_features: bool = False,
        against: Differentiable | None = None,
        weight: float = 1.0,
    ) -> AttackRun:
        """As Attacks.run. An image for which no class is left as a target is not attacked."""
        chosen = attack_named(attack, self.settings)
        targeted = targeted and chosen.aims
        targets = self._targets(sources, seed) if targeted else np.full(len(sources), UNTARGETED)
        if targeted:
            sources, targets = sources[targets != UNTARGETED], targets[targets != UNTARGETED]
        job = _Job(chosen, eps, targeted, seed, against, weight)
        parts: list[_Part] = []
        successes = 0
        done = 0
        while done < len(sources) and (enough is None or successes < enough):
            planned = len(sources) if enough is None else _plan(done, successes, enough, len(sources))
            words = f"{attack} against a detector" if against is not None else attack
            description = f"{self.classifier.name}: {words} on {planned - done} images"
            for block in self._blocks(np.arange(done, planned), description):
                wanted = EXAMPLES - successes
                part = self._part(job, sources[block], targets[block], max(0, wanted), done, with_features)
                parts.append(part)
                successes += int((part.outcomes == SUCCESS).sum())
                done += len(block)
        return self._joined(job, parts, sources[:done], targets[:done])

    def _joined(self, job: _Job, parts: list[_Part], sources: IntArray, targets: IntArray) -> AttackRun:
        nothing = self._features.none()
        return AttackRun(
            attack=job.attack.name,
            settings=self._words(job),
            sources=sources,
            targets=targets,
            outcomes=np.concatenate([np.empty(0, object), *(part.outcomes for part in parts)]),
            predictions=np.concatenate([np.empty(0, np.int64), *(part.predictions for part in parts)]),
            l2=np.concatenate([np.empty(0), *(part.l2 for part in parts)]),
            linf=np.concatenate([np.empty(0), *(part.linf for part in parts)]),
            features=np.concatenate([nothing, *(part.features for part in parts if part.features is not None)]),
            noise_features=np.concatenate([nothing, *(part.noise for part in parts if part.noise is not None)]),
            examples={place: images for part in parts for place, images in part.examples.items()},
        )

    def _words(self, job: _Job) -> str:
        how = "random targets" if job.targeted else "untargeted"
        limit = f", eps {job.eps:.4g} ({255 * job.eps:.3g}/255)" if job.attack.bounded else ""
        joint = f", together with a detector (weight {job.weight:g})" if job.against is not None else ""
        return f"{job.attack.name}: {job.attack.words}{limit}, {how}{joint}, {job.attack.sees}"

    def _blocks(self, items: IntArray, description: str) -> Iterator[IntArray]:
        size = block_size(self.classifier.device, *self.dataset.image_size)
        blocks = [items[start : start + size] for start in range(0, len(items), size)]
        yield from self.track(blocks, description, len(blocks))

    def _targets(self, sources: IntArray, seed: int) -> IntArray:
        """A random class for every source, see `random_class`; -1: none."""
        ids, n_classes = self.dataset.sample_ids, self.classifier.n_classes
        own, labels = self.predictions[self.own], self.labels
        chosen = [random_class(seed, ids[i], int(labels[i]), int(own[i]), n_classes) for i in sources]
        return np.array(chosen, dtype=np.int64)

    def _pixels(self, indices: IntArray) -> Tensor:
        return to_pixels(self.dataset.images[torch.from_numpy(indices)], self.classifier.device)

    def _part(
        self, job: _Job, sources: IntArray, targets: IntArray, n_examples: int, first: int, with_features: bool
    ) -> _Part:
        """One block attacked, judged, and, where asked, its features taken; its images are let go of again."""
        pixels = self._pixels(sources)
        arrays = self._attacked(job, pixels, sources, targets)
        clean, found, logits = pixels.cpu().numpy(), arrays["images"], arrays["logits"]
        before, labels, moved = self.predictions[self.own, sources], self.labels[sources], arrays["moved"]
        verdicts = outcomes(clean, found, logits, before, labels, targets, moved)
        l2, linf = perturbation_sizes(clean, found)
        features = noise = None
        if with_features:
            features = self._features.of(torch.from_numpy(found))
            noise = self._features.of(self._noisy(pixels, np.nan_to_num(l2), job, sources))
        shown = np.flatnonzero(verdicts == SUCCESS)[:n_examples]
        return _Part(
            outcomes=verdicts,
            predictions=np.where(np.isnan(logits), -np.inf, logits).argmax(axis=1),
            l2=l2,
            linf=linf,
            features=features,
            noise=noise,
            examples={first + int(i): (clean[i], found[i]) for i in shown},
        )

    def _attacked(self, job: _Job, pixels: Tensor, sources: IntArray, targets: IntArray) -> Arrays:
        """Attacked images, their logits and which were moved: from the cache, where a killed run left them, or new."""
        labels = torch.from_numpy(self.labels[sources]).to(pixels.device)
        ids = [self.dataset.sample_ids[i] for i in sources]
        seeds = [seed_of(job.seed, sample_id, f"start {job.attack.name}") for sample_id in ids]
        aimed = torch.from_numpy(targets).to(pixels.device) if job.targeted else None

        def compute() -> Arrays:
            network = self.classifier.network
            loss: Loss = class_loss
            if job.against is not None:
                suspicion = as_function(job.against, self.classifier.device)
                loss = joint_loss(suspicion, job.weight, job.targeted, self._features.recording, self._features.columns)
            found, moved = attacked(network, job.attack, pixels, labels, aimed, eps=job.eps, seeds=seeds, loss=loss)
            with torch.no_grad():
                logits = network(found)
            return {
                "images": found.contiguous().cpu().numpy(),
                "logits": logits.cpu().numpy(),
                "moved": moved.cpu().numpy(),
            }

        key = {
            **self._origin,
            "attack": job.attack.kind.__qualname__,
            "arguments": job.attack.arguments,
            "eps": job.eps if job.attack.bounded else None,
            "seeds": seeds,
            "pixels": fingerprint_of(pixels),
            "classes": (targets if job.targeted else self.labels[sources]).tolist(),
            "targeted": job.targeted,
            "against": None if job.against is None else [_fingerprint(job.against), job.weight],
        }
        return self.cache.fetch(f"attack-{re.sub('[^A-Za-z0-9]+', '-', job.attack.name)}", key, compute)

    def _noisy(self, pixels: Tensor, l2: FloatArray, job: _Job, sources: IntArray) -> Tensor:
        """The clean images with Gaussian noise of the perturbation's L2 norm."""
        shape, purpose = tuple(pixels.shape[1:]), f"noise {job.attack.name}"
        drawn = np.stack([normal_noise(job.seed, self.dataset.sample_ids[i], purpose, shape) for i in sources])
        return with_noise(pixels.cpu(), torch.from_numpy(drawn), l2)

    @cached_property
    def _features(self) -> AveragedFeatures:
        return AveragedFeatures(self.classifier, self.dataset.image_size, self._origin, self.cache)

    @cached_property
    def _origin(self) -> dict[str, object]:
        """What determines the bytes besides the attack and the images."""
        network = self.classifier.network
        return {
            "version": VERSION,
            "weights": fingerprint_of(self.classifier.architecture, *network.state_dict().values()),
            "mean": network.mean.flatten().tolist(),
            "std": network.std.flatten().tolist(),
            "device": self.classifier.device.type,
        }


@dataclass(frozen=True)
class _Job:
    attack: Attack
    eps: float
    targeted: bool
    seed: int
    against: Differentiable | None
    weight: float


@dataclass(frozen=True)
class _Part:
    outcomes: np.ndarray
    predictions: IntArray
    l2: FloatArray
    linf: FloatArray
    features: FloatArray | None
    noise: FloatArray | None
    examples: Mapping[int, tuple[FloatArray, FloatArray]]


def _plan(done: int, successes: int, enough: int, available: int) -> int:
    """How far to go on: as many images as it should take at the rate of success so far (all of them at first)."""
    rate = max(successes / done, 0.02) if done else 1.0
    needed = done + int(np.ceil((enough - successes) / rate))
    return min(available, -(-needed // UNIT) * UNIT)


def _fingerprint(detector: Differentiable) -> str:
    """Of all its numbers."""
    arrays = [detector.mean, detector.scale, *(array for layer in detector.layers for array in layer)]
    return fingerprint_of(*(torch.from_numpy(np.asarray(array)) for array in arrays))
