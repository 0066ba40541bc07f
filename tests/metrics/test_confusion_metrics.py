from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from csg_analyze.metrics.ablation import CachedAblation
from csg_analyze.metrics.confusion import (
    confusion_matrix,
    highest_information,
    mean_activation,
    mean_recall,
    owned_by_any,
    recall,
    shares,
    strongest,
)


@given(st.integers(2, 6), st.integers(1, 60), st.integers(0, 2**16))
def test_matrix_and_recall_equal_scikit_learns(n_classes: int, n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels, predictions = rng.integers(0, n_classes, (2, n))
    expected = metrics.confusion_matrix(labels, predictions, labels=range(n_classes))
    np.testing.assert_array_equal(confusion_matrix(labels, predictions.astype(np.int32), n_classes), expected)
    found = recall(labels, np.stack([predictions, labels]), n_classes)
    for c in range(n_classes):
        own = labels == c
        if own.any():
            assert found[0, c] == pytest.approx(np.mean(predictions[own] == c))
            assert found[1, c] == 1
        else:
            assert np.isnan(found[:, c]).all()
    np.testing.assert_array_equal(recall(labels, predictions, n_classes), found[0])


def test_a_mean_over_classes_leaves_blank_ones_out() -> None:
    recalls = np.array([[1.0, np.nan, 0.5, 0.0]])
    every, none, blank = np.ones((1, 4), bool), np.zeros((1, 4), bool), np.array([[False, True, False, False]])
    assert mean_recall(recalls, every)[0] == 0.5
    assert np.isnan(mean_recall(recalls, none)[0])
    assert np.isnan(mean_recall(recalls, blank)[0])
    np.testing.assert_array_equal(shares(np.array([1, 2, 0]), np.array([2, 0, 5])), [0.5, np.nan, 0.0])


@given(st.integers(1, 30), st.floats(0.01, 1), st.integers(0, 2**16))
def test_the_strongest_filters_by_plain_sorting(n_filters: int, fraction: float, seed: int) -> None:
    scores = np.random.default_rng(seed).integers(0, 4, (3, n_filters)).astype(float)
    scores[1] = np.nan
    chosen = strongest(scores, fraction)
    count = max(1, round(fraction * n_filters))
    for row in (0, 2):
        order = sorted(range(n_filters), key=lambda k: (-scores[row, k], k))
        assert np.flatnonzero(chosen[row]).tolist() == sorted(order[:count])
    assert not chosen[1].any()


def test_the_filters_of_sets_of_classes_by_plain_loops() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 40)  # the fourth class has no images
    activations = rng.normal(size=(40, 7)).astype(np.float32)
    groups = np.array([[1, 0, 0, 0], [1, 0, 1, 0], [0, 0, 0, 1]], dtype=bool)
    means = mean_activation(activations, labels, groups)
    for k in range(7):
        assert means[0, k] == pytest.approx(np.mean([activations[i, k] for i in range(40) if labels[i] == 0]))
        assert means[1, k] == pytest.approx(np.mean([activations[i, k] for i in range(40) if labels[i] in (0, 2)]))
    assert np.isnan(means[2]).all()
    information = rng.random((7, 4))
    information[:, 3] = np.nan
    best = highest_information(information, groups)
    assert best[1].tolist() == [max(information[k, 0], information[k, 2]) for k in range(7)]
    assert np.isnan(best[2]).all()
    belongs = rng.random((4, 7)) > 0.5
    assert owned_by_any(belongs, groups)[1].tolist() == [belongs[0, k] or belongs[2, k] for k in range(7)]


def cached(n: int, n_filters: int, n_classes: int, seed: int = 0) -> CachedAblation:
    rng = np.random.default_rng(seed)
    activations = np.maximum(rng.normal(size=(n, n_filters)), 0).astype(np.float32)
    weight = rng.normal(size=(n_classes, n_filters)).astype(np.float32)
    bias = rng.normal(size=n_classes).astype(np.float32)
    return CachedAblation(activations, activations @ weight.T + bias, weight, bias, "made up")


@pytest.mark.parametrize("cells", [1, 40, 2**21])
@pytest.mark.parametrize("share", [0.0, 0.2, 0.8, 1.0])
def test_masked_logits_equal_a_masked_product(share: float, cells: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("csg_analyze.metrics.ablation.CELLS", cells)
    ablation = cached(23, 12, 5)
    rng = np.random.default_rng(1)
    keeps = rng.random((4, 12)) < share
    expected = np.einsum("nk,mk,ck->mnc", ablation.activations.astype(float), keeps, ablation.weight) + ablation.bias
    for keep, logits in zip(keeps, expected, strict=True):
        np.testing.assert_allclose(ablation.logits(keep), logits, atol=1e-5)
    np.testing.assert_array_equal(ablation.predictions(keeps), expected.argmax(-1))
    which = rng.integers(0, 3, 23)  # the last mask is nobody's
    np.testing.assert_array_equal(
        ablation.predictions_each(keeps, which), [expected[which[i], i].argmax() for i in range(23)]
    )


def test_the_remains_of_a_subtraction_decide_nothing() -> None:
    """Without its filters all logits of a class's images are 0: the first class wins, not the one with 1e-8 left."""
    rng = np.random.default_rng(0)
    labels = np.arange(3000) % 3
    owner = np.arange(30) % 3
    activations = (rng.random((3000, 30)) * (owner == labels[:, None])).astype(np.float32)
    weight = (rng.random((3, 30)) * (owner == np.arange(3)[:, None])).astype(np.float32)
    full = (activations.astype(float) @ weight.T.astype(float)).astype(np.float32)  # summed in another order
    ablation = CachedAblation(activations, full.copy(), weight, np.zeros(3, np.float32), "made up")
    (found,) = ablation.predictions((owner != 2)[None])
    assert (ablation.logits(owner != 2)[labels == 2] != 0).any()  # the trap is there
    np.testing.assert_array_equal(found, np.where(labels == 2, 0, labels))
    assert (full.argmax(1) == labels).all()
    np.testing.assert_array_equal(ablation.full, full)  # the full logits are never written to
