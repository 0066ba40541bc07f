"""Choices made before scoring: the halves of the images, the filters of a class, the class of a filter."""

from __future__ import annotations

import numpy as np

from csg_analyze.metrics.arrays import BoolArray, FloatArray, IntArray
from csg_analyze.metrics.filters import class_means, strongest_first


def first_half(labels: IntArray, groups: IntArray, seed: int) -> BoolArray:
    """(N,), True for the half that filters and thresholds are chosen on; the other half is scored.

    Every class is divided in two, up to one group. Images of one group (cut from one picture) stay together, and count
    as the class of the first of them.
    """
    rng = np.random.default_rng(seed)
    names, first_of_group, group = np.unique(groups, return_index=True, return_inverse=True)
    chosen = np.zeros(len(names), bool)
    for c in np.unique(labels[first_of_group]):
        members = rng.permutation(np.flatnonzero(labels[first_of_group] == c))
        chosen[members[: (len(members) + 1) // 2]] = True
    half: BoolArray = chosen[group]
    return half


def most_active_filters(
    activations: FloatArray, labels: IntArray, chosen: IntArray, n_classes: int, n: int
) -> IntArray:
    """For every class the n filters with the highest mean activation on its chosen images, (C, n); -1 without images.

    activations: (N, K). The earlier filter wins ties.
    """
    return strongest_first(class_means(activations[chosen], labels[chosen], n_classes), n)


def classes_of_filters(
    ious: FloatArray, labels: IntArray, n_classes: int, delta: float, *, first_of_ties: bool = False
) -> IntArray:
    """The class of every filter, (K,): that whose images it hits most often, with IoU > delta.

    ious: (n, K), labels: (n,), of the images to choose on. Of classes that tie, also with no hit, the one with the
    higher mean IoU wins, then the earlier one; with first_of_ties, as in the authors' scripts, the earlier one. No
    class without images is chosen.
    """
    rates: FloatArray = np.full((n_classes, ious.shape[1]), -np.inf)
    means = rates.copy()
    for c in range(n_classes):
        members = np.nan_to_num(ious[labels == c])
        if len(members):
            rates[c], means[c] = (members > delta).mean(axis=0), members.mean(axis=0)
    if first_of_ties:
        first: IntArray = rates.argmax(axis=0)
        return first
    best = rates == rates.max(axis=0)
    chosen: IntArray = np.where(best, means, -np.inf).argmax(axis=0)
    return chosen
