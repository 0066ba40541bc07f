"""Significance of a filter's mutual information: the same estimate under permuted labels."""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import repeat

import numpy as np
from scipy.special import digamma
from scipy.stats import false_discovery_control

from csg_analyze.metrics.arrays import BoolArray, FloatArray, IntArray
from csg_analyze.metrics.mutual_information import (
    checked,
    noise_in_blocks,
    sort_with_noise,
    threads_and_filters_at_once,
)
from csg_analyze.metrics.ross import information_of_filter

LABELINGS_AT_ONCE = 4  # labelings in memory together: enough work per task of a thread
INFORMATION_ROUNDING = 1e-12  # sums in another order must not make an equal estimate smaller


@dataclass(frozen=True)
class PermutationTest:
    """The mutual-information matrix, and its p-values under permuted labels.

    A p-value is (1 + number of permutations that reach the observed value) / (1 + n_permutations): valid for any number
    of permutations, and never 0. It is not corrected for the number of tests; see `adjusted_p_values`.
    """

    matrix: FloatArray
    """(K, C) observed mutual information, in nats."""
    p_values: FloatArray
    """(K, C), of every single entry; 1 for a class without samples."""
    best_p_values: FloatArray
    """(K,), of max_c M[k, c] against the maxima under permutation: corrected for the choice of the class."""
    best_chance: FloatArray
    """(K,), mean of the maxima under permutation, in nats: the chance level of max_c M[k, c]."""
    n_permutations: int


def permutation_test(
    activations: FloatArray,
    labels: IntArray,
    *,
    n_permutations: int,
    n_classes: int | None = None,
    n_neighbors: int = 3,
    seed: int = 0,
    n_jobs: int | None = None,
    progress: Callable[[float], None] | None = None,
) -> PermutationTest:
    """Mutual information of every filter with every class, and its p-values under permuted labels.

    The p-th labels are the p-th `numpy.random.default_rng(seed).permutation(labels)`, the same for all filters. All
    work that does not depend on the labels, above all sorting, is done once per filter, and no (P, K, C) array is kept.

    Args:
        activations: (N, K), as for `mutual_information`.
        labels: (N,), integers in 0..n_classes-1.
        n_permutations: P.
        n_classes: C; by default the largest label + 1.
        n_neighbors: neighbours from which a density is estimated.
        seed: of the tie-breaking noise and the permutations.
        n_jobs: largest number of threads; None: all available cores. The result does not depend on it.
        progress: called repeatedly with the share that is done, at the end with 1.

    Raises:
        ValueError: as `mutual_information`, and for fewer than one permutation.
    """
    if n_permutations < 1:
        raise ValueError(f"n_permutations must be at least 1, not {n_permutations}.")
    activations, labels, counts = checked(activations, labels, n_classes, n_neighbors)
    n_filters = activations.shape[1]
    matrix = np.empty((n_filters, len(counts)))
    reached = np.zeros((n_filters, len(counts)), np.int64)
    best_reached = np.zeros(n_filters, np.int64)
    best_sum = np.zeros(n_filters)
    fixed = (repeat(counts), repeat(n_neighbors), repeat(digamma(np.arange(len(labels) + 1.0))))
    n_threads, n_at_once = threads_and_filters_at_once(
        activations, n_jobs, bytes_per_filter=12, bytes_besides=12 + 4 * LABELINGS_AT_ONCE
    )

    orders = np.empty((min(n_at_once, n_filters), len(labels)), np.int32)
    labelings = np.empty((LABELINGS_AT_ONCE, len(labels)), np.int32)

    with ThreadPoolExecutor(n_threads) as pool:
        for filters, x in noise_in_blocks(activations.shape, seed, n_at_once):
            order = orders[: len(filters)]
            list(pool.map(sort_with_noise, activations.T[filters.start : filters.stop], x, order))
            observed = pool.map(information_of_filter, x, order, repeat(labels[None]), *fixed)
            for k, information in zip(filters, observed, strict=True):
                matrix[k] = information[0]
            generator = np.random.default_rng(seed)
            for done in range(0, n_permutations, LABELINGS_AT_ONCE):
                n_drawn = min(LABELINGS_AT_ONCE, n_permutations - done)
                for labeling in labelings[:n_drawn]:
                    labeling[:] = generator.permutation(labels)
                null = pool.map(information_of_filter, x, order, repeat(labelings[:n_drawn]), *fixed)
                for k, chance in zip(filters, null, strict=True):  # (n_drawn, C)
                    reached[k] += np.sum(chance >= matrix[k] - INFORMATION_ROUNDING, axis=0)
                    best = chance.max(axis=1)
                    best_reached[k] += np.sum(best >= matrix[k].max() - INFORMATION_ROUNDING)
                    best_sum[k] += best.sum()
                if progress is not None:
                    share = (done + n_drawn) / n_permutations
                    progress((filters.start + share * len(filters)) / n_filters)
    return PermutationTest(
        matrix,
        p_values=(1 + reached) / (1 + n_permutations),
        best_p_values=(1 + best_reached) / (1 + n_permutations),
        best_chance=best_sum / n_permutations,
        n_permutations=n_permutations,
    )


def adjusted_p_values(p_values: FloatArray, tested: BoolArray) -> FloatArray:
    """p-values adjusted for the number of tests (Benjamini and Hochberg 1995), (K,); NaN where `tested` (K,) is False.

    Tests with an adjusted value of at most q are significant at a false discovery rate of q, if the tests are
    independent or positively dependent, as for similar filters.
    """
    adjusted: FloatArray = np.full(len(p_values), np.nan)
    if tested.any():
        adjusted[tested] = false_discovery_control(p_values[tested], method="bh")
    return adjusted


def needed_permutations(n_tests: int, n_significant: int, rate: float) -> int:
    """Fewest permutations with which `n_significant` of `n_tests` tests can be significant at a false discovery rate.

    The smallest p-value of B permutations is 1 / (B + 1). By Benjamini and Hochberg, n_significant tests with this
    p-value are significant together if it is at most rate n_significant / n_tests.
    """
    return max(1, _ceil(n_tests / (rate * n_significant)) - 1)


def fewest_significant(n_tests: int, n_permutations: int, rate: float) -> int:
    """The number of tests that must have the smallest possible p-value for any of them to be significant."""
    return max(1, _ceil(n_tests / (rate * (n_permutations + 1))))


def _ceil(value: float) -> int:
    return math.ceil(value * (1 - INFORMATION_ROUNDING))  # 60 / .05 must not need 1,201
