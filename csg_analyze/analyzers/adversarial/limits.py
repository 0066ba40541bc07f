"""The limits of detectors: attacks they were not trained on, and attacks that know the detector."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from csg_analyze.analyzers.adversarial.detection import Split, rates
from csg_analyze.analyzers.adversarial.detectors import SmallDetector, differentiable, scores
from csg_analyze.analyzers.adversarial.study import (
    SOURCE_RESAMPLES,
    Row,
    Study,
    Trial,
    measure_interval,
    measures,
    training_images,
)
from csg_analyze.metrics.adversarial import Differentiable
from csg_analyze.metrics.arrays import BoolArray, FloatArray, IntArray
from csg_analyze.metrics.statistics import resampled, share_with_interval
from csg_analyze.result import Matrix


def transfer_matrix(studies: Mapping[str, Study]) -> Matrix:
    """Detectors with the largest training set of each attack, judged on the test images of every attack.

    Test images whose sources are in the detector's training set, under any attack, are left out.
    """
    rows: list[Row] = []
    for first in studies.values():
        for second in studies.values():
            weights = resampled(len(second.pool.sources), resamples=SOURCE_RESAMPLES, seed=0)
            moved = [_moved(a, first, b, second) for a, b in zip(first.largest, second.largest, strict=True)]
            row: Row = {"n_test": min(len(trial.clean) + len(trial.adversarial) for trial in moved)}
            for name in ("error_percent", "auroc"):
                row[name] = value = float(np.mean([measures(trial, None)[name][0] for trial in moved]))
                values = np.mean([measures(trial, weights)[name] for trial in moved], axis=0)
                row[f"{name}_low"], row[f"{name}_high"] = measure_interval(name, value, values, moved)
            rows.append(row)
    names = list(studies)
    return Matrix(
        {"train_attack": names, "test_attack": names},
        {name: np.array([row[name] for row in rows]).reshape(len(names), -1) for name in rows[0]},
    )


def _moved(trial: Trial, own: Study, other: Trial, study_of_other: Study) -> Trial:
    """The detector of one trial on the test images of another trial, of another attack."""
    if own is study_of_other:
        return trial
    pool = study_of_other.pool
    seen = own.pool.sources[np.concatenate([trial.split.train_clean, trial.split.train_adversarial])]
    clean = other.split.test_clean[~np.isin(pool.sources[other.split.test_clean], seen)]
    adversarial = other.split.test_adversarial[~np.isin(pool.sources[other.split.test_adversarial], seen)]
    nothing: IntArray = np.empty(0, np.int64)
    return Trial(
        Split(nothing, nothing, clean, adversarial),
        trial.fit,
        clean=scores(trial.detector, pool.clean[clean]),
        adversarial=scores(trial.detector, pool.adversarial[adversarial]),
        noise=scores(trial.detector, pool.noise[adversarial]),
        importance=None,
    )


AdaptiveAttack = Callable[[IntArray, Differentiable], tuple[BoolArray, FloatArray]]
"""Attacks sources (n,) and a detector together; returns which attacks succeeded, (n,), and all features, (n, F)."""


def adaptive_rows(
    attack: str, study: Study, attack_again: AdaptiveAttack, *, kind: SmallDetector, name: str, seed: int
) -> list[Row]:
    """Detection of an attack that follows a small detector: by that detector, and by the study's own.

    The small detector is trained on the first repeat's largest training set and attacked on the test sources of that
    split. name: of the study's detector. Shares in percent, those of detected samples with 95 % Wilson intervals.
    """
    trial, pool = study.largest[0], study.pool
    small = differentiable(*training_images(pool, trial.split, study.negatives), kind=kind, seed=seed)
    places = trial.split.test_adversarial
    succeeded, features = attack_again(pool.sources[places], small)
    detectors: dict[str, Callable[[FloatArray], FloatArray]] = {
        f"{kind} (attacked)": lambda x: 1 / (1 + np.exp(-np.clip(small.logits(x), -500, 500))),
        f"{name} (not attacked)": lambda x: scores(trial.detector, x),
    }
    rows = []
    for detector, score in detectors.items():
        clean, plain = score(pool.clean[trial.split.test_clean]), score(pool.adversarial[places])
        adaptive = score(features[succeeded])
        row: Row = {
            "attack": attack,
            "detector": detector,
            "n_attacked": len(places),
            "success_percent": 100 * float(succeeded.mean()),
            "false_alarm_percent": 100 * float((clean > 0.5).mean()),
        }
        for column, values in (("detected_percent", plain), ("adaptive_detected_percent", adaptive)):
            share, low, high = share_with_interval(int((values > 0.5).sum()), len(values))
            row |= {column: 100 * share, f"{column}_low": 100 * low, f"{column}_high": 100 * high}
        row["auroc"], row["adaptive_auroc"] = (_auroc(clean, values) for values in (plain, adaptive))
        row["evading_percent"] = 100 * float((adaptive <= 0.5).sum()) / len(places)
        rows.append(row)
    return rows


def _auroc(clean: FloatArray, adversarial: FloatArray) -> float:
    if not len(adversarial):
        return float("nan")
    is_adversarial = np.repeat([False, True], [len(clean), len(adversarial)])
    return float(rates(np.concatenate([clean, adversarial]), is_adversarial).auroc[0])
