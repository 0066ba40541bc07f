"""Whether a network's accuracy can be told from chance."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from csg_analyze.metrics.arrays import IntArray
from csg_analyze.metrics.statistics import share_with_interval

MARGIN = 0.05
"""Accuracies up to twice the chance level, but no more than this above it, count as near to it."""


class NearChance(NamedTuple):
    """An accuracy that may be near chance. chance: its chance level. low, high: its 95 % interval.

    certain: whether the accuracy itself is near chance; else only its interval reaches so low, for want of images.
    """

    accuracy: float
    low: float
    high: float
    chance: float
    certain: bool


def chance_level(predictions: IntArray, labels: IntArray, n_classes: int) -> float:
    """The share of right answers of a network whose answers have nothing to do with the images.

    It is what the frequencies of classes in answers and labels give (as in Cohen's kappa), so that always answering the
    most frequent class is no skill; at least 1/C. Images of one class alone tell nothing of frequencies: 1/C.
    """
    shares = [np.bincount(values, minlength=n_classes) / len(values) for values in (predictions, labels)]
    by_frequency = float(shares[0] @ shares[1]) if (shares[1] > 0).sum() > 1 else 0.0
    return max(1 / n_classes, by_frequency)


def near_chance(predictions: IntArray, labels: IntArray, n_classes: int) -> NearChance | None:
    """The accuracy and its chance level, if the lower end of its 95 % interval (Wilson) is near it; else None.

    predictions, labels: (N,), N > 0. Near: at most twice the chance level, and at most MARGIN above it; below as well.
    """
    accuracy, low, high = share_with_interval(int((predictions == labels).sum()), len(labels))
    chance = chance_level(predictions, labels, n_classes)
    bar = chance + min(chance, MARGIN)
    return None if low > bar else NearChance(accuracy, low, high, chance, accuracy <= bar)
