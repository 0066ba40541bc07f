"""The mutual information of filters and classes, its chance level and its significance."""

from __future__ import annotations

from typing import Literal

import numpy as np

from csg_analyze.analyzers.mis.permutations import PermutationTest, permutation_test
from csg_analyze.metrics.arrays import FloatArray, IntArray
from csg_analyze.metrics.keeping import NOTHING_KEPT, Arrays, Keep
from csg_analyze.metrics.mutual_information import chance_permutations, information_and_chance

Estimator = Literal["exact", "sklearn"]


def estimate(
    activations: FloatArray,
    labels: IntArray,
    estimator: Estimator,
    n_classes: int,
    n_neighbors: int,
    permutations: int,
    seed: int,
    cache: Keep = NOTHING_KEPT,
) -> tuple[FloatArray, FloatArray, PermutationTest | None]:
    """M (K, C), the chance level of every filter (K,), and the permutation test, None without permutations."""
    settings = {"n_classes": n_classes, "n_neighbors": n_neighbors, "seed": seed}
    if permutations:
        kept = cache.of(_tested, activations, labels, n_permutations=permutations, **settings)
        test = PermutationTest(**kept, n_permutations=permutations)
        return test.matrix, test.best_chance, test
    kept = cache.of(_estimated, activations, labels, estimator=estimator, **settings)
    return kept["matrix"], kept["chance"], None


def _tested(
    activations: FloatArray, labels: IntArray, *, n_permutations: int, n_classes: int, n_neighbors: int, seed: int
) -> Arrays:
    test = permutation_test(
        activations, labels, n_permutations=n_permutations, n_classes=n_classes, n_neighbors=n_neighbors, seed=seed
    )
    return {name: value for name, value in vars(test).items() if isinstance(value, np.ndarray)}


def _estimated(
    activations: FloatArray, labels: IntArray, *, estimator: Estimator, n_classes: int, n_neighbors: int, seed: int
) -> Arrays:
    matrix, chance = information_and_chance(
        activations,
        labels,
        n_permutations=chance_permutations(activations.shape[1]),
        n_classes=n_classes,
        n_neighbors=n_neighbors,
        seed=seed,
    )
    if estimator == "sklearn":
        matrix = by_scikit_learn(activations, labels, n_classes, n_neighbors, seed)
    return {"matrix": matrix, "chance": chance}


def by_scikit_learn(
    activations: FloatArray, labels: IntArray, n_classes: int, n_neighbors: int, seed: int
) -> FloatArray:
    """M (K, C), by one call per class, as in the authors' scripts."""
    from sklearn.feature_selection import mutual_info_classif

    columns = [
        mutual_info_classif(activations, labels == c, n_neighbors=n_neighbors, random_state=seed)
        for c in range(n_classes)
    ]
    return np.stack(columns, axis=1)
