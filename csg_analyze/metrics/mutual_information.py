"""Mutual information of every filter with every class, at a cost independent of the number of classes."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import joblib
import numpy as np
from numpy.typing import ArrayLike
from scipy.special import digamma

from csg_analyze.metrics.arrays import Arguments, FloatArray, IntArray
from csg_analyze.metrics.ross import information_of_filter


def mutual_information(
    activations: ArrayLike,
    labels: ArrayLike,
    *,
    n_classes: int | None = None,
    n_neighbors: int = 3,
    seed: int = 0,
    n_jobs: int | None = None,
) -> FloatArray:
    """The matrix M of Sec. 4.1: mutual information of filter k's activation with "the sample is of class c".

    M[k, c] is `sklearn.feature_selection.mutual_info_classif(activations, labels == c, n_neighbors=n_neighbors,
    random_state=seed)[k]` (Ross 2014) up to rounding, with negative estimates set to 0. A class without samples has 0;
    the single sample of a class is left out.

    Args:
        activations: (N, K), spatially averaged activations of K filters; any numeric dtype. An array, a tensor, a list
            or a frame of pandas; arrays are not copied.
        labels: (N,), integers in 0..n_classes-1.
        n_classes: C; by default the largest label + 1.
        n_neighbors: neighbours from which a density is estimated; fewer in a small class.
        seed: of the noise (1e-10 of the scale) that breaks ties, as scikit-learn's `random_state`.
        n_jobs: largest number of threads; None: all available cores. The result does not depend on it.

    Returns:
        (K, C) float64, in nats.

    Raises:
        ValueError: shapes that do not fit, no samples, NaN or infinite activations, labels out of range, or fewer
            than one neighbour.

    Needs O(K N (log N + n_neighbors)) time, and for ten filters or more less than twice the memory of the activations;
    for that, few filters use fewer threads.

    A filter that tells class 0 from the others, and one that tells nothing:

    >>> generator = np.random.default_rng(0)
    >>> labels = np.arange(300) % 3
    >>> activations = np.stack([generator.normal(3.0 * (labels == 0)), generator.normal(size=300)], axis=1)
    >>> matrix = mutual_information(activations, labels)
    >>> matrix.round(1)
    array([[0.5, 0.1, 0.1],
           [0. , 0. , 0. ]])
    >>> print(f"{mutual_information_score(matrix):.1f}")
    0.3
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
    activations: ArrayLike,
    labels: ArrayLike,
    *,
    n_permutations: int,
    n_classes: int | None = None,
    n_neighbors: int = 3,
    seed: int = 0,
    n_jobs: int | None = None,
) -> tuple[FloatArray, FloatArray]:
    """The matrix of `mutual_information`, and the chance level of each filter's best entry.

    The chance level of filter k is the mean of max_c M[k, c] over permuted labels; the p-th permutation is the p-th
    `numpy.random.default_rng((seed, k)).permutation(labels)`. Every filter has its own permutations, so that the chance
    level of MIS, the mean over the filters, has the same precision for similar filters as for others.

    Args:
        n_permutations: per filter; with 0 the chance levels are NaN. A permutation needs no sorting, and about .8 of
            the time of the matrix. The other arguments are as for `mutual_information`.

    Returns:
        (K, C) and (K,), float64, in nats.

    Raises:
        ValueError: as `mutual_information`, and for a negative number of permutations.
    """
    if n_permutations < 0:
        raise ValueError(f"n_permutations must be at least 0, not {n_permutations}.")
    return _of_arrays(
        *checked(activations, labels, n_classes, n_neighbors), n_permutations, n_neighbors=n_neighbors, seed=seed,
        n_jobs=n_jobs,
    )  # fmt: skip


def _of_arrays(
    activations: FloatArray,
    labels: IntArray,
    counts: IntArray,
    n_permutations: int,
    *,
    n_neighbors: int,
    seed: int,
    n_jobs: int | None,
) -> tuple[FloatArray, FloatArray]:
    """As `information_and_chance`, for what `checked` returns."""
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

    # not joblib's threads: they are polled every 10 ms, a large part of the time of a matrix
    with ThreadPoolExecutor(n_threads) as pool:
        for filters, noises in noise_in_blocks(activations.shape, seed, n_at_once):
            for k, (information, best) in zip(filters, pool.map(row, filters, noises), strict=True):
                matrix[k] = information
                if best:
                    chance[k] = np.mean(best)
    return matrix, chance


def mutual_information_score(matrix: ArrayLike) -> float:
    """MIS = mean_k max_c M[k, c], in nats: higher for filters that distinguish one class from the others.

    matrix: (K, C), of `mutual_information`.
    """
    matrix = Arguments().numbers("matrix", matrix, "K C")
    if not matrix.size:
        raise ValueError(f"a matrix of shape {matrix.shape} has no mutual information.")
    return float(matrix.max(axis=1).mean())


def chance_permutations(n_filters: int, most: int = 10) -> int:
    """Permutations per filter, at most `most`, for two digits of the chance level of MIS: 640 for all filters together.

    A filter's best entry under permuted labels has a standard deviation of .4 to .5 of its mean; the mean of 640 has
    one of 2 %.
    """
    return min(most, -(-640 // max(n_filters, 1)))


def threads_and_filters_at_once(
    activations: FloatArray, n_jobs: int | None, *, bytes_per_filter: int = 8, bytes_besides: int = 12
) -> tuple[int, int]:
    """The number of threads, and of filters in memory together, within twice the memory of the activations.

    bytes_per_filter, bytes_besides: memory per sample, for each filter in memory, and for everything else (labels and
    digamma table); a thread needs 20 more for its columns. A quarter of the room is left to the allocator, whose freed
    memory stays resident.
    """
    n_samples, n_filters = activations.shape
    room = int(1.5 * activations.nbytes / n_samples) - bytes_besides
    # n_jobs as in joblib (negative numbers, processor limits), except that None means all cores
    n_requested = joblib.effective_n_jobs(-1 if n_jobs is None else n_jobs)
    n_threads = max(1, min(n_requested, n_filters, room // (bytes_per_filter + 20)))
    return n_threads, max(n_threads, (room - 20 * n_threads) // bytes_per_filter)


def checked(
    activations: ArrayLike, labels: ArrayLike, n_classes: int | None, n_neighbors: int
) -> tuple[FloatArray, IntArray, IntArray]:
    """Activations (N, K), labels as int32 (N,), and the number of samples of each class (C,).

    Raises ValueError for unusable arguments.
    """
    given = Arguments()
    activations = given.numbers("activations", activations, "N K", finite=True)
    labels, n_classes = given.labels("labels", labels, "N", n_classes)
    if len(labels) == 0:
        raise ValueError("mutual information needs samples, and there are none.")
    if n_neighbors < 1:
        raise ValueError(f"n_neighbors must be at least 1, not {n_neighbors}.")
    labels = labels.astype(np.int32)
    return activations, labels, np.bincount(labels, minlength=n_classes)


def noise_in_blocks(shape: tuple[int, ...], seed: int, n_at_once: int) -> Iterator[tuple[range, FloatArray]]:
    """scikit-learn's tie-breaking noise for (N, K) activations, for a few filters at a time: (filters, N) float64.

    The noise is drawn sample by sample; at once it would need twice the memory of float32 activations. So every block
    draws all of it again and drops the other filters' part. The blocks share their memory: a block is valid, and may be
    written to, until the next one is requested.
    """
    n_samples, n_filters = shape
    bounds = np.linspace(0, n_filters, -(-n_filters // n_at_once) + 1).astype(int).tolist()
    memory = np.empty((max(np.diff(bounds), default=0), n_samples))
    n_drawn = max(1, 2**13 // max(n_filters, 1))
    for begin, end in pairwise(bounds):
        block = memory[: end - begin]
        generator = np.random.RandomState(seed)  # the legacy generator, as in scikit-learn
        for row in range(0, n_samples, n_drawn):
            drawn = generator.standard_normal((min(n_drawn, n_samples - row), n_filters))
            block[:, row : row + n_drawn] = drawn[:, begin:end].T
        yield range(begin, end), block


def sort_with_noise(activation: FloatArray, noise: FloatArray, order: IntArray) -> None:
    """Replace `noise` (N,) by the sorted noisy activation, and `order` (N,) by its sorting order.

    Scaling and noise are scikit-learn's to the last bit; otherwise ties would be sorted differently.
    """
    x = activation.astype(np.float64)
    deviation = np.std(x)
    if deviation >= 10 * np.finfo(np.float64).eps:
        x /= deviation
    noise *= 1e-10 * max(1.0, float(np.mean(np.abs(x))))
    x += noise
    order[:] = np.argsort(x)
    np.take(x, order, out=noise, mode="clip")  # the default mode would buffer the output
