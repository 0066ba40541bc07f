"""Mutual information of every filter with every class, at a cost that does not grow with the number of classes."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import joblib
import numpy as np
from scipy.special import digamma

from csg_analyze.metrics.arrays import FloatArray, IntArray
from csg_analyze.metrics.ross import information_of_filter


def mutual_information(
    activations: FloatArray,
    labels: IntArray,
    *,
    n_classes: int | None = None,
    n_neighbors: int = 3,
    seed: int = 0,
    n_jobs: int | None = None,
) -> FloatArray:
    """The matrix M of Sec. 4.1: mutual information of filter k's activation with "the sample is of class c".

    M[k, c] is `sklearn.feature_selection.mutual_info_classif(activations, labels == c, n_neighbors=n_neighbors,
    random_state=seed)[k]` (Ross 2014) to rounding, negative estimates set to 0. A class without samples has 0, and a
    class of one sample leaves that sample out.

    Args:
        activations: (N, K), spatially averaged activations of K filters; any numeric dtype.
        labels: (N,), integers in 0..n_classes-1.
        n_classes: C; by default the largest label + 1.
        n_neighbors: neighbours a density is estimated from; fewer in a class that has fewer.
        seed: of the noise (1e-10 of the scale) that breaks ties, as scikit-learn's `random_state`.
        n_jobs: threads at most; None takes every available core. The result does not depend on it.

    Returns:
        (K, C) float64, in nats.

    Raises:
        ValueError: shapes that do not fit, no samples, NaN or infinite activations, labels out of range, or fewer
            than one neighbour.

    Takes O(K N (log N + n_neighbors)) time, and from about ten filters on less than twice the activations' memory,
    for which the number of threads is kept down where there are few filters.
    """
    return information_and_chance(
        activations,
        labels,
        n_permutations=0,
        n_classes=n_classes,
        n_neighbors=n_neighbors,
        seed=seed,
        n_jobs=n_jobs,
    )[0]


def information_and_chance(
    activations: FloatArray,
    labels: IntArray,
    *,
    n_permutations: int,
    n_classes: int | None = None,
    n_neighbors: int = 3,
    seed: int = 0,
    n_jobs: int | None = None,
) -> tuple[FloatArray, FloatArray]:
    """The matrix of `mutual_information`, and what chance alone makes of each filter's best entry.

    The chance level of filter k is the mean of max_c M[k, c] over permuted labels, the p-th of them being the p-th
    `numpy.random.default_rng((seed, k)).permutation(labels)`. Every filter has permutations of its own: then the
    mean over the filters, the chance level of MIS, is as certain for filters that are alike as for others.

    Args:
        n_permutations: a filter; none leaves the chance levels NaN. A permutation takes no sorting: about .8 of the
            time of the matrix. The others as for `mutual_information`.

    Returns:
        (K, C) and (K,), float64, in nats.

    Raises:
        ValueError: as `mutual_information`, and for a negative number of permutations.
    """
    if n_permutations < 0:
        raise ValueError(f"n_permutations must be at least 0, not {n_permutations}.")
    labels, counts = checked(activations, labels, n_classes, n_neighbors)
    matrix = np.empty((activations.shape[1], len(counts)))
    chance = np.full(activations.shape[1], np.nan)
    psi = digamma(np.arange(len(labels) + 1.0))
    n_threads, n_at_once = threads_and_filters_at_once(activations, n_jobs)

    def row(k: int, noise: FloatArray) -> tuple[FloatArray, list[float]]:
        order = np.empty(len(labels), np.int32)
        sort_with_noise(activations[:, k], noise, order)

        def information(labeling: IntArray) -> FloatArray:
            row_of_matrix: FloatArray = information_of_filter(noise, order, labeling[None], counts, n_neighbors, psi)[0]
            return row_of_matrix

        generator = np.random.default_rng((seed, k))
        return information(labels), [information(generator.permutation(labels)).max() for _ in range(n_permutations)]

    # A plain pool: joblib's own threads are polled every 10 ms, much of what a whole matrix takes.
    with ThreadPoolExecutor(n_threads) as pool:
        for filters, noises in noise_in_blocks(activations.shape, seed, n_at_once):
            for k, (information, best) in zip(filters, pool.map(row, filters, noises), strict=True):
                matrix[k] = information
                if best:
                    chance[k] = np.mean(best)
    return matrix, chance


def mutual_information_score(matrix: FloatArray) -> float:
    """MIS = mean_k max_c M[k, c], in nats: higher means filters that tell one class from the rest."""
    return float(matrix.max(axis=1).mean())


def chance_permutations(n_filters: int, most: int = 10) -> int:
    """Permutations a filter that give the chance level of MIS two digits, at most `most`: 640 for all filters together.

    A filter's best entry under permuted labels has a standard deviation of .4 to .5 of its mean, so that the mean of
    640 of them has one of 2 %.
    """
    return min(most, -(-640 // max(n_filters, 1)))


def threads_and_filters_at_once(
    activations: FloatArray, n_jobs: int | None, *, bytes_a_filter: int = 8, bytes_besides: int = 12
) -> tuple[int, int]:
    """As many threads as asked for, and filters in memory together, as twice the activations' memory has room for.

    In bytes a sample: what a filter keeps, what is there besides (labels and digamma table), and 20 a thread for the
    columns it works on. A quarter of the room is left to the allocator, whose freed pieces stay resident.
    """
    n_samples, n_filters = activations.shape
    room = int(1.5 * activations.nbytes / n_samples) - bytes_besides
    # joblib's reading of n_jobs (negative numbers, processor limits), except that None is every core
    n_wanted = joblib.effective_n_jobs(-1 if n_jobs is None else n_jobs)
    n_threads = max(1, min(n_wanted, n_filters, room // (bytes_a_filter + 20)))
    return n_threads, max(n_threads, (room - 20 * n_threads) // bytes_a_filter)


def checked(
    activations: FloatArray, labels: IntArray, n_classes: int | None, n_neighbors: int
) -> tuple[IntArray, IntArray]:
    """The labels as int32 and the number of samples of each class (C,); ValueError for what cannot be estimated."""
    if activations.ndim != 2 or labels.ndim != 1:
        raise ValueError(f"activations must be (N, K) and labels (N,), not {activations.shape} and {labels.shape}.")
    if len(activations) != len(labels):
        raise ValueError(f"there are {len(activations)} rows of activations but {len(labels)} labels.")
    if len(labels) == 0:
        raise ValueError("mutual information needs samples, and there are none.")
    if n_neighbors < 1:
        raise ValueError(f"n_neighbors must be at least 1, not {n_neighbors}.")
    if not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(f"labels must be integers, not {labels.dtype}.")
    n_classes = int(labels.max()) + 1 if n_classes is None else n_classes
    if labels.min() < 0 or labels.max() >= n_classes:
        raise ValueError(f"labels run from {labels.min()} to {labels.max()}, but must lie in 0..{n_classes - 1}.")
    with np.errstate(over="ignore", invalid="ignore"):
        total = np.sum(activations, dtype=np.float64)  # takes no memory; only what overflows needs a second look
    if not np.isfinite(total) and not np.isfinite(activations).all():
        raise ValueError("activations hold NaN or infinite values; mutual information needs finite ones.")
    labels = labels.astype(np.int32)
    return labels, np.bincount(labels, minlength=n_classes)


def noise_in_blocks(shape: tuple[int, ...], seed: int, n_at_once: int) -> Iterator[tuple[range, FloatArray]]:
    """scikit-learn's tie-breaking noise for (N, K) activations, for a few filters at a time: (filters, N) float64.

    It is drawn sample by sample, and in one piece would take twice the memory of float32 activations. So every block
    draws all of it again and drops the other filters' part. The blocks share their memory: one is gone once the next
    is asked for, and may be written to until then.
    """
    n_samples, n_filters = shape
    bounds = np.linspace(0, n_filters, -(-n_filters // n_at_once) + 1).astype(int).tolist()
    memory = np.empty((max(np.diff(bounds), default=0), n_samples))
    n_drawn = max(1, 2**13 // max(n_filters, 1))
    for begin, end in pairwise(bounds):
        block = memory[: end - begin]
        generator = np.random.RandomState(seed)  # the legacy one: the draws are scikit-learn's
        for row in range(0, n_samples, n_drawn):
            drawn = generator.standard_normal((min(n_drawn, n_samples - row), n_filters))
            block[:, row : row + n_drawn] = drawn[:, begin:end].T
        yield range(begin, end), block


def sort_with_noise(activation: FloatArray, noise: FloatArray, order: IntArray) -> None:
    """Replace `noise` (N,) by the sorted activation that carries it, and `order` (N,) by the order that sorted it.

    Scaling and noise are scikit-learn's to the last bit, or values with ties would sort differently.
    """
    x = activation.astype(np.float64)
    deviation = np.std(x)
    if deviation >= 10 * np.finfo(np.float64).eps:
        x /= deviation
    noise *= 1e-10 * max(1.0, float(np.mean(np.abs(x))))
    x += noise
    order[:] = np.argsort(x)
    np.take(x, order, out=noise, mode="clip")  # the default mode would buffer the output
