"""Intervals where nothing went wrong, and their coverage where little did."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.ensemble import RandomForestClassifier

from csg_analyze.analyzers.adversarial.detection import auroc_interval, rates
from csg_analyze.analyzers.adversarial.limits import transfer_matrix
from csg_analyze.analyzers.adversarial.study import Pool, detection_rows, train_and_test
from csg_analyze.metrics.statistics import largest_unseen, resampled
from csg_analyze.report.writing import long_form

STUDIES, RESAMPLES = 300, 150


def test_an_auroc_of_one_is_not_for_sure() -> None:
    low, high = auroc_interval(1.0, np.ones(50), 50)
    assert (low, high) == (pytest.approx(1 - 2 * (1 - 0.025**0.02)), 1.0)
    assert np.isnan(auroc_interval(float("nan"), np.ones(5), 50)).all()
    low, high = auroc_interval(0.9, np.random.default_rng(0).normal(0.9, 0.03, 1000), 60)
    assert 0 < low < 0.84 < 0.94 < high < 1


@pytest.mark.parametrize(("auroc", "n"), [(a, n) for n in (50, 100) for a in (0.7, 0.9, 0.97)])
def test_the_interval_of_an_auroc_covers_what_it_says(auroc: float, n: int) -> None:
    """Simulated studies: a clean and an adversarial image a source, whose scores go together."""
    rng = np.random.default_rng(int(1000 * auroc) + n)
    shift = np.sqrt(2) * norm.ppf(auroc)
    kinds = np.repeat([False, True], n)
    weights = resampled(n, resamples=RESAMPLES, seed=1)
    both = np.hstack([weights, weights])
    covered = 0
    for _ in range(STUDIES):
        common, own = rng.normal(size=n), rng.normal(size=(2, n))
        clean, adversarial = np.sqrt(0.5) * (common + own) + np.array([[0.0], [shift]])
        scores = np.concatenate([clean, adversarial])
        low, high = auroc_interval(float(rates(scores, kinds).auroc[0]), rates(scores, kinds, both).auroc, n)
        covered += low <= auroc <= high
    assert 0.93 <= covered / STUDIES <= 0.985


def test_a_study_without_an_error_has_an_interval() -> None:
    n = 60
    rng = np.random.default_rng(0)
    clean = rng.normal(size=(n, 3))
    pool = Pool(
        np.arange(n), clean, clean + 50, clean + 0.01, rng.random((2, 2, n)), {"layer": 3}
    )  # fmt: skip
    make = partial(RandomForestClassifier, n_estimators=5)
    study = train_and_test(pool, make, protocol="paired", negatives="clean", sizes=(20,), test_size=40, seed=0)
    judged = len({*study.trials[0][0].split.test_clean, *study.trials[0][1].split.test_clean})
    (row,) = detection_rows("pgd", study, (20,))
    assert row["error_percent"] == 0
    assert (row["error_percent_low"], row["error_percent_high"]) == (0, pytest.approx(100 * largest_unseen(judged)))
    assert row["noise_alarm_percent_high"] > 0
    assert (row["auroc"], row["auroc_high"]) == (1, 1)
    assert row["auroc_low"] == pytest.approx(1 - 2 * largest_unseen(judged))
    assert row["tpr_at_5_fpr_low"] < 1
    (row,) = long_form(transfer_matrix({"pgd": study})).to_dict("records")
    assert row["error_percent_high"] > 0
    assert row["auroc_low"] < 1
