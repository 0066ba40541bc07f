from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from csg_analyze.metrics.chance import chance_level, near_chance


def answers(labels: np.ndarray, right: float, n_classes: int) -> np.ndarray:
    """Answers of which a share is right, the others one class too far."""
    n_right = round(right * len(labels))
    return np.where(np.arange(len(labels)) < n_right, labels, (labels + 1) % n_classes)


def test_the_chance_level_is_that_of_cohens_kappa() -> None:
    rng = np.random.default_rng(0)
    labels, predictions = rng.choice(4, 500, p=[0.6, 0.2, 0.1, 0.1]), rng.choice(4, 500, p=[0.7, 0.1, 0.1, 0.1])
    chance = chance_level(predictions, labels, 4)
    accuracy = (predictions == labels).mean()
    assert (accuracy - chance) / (1 - chance) == pytest.approx(cohen_kappa_score(labels, predictions))


@pytest.mark.parametrize(
    ("n", "n_classes", "right", "near"),
    [
        (1000, 10, 0.11, True),
        (1000, 10, 0.02, True),  # below
        (1000, 10, 0.14, True),
        (1000, 10, 0.25, False),
        (1000, 2, 0.52, True),
        (1000, 2, 0.05, True),  # two classes exchanged
        (1000, 2, 0.65, False),
        (10_000, 1000, 0.001, True),
        (10_000, 1000, 0.02, False),  # a weak network, but one that knows something
        (10_000, 100, 0.05, False),
    ],
)
def test_what_is_near_chance(n: int, n_classes: int, right: float, near: bool) -> None:
    labels = np.random.default_rng(0).permutation(np.arange(n) % n_classes)
    found = near_chance(answers(labels, right, n_classes), labels, n_classes)
    assert (found is not None) == near
    if found is not None:
        assert found.certain
        assert found.accuracy == right
        assert found.low <= right <= found.high
        assert found.chance == pytest.approx(1 / n_classes, abs=1e-3)


def test_the_most_frequent_class_is_no_skill() -> None:
    labels = np.repeat([0, 1], [900, 100])
    always = np.zeros(1000, dtype=int)
    found = near_chance(always, labels, 2)
    assert found is not None
    assert (found.accuracy, found.chance) == (0.9, 0.9)
    skilled = np.where(np.arange(1000) < 970, labels, 0)
    assert near_chance(skilled, labels, 2) is None


def test_images_of_one_class_or_of_few_classes() -> None:
    labels = np.full(200, 7)
    assert near_chance(np.where(np.arange(200) < 160, 7, 3), labels, 1000) is None
    few = np.repeat([7, 8], 100)
    assert near_chance(np.where(np.arange(200) % 5 > 0, few, 3), few, 1000) is None


def test_too_few_images_are_not_called_wrong() -> None:
    labels = np.arange(12) % 3
    found = near_chance(answers(labels, 0.5, 3), labels, 3)
    assert found is not None
    assert not found.certain
    assert near_chance(labels, labels, 3) is None
