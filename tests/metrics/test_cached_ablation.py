from __future__ import annotations

import numpy as np
import pytest

from csg_analyze.metrics.ablation import CachedAblation


def cached(n: int, n_filters: int, n_classes: int, seed: int = 0) -> CachedAblation:
    rng = np.random.default_rng(seed)
    activations = np.maximum(rng.normal(size=(n, n_filters)), 0).astype(np.float32)
    weight = rng.normal(size=(n_classes, n_filters)).astype(np.float32)
    bias = rng.normal(size=n_classes).astype(np.float32)
    return CachedAblation(activations, activations @ weight.T + bias, weight, bias, "made up")


@pytest.mark.parametrize("cells", [1, 40, 2**21])
@pytest.mark.parametrize("share", [0.0, 0.2, 0.8, 1.0])
def test_masked_logits_equal_a_masked_product(share: float, cells: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("csg_analyze.metrics.ablation.LOGITS_AT_ONCE", cells)
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
    (predicted,) = ablation.predictions((owner != 2)[None])
    assert (ablation.logits(owner != 2)[labels == 2] != 0).any()  # the trap is there
    np.testing.assert_array_equal(predicted, np.where(labels == 2, 0, labels))
    assert (full.argmax(1) == labels).all()
    np.testing.assert_array_equal(ablation.full, full)  # the full logits are never written to
