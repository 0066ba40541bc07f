"""One block of images attacked: from the cache or anew, judged, and averaged features taken of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from csg_analyze.attacks.blocks import Loss, attacked, class_loss
from csg_analyze.attacks.catalogue import Attack
from csg_analyze.attacks.detector import as_function, joint_loss
from csg_analyze.attacks.noise import with_noise
from csg_analyze.attacks.randomness import normal_noise, seed_of
from csg_analyze.checkpoints import Classifier
from csg_analyze.data import Dataset
from csg_analyze.data.fingerprint import fingerprint_of
from csg_analyze.inputs.averaged_features import AveragedFeatures
from csg_analyze.inputs.blocks import to_pixels
from csg_analyze.inputs.cache import Cache
from csg_analyze.metrics.adversarial import SUCCESS, Differentiable, outcomes, perturbation_sizes
from csg_analyze.metrics.arrays import FloatArray, IntArray
from csg_analyze.metrics.keeping import Arrays

ATTACKS_VERSION = 2
"""Part of cache keys: a change of this file or csg_analyze.attacks that changes any number raises it."""


@dataclass(frozen=True)
class Job:
    """How all images of a run are attacked.

    eps: bound of the perturbation, for bounded attacks. against: a detector to be fooled together with the network, its
    term in the loss times `weight`.
    """

    attack: Attack
    eps: float
    targeted: bool
    seed: int
    against: Differentiable | None
    weight: float


@dataclass(frozen=True)
class AttackedBlock:
    """A block's part of an AttackRun. features and noise_features: (n, F), None where they were not asked for."""

    outcomes: np.ndarray
    predictions: IntArray
    l2: FloatArray
    linf: FloatArray
    features: FloatArray | None
    noise_features: FloatArray | None
    examples: Mapping[int, tuple[FloatArray, FloatArray]]


@dataclass(frozen=True)
class BlockAttacks:
    """Attacks on blocks of a dataset's images. labels, predictions: of all its images, (N,)."""

    classifier: Classifier = field(repr=False)
    dataset: Dataset = field(repr=False)
    labels: IntArray
    predictions: IntArray
    cache: Cache

    def run(
        self, job: Job, sources: IntArray, targets: IntArray, *, first: int, n_examples: int, with_features: bool
    ) -> AttackedBlock:
        """The images at `sources`, (n,), attacked towards `targets`, (n,), and judged.

        first: the place of the first of them in the run. n_examples: largest number of successes whose images are kept.
        """
        pixels = self.pixels(sources)
        arrays = self._attacked(job, pixels, sources, targets)
        clean, adversarial, logits = pixels.cpu().numpy(), arrays["images"], arrays["logits"]
        before, labels = self.predictions[sources], self.labels[sources]
        verdicts = outcomes(clean, adversarial, logits, before, labels, targets, arrays["moved"])
        l2, linf = perturbation_sizes(clean, adversarial)
        features = noise_features = None
        if with_features:
            features = self.features.of(torch.from_numpy(adversarial))
            noise_features = self.features.of(self._noisy(pixels, np.nan_to_num(l2), job, sources))
        kept = np.flatnonzero(verdicts == SUCCESS)[:n_examples]
        return AttackedBlock(
            outcomes=verdicts,
            predictions=np.where(np.isnan(logits), -np.inf, logits).argmax(axis=1),
            l2=l2,
            linf=linf,
            features=features,
            noise_features=noise_features,
            examples={first + int(i): (clean[i], adversarial[i]) for i in kept},
        )

    def pixels(self, indices: IntArray) -> Tensor:
        """Clean images, float32 (n, 3, H, W) in [0, 1] on the device."""
        return to_pixels(self.dataset.images[torch.from_numpy(indices)], self.classifier.device)

    @cached_property
    def features(self) -> AveragedFeatures:
        """Features of any images of the dataset's size."""
        return AveragedFeatures(self.classifier, self.dataset.image_size, self._origin, self.cache)

    def _attacked(self, job: Job, pixels: Tensor, sources: IntArray, targets: IntArray) -> Arrays:
        """Attacked images, their logits and whether a step moved them; from the cache if an earlier run made them."""
        labels = torch.from_numpy(self.labels[sources]).to(pixels.device)
        ids = [self.dataset.sample_ids[i] for i in sources]
        seeds = [seed_of(job.seed, sample_id, f"start {job.attack.name}") for sample_id in ids]
        aimed = torch.from_numpy(targets).to(pixels.device) if job.targeted else None

        def compute() -> Arrays:
            network = self.classifier.network
            loss = self._loss(job)
            images, moved = attacked(network, job.attack, pixels, labels, aimed, eps=job.eps, seeds=seeds, loss=loss)
            with torch.no_grad():
                logits = network(images)
            return {
                "images": images.contiguous().cpu().numpy(),
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

    def _loss(self, job: Job) -> Loss:
        if job.against is None:
            return class_loss
        suspicion = as_function(job.against, self.classifier.device)
        return joint_loss(suspicion, job.weight, job.targeted, self.features.recording, self.features.columns)

    def _noisy(self, pixels: Tensor, l2: FloatArray, job: Job, sources: IntArray) -> Tensor:
        """The clean images with Gaussian noise of the perturbation's L2 norm."""
        shape, purpose = tuple(pixels.shape[1:]), f"noise {job.attack.name}"
        drawn = np.stack([normal_noise(job.seed, self.dataset.sample_ids[i], purpose, shape) for i in sources])
        return with_noise(pixels.cpu(), torch.from_numpy(drawn), l2)

    @cached_property
    def _origin(self) -> dict[str, object]:
        """What determines the bytes besides the attack and the images."""
        network = self.classifier.network
        return {
            "version": ATTACKS_VERSION,
            "weights": fingerprint_of(*self.classifier.identity),
            "mean": network.mean.flatten().tolist(),
            "std": network.std.flatten().tolist(),
            **({} if network.channels == "rgb" else {"channels": network.channels}),
            "device": self.classifier.device.type,
        }


def _fingerprint(detector: Differentiable) -> str:
    """Of all its numbers."""
    arrays = [detector.mean, detector.scale, *(array for layer in detector.layers for array in layer)]
    return fingerprint_of(*(torch.from_numpy(np.asarray(array)) for array in arrays))
