from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score, roc_curve

from csg_analyze.analyzers.adversarial.detection import (
    SplitProtocol,
    fitting_sizes,
    rates,
    roc,
    sources_needed,
    split,
)
from csg_analyze.metrics.statistics import interval, resampled

PROTOCOLS: tuple[SplitProtocol, ...] = ("paired", "disjoint", "random", "paper")


def keys(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((2, n))


@given(st.sampled_from(PROTOCOLS), st.integers(2, 40), st.integers(2, 40), st.integers(0, 30), st.integers(0, 5))
def test_sides_are_of_the_asked_sizes_and_share_no_image(
    protocol: SplitProtocol, train: int, test: int, more: int, seed: int
) -> None:
    n = sources_needed(protocol, 2 * train, 2 * test) + more
    sides = split(protocol, keys(n, seed), train_size=2 * train, test_size=2 * test)
    assert len(sides.train_clean) == len(sides.train_adversarial) == train
    assert len(sides.test_clean) == len(sides.test_adversarial) == test
    assert not set(sides.train_clean) & set(sides.test_clean)
    assert not set(sides.train_adversarial) & set(sides.test_adversarial)
    train_sources = {*sides.train_clean, *sides.train_adversarial}
    test_sources = {*sides.test_clean, *sides.test_adversarial}
    if protocol in ("paired", "disjoint"):
        assert not train_sources & test_sources  # no source is on both sides
    if protocol == "paired":
        assert set(sides.train_clean) == set(sides.train_adversarial)
        assert set(sides.test_clean) == set(sides.test_adversarial)
    if protocol == "disjoint":
        assert not {*sides.train_clean, *sides.test_clean} & {*sides.train_adversarial, *sides.test_adversarial}


def test_the_protocols_by_hand() -> None:
    given_keys = np.array([[0.5, 0.1, 0.9, 0.3], [0.2, 0.8, 0.4, 0.6]])  # orders 1 3 0 2 and 0 2 3 1
    paired = split("paired", given_keys, train_size=4, test_size=4)
    assert [side.tolist() for side in (paired.test_clean, paired.train_clean)] == [[1, 3], [0, 2]]
    disjoint = split("disjoint", given_keys, train_size=2, test_size=2)
    assert [disjoint.test_clean.tolist(), disjoint.train_clean.tolist()] == [[1], [0]]
    assert [disjoint.test_adversarial.tolist(), disjoint.train_adversarial.tolist()] == [[3], [2]]
    for protocol in ("random", "paper"):
        dealt = split(protocol, given_keys, train_size=4, test_size=4)  # type: ignore[arg-type]
        assert [dealt.test_clean.tolist(), dealt.train_clean.tolist()] == [[1, 3], [0, 2]]
        assert [dealt.test_adversarial.tolist(), dealt.train_adversarial.tolist()] == [[0, 2], [3, 1]]


def test_a_random_split_leaks_and_a_paired_one_cannot() -> None:
    sides = split("random", keys(100), train_size=100, test_size=100)
    assert {*sides.train_clean} & {*sides.test_adversarial}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_smaller_training_sets_are_parts_of_larger_ones_and_tests_the_same(protocol: SplitProtocol) -> None:
    small, large = (split(protocol, keys(120), train_size=size, test_size=20) for size in (20, 80))
    assert set(small.train_clean) < set(large.train_clean)
    assert set(small.train_adversarial) < set(large.train_adversarial)
    assert small.test_clean.tolist() == large.test_clean.tolist()
    with pytest.raises(ValueError, match="too few"):
        split(protocol, keys(10), train_size=80, test_size=20)


def test_attacks_that_share_sources_share_their_sides() -> None:
    """Of two attacks on the same sources one fails twice; with keys of the sources the sides hardly move."""
    every = keys(60)
    whole = split("paired", every, train_size=60, test_size=40)
    left = np.delete(np.arange(60), [7, 31])
    fewer = split("paired", every[:, left], train_size=60, test_size=40)
    assert len(set(whole.test_clean) & set(left[fewer.test_clean])) >= 18


@given(st.sampled_from(PROTOCOLS), st.integers(25, 400), st.integers(2, 400), st.integers(2, 150))
def test_sizes_that_fit(protocol: SplitProtocol, n: int, train: int, test: int) -> None:
    sizes, test_size = fitting_sizes(protocol, n, train_sizes=(10, 2 * train), test_size=2 * test)
    assert test_size >= 2
    split(protocol, keys(n), train_size=max(sizes), test_size=test_size)
    if sources_needed(protocol, max(10, 2 * train), 2 * test) <= n // 4 * 4:
        assert (sizes, test_size) == ((10, 2 * train), 2 * test)


@given(st.integers(0, 1000), st.integers(2, 60), st.booleans())
def test_rates_are_scikit_learns(seed: int, n: int, ties: bool) -> None:
    rng = np.random.default_rng(seed)
    adversarial = np.arange(n) % 2 == 0
    scores = rng.random(n) * 0.7 + 0.3 * adversarial
    scores = scores.round(1) if ties else scores
    weights = np.vstack([np.ones(n), rng.integers(1, 4, n)]).astype(float)
    measured = rates(scores, adversarial, weights)
    for row, weight in enumerate(weights):
        alarms, hits, _ = roc_curve(adversarial, scores, sample_weight=weight, drop_intermediate=False)
        assert measured.auroc[row] == pytest.approx(roc_auc_score(adversarial, scores, sample_weight=weight))
        assert measured.tpr[row] == pytest.approx(hits[alarms <= 0.05 + 1e-12].max())
        wrong = sum(w for w, s, a in zip(weight, scores, adversarial, strict=True) if (s > 0.5) != a)
        assert measured.error[row] == pytest.approx(wrong / weight.sum())
    grid = np.linspace(0, 1, 11)
    alarms, hits, _ = roc_curve(adversarial, scores, drop_intermediate=False)
    highest = [hits[alarms == x].max() for x in np.unique(alarms)]
    np.testing.assert_allclose(roc(scores, adversarial, grid), np.interp(grid, np.unique(alarms), highest))


def test_resampling_an_image_counts_it_as_often_as_it_is_drawn() -> None:
    rng = np.random.default_rng(0)
    scores, adversarial = rng.random(30), rng.random(30) > 0.4
    (weights,) = resampled(30, resamples=1, seed=3)
    repeated = np.repeat(np.arange(30), weights.astype(int))
    measured, plain = rates(scores, adversarial, weights[None]), rates(scores[repeated], adversarial[repeated])
    np.testing.assert_allclose([measured.error, measured.auroc, measured.tpr], [plain.error, plain.auroc, plain.tpr])


def test_a_resample_without_one_kind_is_undefined() -> None:
    measured = rates(np.array([0.1, 0.9]), np.array([False, True]), np.array([[2.0, 0.0], [1.0, 1.0]]))
    assert np.isnan(measured.auroc).tolist() == [True, False]
    assert np.isnan(measured.tpr).tolist() == [True, False]
    assert interval(measured.auroc) == (1.0, 1.0)
    assert np.isnan(interval(np.array([np.nan]))).all()
