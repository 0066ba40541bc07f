"""Attacks on a classifier over its dataset: made block by block, judged, kept in the cache."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, softplus

from csg_analyze.attacks.blocks import Loss, attacked
from csg_analyze.attacks.catalogue import Attack, Settings, attack_named, bound
from csg_analyze.attacks.detector import as_function
from csg_analyze.attacks.randomness import normal_noise, random_class, seed_of, shuffled
from csg_analyze.checkpoints import Classifier
from csg_analyze.data import Dataset
from csg_analyze.data.fingerprint import fingerprint_of
from csg_analyze.errors import UsageError
from csg_analyze.inputs.blocks import block_size, to_pixels
from csg_analyze.inputs.cache import Arrays, Cache
from csg_analyze.inputs.forward import Track, pooling
from csg_analyze.metrics.adversarial import (
    SUCCESS,
    UNTARGETED,
    AttackRun,
    Differentiable,
    outcomes,
    perturbation_sizes,
)
from csg_analyze.metrics.arrays import BoolArray, FloatArray, IntArray

VERSION = 1  # of what this file and csg_analyze.attacks compute; raised by a change that moves any number
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

    @cached_property
    def layers(self) -> Mapping[str, int]:
        """Every convolution that runs and its number of filters, in the order of definition."""
        image = torch.zeros(1, 3, *self.dataset.image_size, device=self.classifier.device)
        everything = {name: self.classifier.layer(name) for name in self.classifier.convolutions()}
        with torch.no_grad(), pooling(everything) as recorded:  # heads for training alone do not run
            self.classifier.network(image)
        return {name: recorded[name].shape[1] for name in everything if name in recorded}

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
            self._features(self._pixels(block))
            for block in self._blocks(sources, f"{self.classifier.name}: features of {len(sources)} clean images")
        ]
        return np.concatenate(parts) if parts else np.empty((0, sum(self.layers.values())), np.float32)

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
        nothing: FloatArray = np.empty((0, sum(self.layers.values())), np.float32)
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
        return f"{job.attack.name}: {job.attack.words}{limit}, {how}{joint}"

    def _blocks(self, items: IntArray, description: str) -> Iterator[IntArray]:
        size = block_size(self.classifier.device, *self.dataset.image_size)
        blocks = [items[start : start + size] for start in range(0, len(items), size)]
        yield from self.track(blocks, description, len(blocks))

    def _targets(self, sources: IntArray, seed: int) -> IntArray:
        """A random class for every source: neither its label nor what any compared network takes it for; -1: none."""
        ids, n_classes = self.dataset.sample_ids, self.classifier.n_classes
        forbidden = [{int(self.labels[i]), *self.predictions[:, i].tolist()} for i in sources]
        chosen = [random_class(seed, ids[i], f, n_classes) for i, f in zip(sources, forbidden, strict=True)]
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
        verdicts = outcomes(clean, found, logits, self.predictions[self.own, sources], self.labels[sources], targets)
        l2, linf = perturbation_sizes(clean, found)
        features = noise = None
        if with_features:
            features = self._features(torch.from_numpy(found))
            noise = self._features(self._noisy(pixels, np.nan_to_num(l2), job, sources))
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
        """Attacked images and their logits: from the cache, where a killed run left them, or made now."""
        labels = torch.from_numpy(self.labels[sources]).to(pixels.device)
        ids = [self.dataset.sample_ids[i] for i in sources]
        seeds = [seed_of(job.seed, sample_id, f"start {job.attack.name}") for sample_id in ids]
        aimed = torch.from_numpy(targets).to(pixels.device) if job.targeted else None

        def compute() -> Arrays:
            loss = None if job.against is None else self._joint_loss(job.against, job.weight, job.targeted)
            found = attacked(
                self.classifier.network, job.attack, pixels, labels, aimed, eps=job.eps, seeds=seeds, loss=loss
            )
            with torch.no_grad():
                logits = self.classifier.network(found)
            return {"images": found.contiguous().cpu().numpy(), "logits": logits.cpu().numpy()}

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

    def _joint_loss(self, detector: Differentiable, weight: float, targeted: bool) -> Loss:
        """Cross-entropy, and the detector's loss for calling the image clean; both fall for a successful attack."""
        module = as_function(detector, self.classifier.device)
        sign = 1 if targeted else -1  # an untargeted attack raises its loss

        def loss(images: Tensor, classes: Tensor) -> Tensor:
            with self._recording() as recorded:
                logits = self.classifier.network(images)
                suspicion = module(self._columns(recorded))
            return cross_entropy(logits, classes, reduction="sum") + sign * weight * softplus(suspicion).sum()

        return loss

    def _recording(self) -> AbstractContextManager[dict[str, Tensor]]:
        return pooling({name: self.classifier.layer(name) for name in self.layers})

    def _columns(self, recorded: Mapping[str, Tensor]) -> Tensor:
        # a network may run its layers in another order than it defines them
        return torch.cat([recorded[name] for name in self.layers], dim=1)

    def _features(self, images: Tensor) -> FloatArray:
        """Averaged outputs of every convolution, float32 (n, F); images that are not finite give NaN."""

        def compute() -> Arrays:
            on_device = images.to(self.classifier.device).to(memory_format=torch.channels_last)
            with torch.no_grad(), self._recording() as recorded:
                self.classifier.network(on_device)
            return {"features": self._columns(recorded).float().cpu().numpy()}

        key = {**self._origin, "layers": list(self.layers), "pixels": fingerprint_of(images)}
        return self.cache.fetch("attack-features", key, compute)["features"]

    def _noisy(self, pixels: Tensor, l2: FloatArray, job: _Job, sources: IntArray) -> Tensor:
        """The clean images with Gaussian noise whose L2 norm, after clipping to [0, 1], is that of the perturbation."""
        from foolbox.external.clipping_aware_rescaling import l2_clipping_aware_rescaling

        shape = tuple(pixels.shape[1:])
        ids = [self.dataset.sample_ids[i] for i in sources]
        drawn = np.stack([normal_noise(job.seed, sample_id, f"noise {job.attack.name}", shape) for sample_id in ids])
        noise, clean = torch.from_numpy(drawn), pixels.cpu()
        scales = [
            l2_clipping_aware_rescaling(clean[i : i + 1], noise[i : i + 1], float(norm)) for i, norm in enumerate(l2)
        ]
        return (clean + torch.nan_to_num(torch.cat(scales)) * noise).clamp(0, 1)

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
    arrays = [detector.mean, detector.scale, *(array for layer in detector.layers for array in layer)]
    return fingerprint_of(*(torch.from_numpy(np.asarray(array)) for array in arrays))
