from __future__ import annotations

import math

import numpy as np
from scipy.stats import norm
from sklearn.metrics import accuracy_score, recall_score

from csg_analyze.analyzers.accuracy import accuracy

NAMES = ("ant", "bee", "cat", "dog")


def wilson(successes: int, n: int) -> tuple[float, float]:
    """The interval as written in Wilson 1927."""
    z, p = norm.ppf(0.975), successes / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return centre - half, centre + half


def test_every_number_equals_scikit_learns_and_wilsons() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 200)
    predictions = np.where(rng.random(200) < 0.7, labels, rng.integers(0, 4, 200))
    result = accuracy(predictions, labels, NAMES, [f"s{i}" for i in range(200)])
    assert result.summary["accuracy"] == accuracy_score(labels, predictions)
    low, high = wilson(int((labels == predictions).sum()), 200)
    np.testing.assert_allclose([result.summary["accuracy_low"], result.summary["accuracy_high"]], [low, high])
    table = result.frame("per_class").set_index("class")
    recalls = recall_score(labels, predictions, average=None, labels=[0, 1, 2])
    np.testing.assert_allclose(table.loc[list(NAMES[:3]), "recall"], recalls)
    np.testing.assert_allclose(float(result.summary["mean_recall"]), recalls.mean())  # type: ignore[arg-type]
    for row in result.frame("per_class").itertuples():
        if row.n:
            np.testing.assert_allclose((row.low, row.high), wilson(row.correct, row.n))


def test_a_class_without_images_is_blank_not_zero() -> None:
    result = accuracy(np.array([0, 1, 2]), np.array([0, 1, 1]), NAMES, ["a", "b", "c"])
    table = result.frame("per_class").set_index("class")
    assert table.loc[["cat", "dog"], ["recall", "low", "high"]].isna().all().all()
    assert "cat, dog" in result.notes[0]
    assert result.summary["mean_recall"] == 0.75


def test_one_row_an_image_for_paired_tests() -> None:
    result = accuracy(np.array([0, 1, 2]), np.array([0, 1, 1]), NAMES, ["a", "b", "c"])
    assert result.samples is not None
    assert result.samples["sample_id"].tolist() == ["a", "b", "c"]
    assert result.samples["correct"].tolist() == [True, True, False]
    assert result.samples["prediction"].tolist() == ["ant", "bee", "cat"]
