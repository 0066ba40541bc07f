"""The class of a filter, and the filters of a class, by activations or by a gate."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from csg_analyze.metrics.arrays import Arguments, BoolArray, FloatArray, IntArray

SHARED, UNASSIGNED = "(shared)", "(unassigned)"
"""Names of the groups C and C + 1 of `owners`, beside the names of classes."""


def class_means(activations: ArrayLike, labels: ArrayLike, n_classes: int) -> FloatArray:
    """Mean activation of every filter on the images of every class, float64 (C, K); NaN for an absent class.

    >>> class_means([[1.0, 0.0], [3.0, 0.0], [0.0, 5.0]], labels=[0, 0, 1], n_classes=2)
    array([[2., 0.],
           [0., 5.]])
    """
    return mean_activations(activations, labels, np.eye(n_classes, dtype=np.bool_))


def mean_activations(activations: ArrayLike, labels: ArrayLike, sets: ArrayLike) -> FloatArray:
    """Mean activation of every filter over the images of every set of classes, float64 (M, K); NaN without images.

    activations: (N, K). labels: (N,). sets: (M, C), True for the set's classes.
    """
    given = Arguments()
    activations, sets = given.numbers("activations", activations, "N K"), given.truths("sets", sets, "M C")
    labels, _ = given.labels("labels", labels, "N", sets.shape[1])
    means: FloatArray = np.full((len(sets), activations.shape[1]), np.nan)
    order = np.argsort(labels, kind="stable")
    of_class = np.split(order, np.cumsum(np.bincount(labels, minlength=sets.shape[1]))[:-1])
    for row, classes in zip(means, sets, strict=True):
        members = (of_class[c] for c in np.flatnonzero(classes))
        images = np.sort(np.concatenate([order[:0], *members]))  # a set of images always has the same sum
        if len(images):
            row[:] = activations[images].mean(axis=0, dtype=np.float64)
    return means


def dead_filters(activations: ArrayLike) -> BoolArray:
    """Which filters have exactly the same activation on all images, (K,); activations: (N, K).

    They have no information; estimates for them come from the noise that breaks ties. A filter that differs on a single
    image is not dead.
    """
    activations = Arguments().numbers("activations", activations, "N K")
    dead: BoolArray = activations.min(axis=0) == activations.max(axis=0)
    return dead


def strongest_first(strength: ArrayLike, count: int) -> IntArray:
    """The `count` strongest filters of each of M rows, int (M, count), the strongest first.

    strength: (M, K), such as the mean activations of K filters on M classes; NaN for none. The earlier filter wins
    ties. -1 fills rows with fewer than `count` values.
    """
    strength = Arguments().numbers("strength", strength, "M K")
    order: IntArray = np.argsort(-strength, axis=1, kind="stable")[:, :count]
    return np.where(np.isnan(np.take_along_axis(strength, order, axis=1)), -1, order)


def strongest(strength: ArrayLike, count: int) -> BoolArray:
    """The filters of `strongest_first` as a mask, (M, K)."""
    strength = Arguments().numbers("strength", strength, "M K")
    order = strongest_first(strength, count)
    rows, ranks = np.nonzero(order >= 0)
    chosen: BoolArray = np.zeros(strength.shape, dtype=bool)
    chosen[rows, order[rows, ranks]] = True
    return chosen


def assigned(gate: ArrayLike, threshold: float = 0.5) -> BoolArray:
    """(C, K), True where filter k belongs to class c: G[c, k] > threshold, as for the removals of Fig. 5.

    >>> assigned([[0.9, 0.6], [0.1, 0.7]])
    array([[ True,  True],
           [False,  True]])
    """
    belongs: BoolArray = Arguments().numbers("gate", gate, "C K", finite=True) > threshold
    return belongs


def owners(strength: ArrayLike) -> IntArray:
    """The group of every filter, int (K,), by its strength for each class, (C, K).

    c: the filter is strongest for class c only. C: shared, several classes have the maximum (the m2 filters of a fixed
    gate). C + 1: unassigned, its column is zero. Rows of NaN, of absent classes, do not count.

    >>> owners([[0.9, 0.5, 0.0], [0.1, 0.5, 0.0]])  # of class 0, shared, unassigned
    array([0, 2, 3])
    """
    strength = Arguments().numbers("strength", strength, "C K")
    n_classes = len(strength)
    present = np.where(np.isnan(strength), -np.inf, strength)
    highest = present.max(axis=0)
    group = np.where((present == highest).sum(axis=0) > 1, n_classes, present.argmax(axis=0))
    return np.where(np.nan_to_num(strength).any(axis=0), group, n_classes + 1)


def filters_by_class(strength: ArrayLike) -> IntArray:
    """An order of the filters, columns of (C, K): class by class, the strongest filter of a class first.

    After all classes come shared filters, then unassigned ones (`owners`), then filters without values. Ties keep the
    order of the filters.
    """
    strength = Arguments().numbers("strength", strength, "C K")
    highest = np.where(np.isnan(strength), -np.inf, strength).max(axis=0)
    return np.lexsort((-highest, owners(strength)))
