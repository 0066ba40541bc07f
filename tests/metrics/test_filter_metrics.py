from __future__ import annotations

import numpy as np
import pytest

from csg_analyze.metrics.filters import (
    class_means,
    dead_filters,
    filters_by_class,
    mean_activations,
    owners,
    strongest,
    strongest_first,
)

RNG = np.random.default_rng(0)
LABELS = np.repeat([0, 1, 3], [5, 3, 2])  # class 2 is absent


def test_a_filter_belongs_to_the_class_it_is_strongest_for() -> None:
    strength = np.array([[0.2, 1.0, 1.0, 0.0, -0.1], [1.0, 0.0, 1.0, 0.0, -0.5], [0.3, 0.9, 0.2, 0.0, -0.2]])
    owner = owners(strength)
    assert owner.tolist() == [1, 0, 3, 4, 0]  # 3: shared by two classes, 4: of none


def test_absent_classes_own_nothing() -> None:
    assert owners(np.array([[np.nan, np.nan], [0.2, 0.0], [0.1, 0.4]])).tolist() == [1, 2]


def test_the_most_activated_filters_by_sorting() -> None:
    means = np.random.default_rng(0).normal(size=(4, 9))
    means[2] = np.nan
    chosen = strongest(means, 3)
    for c in range(4):
        ranked = sorted(range(9), key=lambda k: -means[c, k])[:3] if c != 2 else []
        assert np.flatnonzero(chosen[c]).tolist() == sorted(ranked)


def test_ties_prefer_the_earlier_filter() -> None:
    assert strongest(np.array([[1.0, 2.0, 1.0, 1.0]]), 2).tolist() == [[True, True, False, False]]


def test_class_means_by_plain_loops() -> None:
    activations = RNG.normal(size=(10, 3)).astype(np.float32)
    means = class_means(activations, LABELS, 4)
    for c in (0, 1, 3):
        for k in range(3):
            values = [float(activations[i, k]) for i in range(10) if LABELS[i] == c]
            assert means[c, k] == pytest.approx(sum(values) / len(values), rel=1e-6)
    assert np.isnan(means[2]).all()


def test_dead_is_the_same_activation_on_every_image_exactly() -> None:
    columns = [[0, 0, 0], [5.5, 5.5, 5.5], [0, 0, 1e-30], [0.0, -0.0, 0.0], [1, 2, 3]]
    activations = np.array(columns, dtype=np.float32).T
    assert dead_filters(activations).tolist() == [True, True, False, True, False]


def test_filters_stand_by_class_strongest_first() -> None:
    strength = np.array([[0.1, 0.9, 0.2, 0.5, np.nan], [0.8, 0.3, 0.2, 0.4, np.nan], [0.0, 0.0, 0.7, np.nan, np.nan]])
    assert filters_by_class(strength).tolist() == [1, 3, 0, 2, 4]


def test_shared_filters_stand_behind_all_classes() -> None:
    gate = np.array([[1.0, 0.0, 1.0, 1.0, 0.0], [1.0, 1.0, 0.2, 1.0, 0.0]])
    assert filters_by_class(gate).tolist() == [2, 1, 0, 3, 4]


def test_ties_keep_the_filters_order() -> None:
    assert filters_by_class(np.ones((3, 6))).tolist() == list(range(6))


def test_means_over_sets_of_classes_by_plain_loops() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 40)  # the fourth class has no images
    activations = rng.normal(size=(40, 7)).astype(np.float32)
    groups = np.array([[1, 0, 0, 0], [1, 0, 1, 0], [0, 0, 0, 1]], dtype=bool)
    means = mean_activations(activations, labels, groups)
    for k in range(7):
        assert means[0, k] == pytest.approx(np.mean([activations[i, k] for i in range(40) if labels[i] == 0]))
        assert means[1, k] == pytest.approx(np.mean([activations[i, k] for i in range(40) if labels[i] in (0, 2)]))
    assert np.isnan(means[2]).all()


def test_the_strongest_come_first_and_a_blank_row_has_none() -> None:
    strength = np.array([[1.0, 3.0, 2.0, 3.0], [np.nan] * 4, [np.nan, 5.0, np.nan, np.nan]])
    assert strongest_first(strength, 3).tolist() == [[1, 3, 2], [-1, -1, -1], [1, -1, -1]]
    assert strongest(strength, 3).sum(axis=1).tolist() == [3, 0, 1]
