"""Attacks on a classifier over its dataset, block after block."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from csg_analyze.attacks.catalogue import Settings, attack_named, bound
from csg_analyze.attacks.randomness import random_class, shuffled
from csg_analyze.checkpoints import Classifier
from csg_analyze.data import Dataset
from csg_analyze.errors import UsageError
from csg_analyze.inputs.attacked_blocks import AttackedBlock, BlockAttacks, Job
from csg_analyze.inputs.blocks import block_size
from csg_analyze.inputs.cache import Cache
from csg_analyze.metrics.adversarial import SUCCESS, UNTARGETED, AttackRun, Differentiable
from csg_analyze.metrics.arrays import BoolArray, FloatArray, IntArray
from csg_analyze.progress import Track

N_EXAMPLES = 3
"""Successes of a run whose images are kept, for figures."""
UNIT = 32
"""Attacks run on multiples of so many images, so that a larger run begins with the same blocks as a smaller one."""


@dataclass(frozen=True)
class NetworkAttacks:
    """`metrics.adversarial.Attacks` on a classifier.

    labels: (N,). predictions: of every compared classifier on this dataset, (M, N). own: the row of this classifier.
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
        return self._attacks.features.layers

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
        eps = {part.strip(): bound(part) for part in text.split(",") if part.strip()}
        if not eps:
            raise UsageError("--eps holds no number; give one such as 8/255.")
        return eps

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
            self._attacks.features.of(self._attacks.pixels(block))
            for block in self._blocks(sources, f"{self.classifier.name}: features of {len(sources)} clean images")
        ]
        return np.concatenate([self._attacks.features.none(), *parts])

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
        """As Attacks.run. An image without a possible target is not attacked."""
        chosen = attack_named(attack, self.settings)
        targeted = targeted and chosen.aims
        targets = self._targets(sources, seed) if targeted else np.full(len(sources), UNTARGETED)
        if targeted:
            sources, targets = sources[targets != UNTARGETED], targets[targets != UNTARGETED]
        job = Job(chosen, eps, targeted, seed, against, weight)
        parts: list[AttackedBlock] = []
        successes = 0
        done = 0
        while done < len(sources) and (enough is None or successes < enough):
            planned = len(sources) if enough is None else _planned(done, successes, enough, len(sources))
            words = f"{attack} against a detector" if against is not None else attack
            description = f"{self.classifier.name}: {words} on {planned - done} images"
            for block in self._blocks(np.arange(done, planned), description):
                part = self._attacks.run(
                    job,
                    sources[block],
                    targets[block],
                    first=done,
                    n_examples=max(0, N_EXAMPLES - successes),
                    with_features=with_features,
                )
                parts.append(part)
                successes += int((part.outcomes == SUCCESS).sum())
                done += len(block)
        return self._joined(job, parts, sources[:done], targets[:done])

    def _joined(self, job: Job, parts: list[AttackedBlock], sources: IntArray, targets: IntArray) -> AttackRun:
        none = self._attacks.features.none()
        return AttackRun(
            attack=job.attack.name,
            settings=self._words(job),
            sources=sources,
            targets=targets,
            outcomes=np.concatenate([np.empty(0, object), *(part.outcomes for part in parts)]),
            predictions=np.concatenate([np.empty(0, np.int64), *(part.predictions for part in parts)]),
            l2=np.concatenate([np.empty(0), *(part.l2 for part in parts)]),
            linf=np.concatenate([np.empty(0), *(part.linf for part in parts)]),
            features=np.concatenate([none, *(part.features for part in parts if part.features is not None)]),
            noise_features=np.concatenate(
                [none, *(part.noise_features for part in parts if part.noise_features is not None)]
            ),
            examples={place: images for part in parts for place, images in part.examples.items()},
        )

    def _words(self, job: Job) -> str:
        aim = "random targets" if job.targeted else "untargeted"
        limit = f", eps {job.eps:.4g} ({255 * job.eps:.3g}/255)" if job.attack.bounded else ""
        joint = f", together with a detector (weight {job.weight:g})" if job.against is not None else ""
        return f"{job.attack.name}: {job.attack.words}{limit}, {aim}{joint}, {job.attack.sees}"

    def _blocks(self, items: IntArray, description: str) -> Iterator[IntArray]:
        size = block_size(self.classifier.device, *self.dataset.image_size)
        blocks = [items[start : start + size] for start in range(0, len(items), size)]
        yield from self.track(blocks, description, len(blocks))

    def _targets(self, sources: IntArray, seed: int) -> IntArray:
        """A random class per source, see `random_class`; -1 for none."""
        ids, n_classes = self.dataset.sample_ids, self.classifier.n_classes
        own, labels = self.predictions[self.own], self.labels
        chosen = [random_class(seed, ids[i], int(labels[i]), int(own[i]), n_classes) for i in sources]
        return np.array(chosen, dtype=np.int64)

    @cached_property
    def _attacks(self) -> BlockAttacks:
        return BlockAttacks(self.classifier, self.dataset, self.labels, self.predictions[self.own], self.cache)


def _planned(done: int, successes: int, enough: int, available: int) -> int:
    """How many images to attack in all: `enough` successes at the rate so far, at first as if all succeeded."""
    rate = max(successes / done, 0.02) if done else 1.0
    needed = done + int(np.ceil((enough - successes) / rate))
    return min(available, -(-needed // UNIT) * UNIT)
