"""Adversarial samples as arrays: outcomes of attacks, and the interface to run attacks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from csg_analyze.metrics.arrays import Arguments, BoolArray, FloatArray, IntArray

SUCCESS, NOT_FOOLED, NOT_MOVED = "success", "not fooled", "not moved"
BLACK, NOT_FINITE, AT_TARGET = "all black", "not finite", "at target"
OUTCOMES = (SUCCESS, NOT_FOOLED, NOT_MOVED, BLACK, NOT_FINITE, AT_TARGET)
"""Outcomes of an attack on an image. Only a success is an adversarial sample; all outcomes are counted.

not fooled: the prediction is still the label, or not the target. not moved: the same, but no step of the attack moved
the image, for example because all gradients are 0; this says nothing about the network. all black: the result of C&W if
it finds no sample, which some networks classify as the target. not finite: NaN or infinite pixels or logits. at target:
the clean image was already classified as the target, or misclassified.
"""

UNTARGETED = -1


def outcomes(
    clean: ArrayLike,
    adversarial: ArrayLike,
    logits: ArrayLike,
    before: ArrayLike,
    labels: ArrayLike,
    targets: ArrayLike,
    moved: ArrayLike,
) -> NDArray[np.object_]:
    """The outcome of every attack, one of OUTCOMES, (n,).

    clean, adversarial: (n, 3, H, W) in [0, 1]. logits: of the adversarial images, (n, C). before: predictions of the
    clean images, (n,). labels, targets: (n,), target -1 for an untargeted attack. moved: (n,), whether a step of the
    attack moved the image.
    """
    given = Arguments()
    clean, adversarial = given.numbers("clean", clean, "n ..."), given.numbers("adversarial", adversarial, "n ...")
    logits = given.numbers("logits", logits, "n C")
    before, labels = given.integers("before", before, "n"), given.integers("labels", labels, "n")
    targets, moved = given.integers("targets", targets, "n"), given.truths("moved", moved, "n")
    flat = adversarial.reshape(len(adversarial), -1)
    finite = np.isfinite(flat).all(axis=1) & np.isfinite(logits).all(axis=1)
    black = (flat == 0).all(axis=1) & (clean.reshape(len(clean), -1) != 0).any(axis=1)
    after = np.where(np.isnan(logits), -np.inf, logits).argmax(axis=1)
    fooled = np.where(targets == UNTARGETED, after != labels, after == targets)
    outcome = np.full(len(labels), SUCCESS, dtype=object)
    outcome[~fooled] = NOT_FOOLED
    outcome[black] = BLACK
    outcome[~moved & (black | ~fooled)] = NOT_MOVED
    outcome[(before == targets) | (before != labels)] = AT_TARGET
    outcome[~finite] = NOT_FINITE
    return outcome


def perturbation_sizes(clean: ArrayLike, adversarial: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """L2 and Linf norm of the perturbation of every image, float64 (n,) each; pixels in [0, 1]."""
    given = Arguments()
    clean, adversarial = given.numbers("clean", clean, "n ..."), given.numbers("adversarial", adversarial, "n ...")
    difference = (adversarial.astype(np.float64) - clean.astype(np.float64)).reshape(len(clean), -1)
    return np.sqrt((difference**2).sum(axis=1)), np.abs(difference).max(axis=1, initial=0)


@dataclass(frozen=True)
class AttackRun:
    """One attack on n images of a dataset.

    settings: in words. sources: indices in the dataset, (n,). targets: (n,), -1 if untargeted. outcomes:
    (n,), see OUTCOMES. predictions: of the attacked images, (n,). l2, linf: sizes of the perturbations for pixels in
    [0, 1], (n,). features, noise_features: of the attacked images, and of the clean ones with noise of the same L2
    size, (n, F); without rows if not requested. examples: the first successes, by their place among the n: clean and
    attacked image, float32 (3, H, W) each.
    """

    attack: str
    settings: str
    sources: IntArray
    targets: IntArray
    outcomes: NDArray[np.object_]
    predictions: IntArray
    l2: FloatArray
    linf: FloatArray
    features: FloatArray
    noise_features: FloatArray
    examples: Mapping[int, tuple[FloatArray, FloatArray]]

    @property
    def succeeded(self) -> BoolArray:
        """Which attacks succeeded, (n,)."""
        return np.asarray(self.outcomes == SUCCESS, dtype=np.bool_)

    def count(self, outcome: str) -> int:
        """The number of attacks with this outcome."""
        return int((self.outcomes == outcome).sum())


@dataclass(frozen=True)
class Differentiable:
    """A detector with gradients: standardised features, then linear layers with ReLU between.

    mean, scale: (F,). layers: (weight (in, out), bias (out,)) each; the last has one output, the logit of
    "adversarial".
    """

    mean: FloatArray
    scale: FloatArray
    layers: tuple[tuple[FloatArray, FloatArray], ...]

    def logits(self, features: FloatArray) -> FloatArray:
        """(n, F) -> (n,)."""
        values = (features - self.mean) / self.scale
        for number, (weight, bias) in enumerate(self.layers):
            values = values @ weight + bias
            if number < len(self.layers) - 1:
                values = np.maximum(values, 0)
        return values[:, 0]


class Attacks(Protocol):
    """Attacks on one network, over the N images of its dataset."""

    @property
    def layers(self) -> Mapping[str, int]:
        """Number of features by layer name: the averaged outputs of all convolutions, side by side."""

    @property
    def correct(self) -> BoolArray:
        """Images that this network classifies correctly, (N,)."""

    @property
    def correct_by_all(self) -> BoolArray:
        """Images that all compared networks classify correctly, (N,)."""

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes for the reader of a report."""

    def named(self, text: str) -> tuple[str, ...]:
        """The attacks in a list separated by commas. Raises UsageError for an unknown attack, or none."""

    def bounds(self, text: str) -> Mapping[str, float]:
        """The numbers in a list such as `4/255,8/255`, by their texts. Raises UsageError unless all are in [0, 1]."""

    def bounded(self, attack: str) -> bool:
        """Whether the attack stays within a bound eps; otherwise it looks for the smallest perturbation."""

    def aims(self, attack: str) -> bool:
        """Whether the attack can aim at a target class."""

    def order(self, seed: int) -> IntArray:
        """All N images in a random order, the same for every network."""

    def features(self, sources: IntArray) -> FloatArray:
        """Features of clean images, float32 (n, F)."""

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
        """Attack the sources in order, in whole blocks, until there are `enough` successes.

        targeted: at random classes, if the attack can aim. against: a detector to attack together with the network; its
        term in the loss is multiplied by `weight`.
        """
