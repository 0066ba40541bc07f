"""The fast matrix against scikit-learn, and against the definition written out in loops."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.special import digamma
from sklearn.feature_selection import mutual_info_classif
from sklearn.preprocessing import scale

from csg_analyze.metrics.arrays import FloatArray, IntArray
from csg_analyze.metrics.mutual_information import (
    chance_permutations,
    information_and_chance,
    mutual_information,
    noise_in_blocks,
)
from csg_analyze.metrics.ross import information_of_filter


def activations_of_all_kinds(labels: IntArray, seed: int) -> FloatArray:
    """(N, 9): continuous, ReLU, dead, constant, badly scaled, discrete and informative filters."""
    generator = np.random.default_rng(seed)
    activations = generator.normal(size=(len(labels), 9)) + 0.3 * labels[:, None]
    activations[:, 1] = np.maximum(activations[:, 1], 0.0)
    activations[:, 2] = 0.0
    activations[:, 3] = 5.0
    activations[:, 4] = 1000.1  # its standard deviation is rounding, and is divided by all the same
    activations[:, 5] = np.round(activations[:, 5])
    activations[:, 6] = 1e6 + 1e-3 * activations[:, 6]
    activations[:, 7] = labels
    return activations


def by_scikit_learn(activations: FloatArray, labels: IntArray, n_neighbors: int, seed: int) -> FloatArray:
    columns = [
        mutual_info_classif(activations, labels == c, n_neighbors=n_neighbors, random_state=seed)
        for c in range(labels.max() + 1)
    ]
    return np.stack(columns, axis=1)


def by_definition(x: FloatArray, of_class: list[bool], n_neighbors: int) -> float:
    """Ross' estimate of one entry, sample by sample; `x` carries its noise already."""
    if not any(of_class):
        return 0.0
    alike = [of_class.count(label) for label in of_class]
    counted = [i for i in range(len(x)) if alike[i] > 1]
    if not counted:
        return 0.0
    total = 0.0
    for i in counted:
        same_label = sorted(abs(x[i] - x[j]) for j in counted if j != i and of_class[j] == of_class[i])
        k = min(n_neighbors, alike[i] - 1)
        within = np.nextafter(same_label[k - 1], 0.0)
        m = sum(abs(x[i] - x[j]) <= within for j in counted)
        total += digamma(k) - digamma(alike[i]) - digamma(m)
    return max(0.0, float(digamma(len(counted)) + total / len(counted)))


def with_noise(activations: FloatArray, seed: int) -> FloatArray:
    x = scale(activations.astype(np.float64)[:, np.arange(activations.shape[1])], with_mean=False)
    noise = np.random.RandomState(seed).standard_normal(x.shape)
    return np.asarray(x + 1e-10 * np.maximum(1, np.mean(np.abs(x), axis=0)) * noise)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("seed", "n_neighbors"), [(0, 3), (1, 1), (7, 6)])
def test_equals_scikit_learn(dtype: type[np.floating], seed: int, n_neighbors: int) -> None:
    # From 2k+2 samples a class: below, scikit-learn's brute-force distances let a sample be its own neighbour.
    labels = np.random.default_rng(seed).permutation(np.repeat([0, 1, 2, 3], [14, 30, 150, 206]))
    activations = activations_of_all_kinds(labels, seed).astype(dtype)
    matrix = mutual_information(activations, labels, n_neighbors=n_neighbors, seed=seed)
    expected = by_scikit_learn(activations, labels, n_neighbors, seed)
    assert matrix.dtype == np.float64
    assert expected[7].min() > 0.1
    np.testing.assert_allclose(matrix, expected, rtol=0, atol=1e-12)


def test_equals_scikit_learn_with_many_classes_in_clusters() -> None:
    """Classes that fill whole stretches of a filter: the walk past them is long."""
    labels = np.repeat(np.arange(25), 12)
    activations = labels[:, None] + np.random.default_rng(0).normal(size=(300, 3)) * [0.01, 1.0, 30.0]
    expected = by_scikit_learn(activations, labels, 3, 0)
    np.testing.assert_allclose(mutual_information(activations, labels), expected, rtol=0, atol=1e-12)


@given(
    labels=hnp.arrays(np.int64, st.integers(1, 14), elements=st.integers(0, 4)),
    n_neighbors=st.integers(1, 6),
    seed=st.integers(0, 9),
)
@settings(max_examples=60, deadline=None)
def test_tiny_classes_follow_the_definition(labels: IntArray, n_neighbors: int, seed: int) -> None:
    activations = activations_of_all_kinds(labels, seed)
    x = with_noise(activations, seed)
    matrix = mutual_information(activations, labels, n_classes=6, n_neighbors=n_neighbors, seed=seed, n_jobs=1)
    expected = [
        [by_definition(x[:, k], (labels == c).tolist(), n_neighbors) for c in range(6)] for k in range(x.shape[1])
    ]
    np.testing.assert_allclose(matrix, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("n_samples", [0, 1, 2, 3])
@pytest.mark.parametrize("n_others", [1, 2, 3, 40])
def test_a_class_of_few_samples_beside_any_rest(n_samples: int, n_others: int) -> None:
    labels = np.repeat([1, 0], [n_samples, n_others])
    activations = activations_of_all_kinds(labels, seed=3)
    x = with_noise(activations, seed=3)
    expected = [[by_definition(column, (labels == c).tolist(), 3) for c in (0, 1)] for column in x.T]
    np.testing.assert_allclose(
        mutual_information(activations, labels, n_classes=2, seed=3), expected, rtol=0, atol=1e-12
    )


def row_of_values(values: FloatArray, labels: IntArray, n_neighbors: int) -> FloatArray:
    """The compiled estimate of values as they are, without noise."""
    order = np.argsort(values).astype(np.int32)
    counts, psi = np.bincount(labels, minlength=4), digamma(np.arange(len(labels) + 1.0))
    one = labels.astype(np.int32)[None]
    return np.asarray(information_of_filter(values[order], order, one, counts, n_neighbors, psi)[0])


@given(
    data=hnp.arrays(np.int64, st.tuples(st.integers(2, 30), st.just(2)), elements=st.integers(0, 3)),
    n_neighbors=st.integers(1, 5),
)
@example(data=np.array([[2, 0], *[[2, 1]] * 6, *[[0, 1]] * 3, [1, 1]]), n_neighbors=5)
@example(data=np.array([*[[2, 1]] * 6, [2, 0], *[[0, 1]] * 3, [1, 1]]), n_neighbors=5)
@settings(max_examples=60, deadline=None)
def test_exact_duplicates(data: IntArray, n_neighbors: int) -> None:
    """Values that no noise tells apart, as may be left where it amounts to a few ulps."""
    values, labels = data[:, 0].astype(np.float64), data[:, 1]
    expected = [by_definition(values, (labels == c).tolist(), n_neighbors) for c in range(4)]
    np.testing.assert_allclose(row_of_values(values, labels, n_neighbors), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("lone", [0, 5, 11])
@pytest.mark.parametrize("n_neighbors", [1, 2, 3])
def test_equal_distances_and_a_class_of_one_sample(lone: int, n_neighbors: int) -> None:
    """Equal distances leave fewer than k samples strictly nearer, and the estimate of the lone class above 0."""
    values = np.arange(12.0)
    labels = np.where(values == lone, 1, 0)
    expected = [by_definition(values, (labels == c).tolist(), n_neighbors) for c in range(4)]
    assert expected[1] > 0
    np.testing.assert_allclose(row_of_values(values, labels, n_neighbors), expected, rtol=0, atol=1e-12)


@given(st.permutations(range(4)), st.integers(0, 100))
@settings(max_examples=20, deadline=None)
def test_relabelling_classes_permutes_columns(renamed: list[int], seed: int) -> None:
    labels = np.random.default_rng(seed).integers(0, 4, 50)
    activations = activations_of_all_kinds(labels, seed)
    matrix = mutual_information(activations, labels, n_classes=4, n_jobs=1)
    relabelled = mutual_information(activations, np.array(renamed)[labels], n_classes=4, n_jobs=1)
    np.testing.assert_allclose(relabelled[:, renamed], matrix, rtol=0, atol=1e-12)
    assert (matrix >= 0).all()


@given(st.integers(1, 5), st.sampled_from([np.float16, np.float32, np.float64]))
@settings(max_examples=15, deadline=None)
def test_threads_and_layout_do_not_matter(n_jobs: int, dtype: type[np.floating]) -> None:
    labels = np.random.default_rng(0).integers(0, 3, 200)
    activations = activations_of_all_kinds(labels, 0)
    activations[:, [4, 6]] = 0.0  # not in the range of float16
    activations = activations.astype(dtype)
    matrix = mutual_information(activations, labels, n_jobs=1)
    threaded = mutual_information(np.asfortranarray(activations), labels.astype(np.uint8), n_jobs=n_jobs)
    np.testing.assert_array_equal(threaded, matrix)


def test_the_seed_decides_between_ties_only() -> None:
    labels = np.random.default_rng(0).integers(0, 3, 200)
    activations = activations_of_all_kinds(labels, 0)
    difference = np.abs(
        mutual_information(activations, labels, seed=1) - mutual_information(activations, labels, seed=2)
    ).max(axis=1)
    assert (difference[[1, 5]] > 1e-6).all()
    assert (difference[[0, 8]] < 1e-6).all()


def test_chance_by_a_loop_over_permuted_labels() -> None:
    labels = np.random.default_rng(0).integers(0, 3, 150)
    activations = activations_of_all_kinds(labels, 0)
    matrix, chance = information_and_chance(activations, labels, n_permutations=4, n_neighbors=2, seed=7)
    np.testing.assert_array_equal(matrix, mutual_information(activations, labels, n_neighbors=2, seed=7))
    for k in range(activations.shape[1]):
        generator = np.random.default_rng((7, k))
        permuted = [generator.permutation(labels) for _ in range(4)]
        best = [max(mutual_information(activations, each, n_neighbors=2, seed=7)[k]) for each in permuted]
        assert chance[k] == pytest.approx(sum(best) / 4, abs=1e-12)
    assert max(by_scikit_learn(activations, permuted[-1], 2, 7)[k]) == pytest.approx(best[-1], abs=1e-12)


@given(st.integers(1, 5), st.integers(1, 9))
@settings(max_examples=15)
def test_chance_depends_neither_on_threads_nor_on_the_other_filters(n_jobs: int, n_filters: int) -> None:
    labels = np.random.default_rng(0).integers(0, 3, 100)
    activations = np.random.default_rng(1).normal(size=(100, 9))
    chance = information_and_chance(activations, labels, n_permutations=3, n_jobs=1)[1]
    some = information_and_chance(activations[:, :n_filters], labels, n_permutations=3, n_jobs=n_jobs)[1]
    np.testing.assert_allclose(some, chance[:n_filters], atol=1e-6)  # the tie-breaking noise is drawn row by row
    np.testing.assert_array_equal(
        information_and_chance(activations, labels, n_permutations=3, n_jobs=n_jobs)[1], chance
    )


@pytest.mark.parametrize(
    ("n", "n_filters", "n_classes", "expected"),
    [(10_000, 64, 10, 0.0043), (850, 64, 6, 0.0157), (200, 64, 6, 0.0322), (60, 2048, 12, 0.0605)],
)
def test_pure_noise_has_an_mis_of_chance_and_no_more(n: int, n_filters: int, n_classes: int, expected: float) -> None:
    """`expected`: means over many sets of labels, of which a single one makes the score swing by some 6 %."""
    generator = np.random.default_rng(1)
    activations, labels = generator.normal(size=(n, n_filters)), np.arange(n) % n_classes
    n_permutations = chance_permutations(n_filters)
    matrix, chance = information_and_chance(activations, labels, n_permutations=n_permutations)
    assert chance.mean() == pytest.approx(expected, rel=0.06)
    assert matrix.max(axis=1).mean() == pytest.approx(chance.mean(), rel=0.2)


def test_permutations_for_two_digits() -> None:
    assert [chance_permutations(k) for k in (1, 64, 65, 320, 640, 2048)] == [10, 10, 10, 2, 1, 1]
    assert chance_permutations(64, most=4) == 4
    with pytest.raises(ValueError, match="at least 0, not -1"):
        information_and_chance(np.zeros((3, 1)), np.array([0, 1, 0]), n_permutations=-1)


@pytest.mark.parametrize("n_at_once", [1, 5, 13, 40])
def test_noise_in_blocks_is_drawn_as_in_one_piece(n_at_once: int) -> None:
    whole = np.asarray(np.random.RandomState(5).standard_normal((3000, 13)))
    seen: list[int] = []
    for filters, noise in noise_in_blocks((3000, 13), 5, n_at_once):
        assert len(filters) <= n_at_once
        np.testing.assert_array_equal(noise, whole[:, list(filters)].T)
        seen += filters
        noise[:] = np.nan  # callers overwrite it
    assert seen == list(range(13))


def test_memory_stays_below_twice_the_activations() -> None:
    labels = np.arange(10_000) % 10
    activations = np.random.default_rng(0).normal(size=(10_000, 64)).astype(np.float32)
    mutual_information(activations[:50], labels[:50])  # compiled by now
    tracemalloc.start()
    information_and_chance(activations, labels, n_permutations=2, n_jobs=2)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    in_compiled_code = 2 * 16 * len(labels)  # which tracemalloc does not see
    assert peak + in_compiled_code < 2 * activations.nbytes


@pytest.mark.parametrize(
    ("activations", "labels", "options", "message"),
    [
        (np.zeros(3), np.zeros(3, int), {}, r"must be \(N, K\)"),
        (np.zeros((3, 2)), np.zeros((3, 1), int), {}, r"labels \(N,\)"),
        (np.zeros((3, 2)), np.zeros(4, int), {}, "3 rows of activations but 4 labels"),
        (np.zeros((0, 2)), np.zeros(0, int), {}, "there are none"),
        (np.full((3, 2), np.nan), np.zeros(3, int), {}, "NaN or infinite"),
        (np.full((3, 2), -np.inf), np.zeros(3, int), {}, "NaN or infinite"),
        (np.zeros((3, 2)), np.array([0, 1, -1]), {}, "run from -1 to 1"),
        (np.zeros((3, 2)), np.array([0, 1, 2]), {"n_classes": 2}, r"must lie in 0\.\.1"),
        (np.zeros((3, 2)), np.zeros(3), {}, "must be integers"),
        (np.zeros((3, 2)), np.zeros(3, int), {"n_neighbors": 0}, "at least 1, not 0"),
    ],
)
def test_what_cannot_be_estimated_is_refused(
    activations: FloatArray, labels: IntArray, options: dict[str, int], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        mutual_information(
            activations, labels, n_classes=options.get("n_classes"), n_neighbors=options.get("n_neighbors", 3)
        )
