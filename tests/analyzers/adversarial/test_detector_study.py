from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import roc_auc_score

from csg_analyze.analyzers.adversarial.detection import SplitProtocol, split
from csg_analyze.analyzers.adversarial.detectors import differentiable
from csg_analyze.analyzers.adversarial.limits import adaptive_rows, transfer_matrix
from csg_analyze.analyzers.adversarial.study import (
    FeatureColumns,
    Pool,
    Study,
    detection_rows,
    held_out,
    importance_rows,
    roc_rows,
    train_and_test,
    training_images,
)
from csg_analyze.metrics.adversarial import Differentiable
from csg_analyze.report.writing import long_form

N, REPEATS = 60, 3
Forest = partial(RandomForestClassifier, n_estimators=15)
LAYERS = {"first": 2, "last": 3}


def pool(shift: float = 1.5, sources: np.ndarray | None = None, seed: int = 0) -> Pool:
    """Clean features, adversarial ones shifted in two columns of the last layer, noisy ones in one of them."""
    sources = np.arange(N) if sources is None else sources
    keys = np.random.default_rng(7).random((REPEATS, 2, 200))
    rng = np.random.default_rng(seed)
    clean = rng.normal(size=(200, 5))
    moved = np.array([0, 0, shift, shift, 0])
    adversarial, noise = clean + moved + 0.3 * rng.normal(size=(2, 200, 5)) * [[[1.0]], [[0.5]]]
    noise = noise - np.array([0, 0, 0, shift, 0])
    return Pool(sources, clean[sources], adversarial[sources], noise[sources], keys[:, :, sources], LAYERS)


def studied(protocol: SplitProtocol = "paired", chosen: Pool | None = None, **options: Any) -> Study:
    settings: dict[str, Any] = {"negatives": "clean", "sizes": (20, 60), "test_size": 40, "seed": 5, **options}
    return train_and_test(chosen or pool(), Forest, protocol=protocol, **settings)


@pytest.mark.parametrize("protocol", ["paired", "disjoint", "random", "paper"])
def test_the_rows_by_scikit_learn_and_loops(protocol: SplitProtocol) -> None:
    """Every repeat once more in the plainest way: split, train a forest, count its errors."""
    sizes = (20, 40) if protocol == "disjoint" else (20, 60)
    test_size = 20 if protocol == "disjoint" else 40
    samples = pool()
    rows = detection_rows("pgd", studied(protocol, sizes=sizes, test_size=test_size), sizes)
    for row, size in zip(rows, sizes, strict=True):
        errors, areas, alarms = [], [], []
        for repeat in range(REPEATS):
            sides = split(protocol, samples.keys[repeat], train_size=size, test_size=test_size)
            x = np.vstack([samples.clean[sides.train_clean], samples.adversarial[sides.train_adversarial]])
            forest = Forest(random_state=5 + repeat).fit(x, [0] * (size // 2) + [1] * (size // 2))
            test = np.vstack([samples.clean[sides.test_clean], samples.adversarial[sides.test_adversarial]])
            truth = np.array([0] * (test_size // 2) + [1] * (test_size // 2))
            errors.append(100 * np.mean(forest.predict(test) != truth))
            areas.append(roc_auc_score(truth, forest.predict_proba(test)[:, 1]))
            alarms.append(100 * np.mean(forest.predict(samples.noise[sides.test_adversarial])))
        assert row["error_percent"] == pytest.approx(np.mean(errors))
        assert row["error_percent_sd"] == pytest.approx(np.std(errors, ddof=1))
        assert row["auroc"] == pytest.approx(np.mean(areas))
        assert row["noise_alarm_percent"] == pytest.approx(np.mean(alarms))
        for name in ("error_percent", "auroc", "tpr_at_5_fpr", "noise_alarm_percent"):
            assert row[f"{name}_low"] <= row[name] <= row[f"{name}_high"]
        assert (row["train_size"], row["n_train"], row["n_test"]) == (size, size, test_size)


def test_one_repeat_has_no_standard_deviation() -> None:
    samples = pool()
    single = Pool(samples.sources, samples.clean, samples.adversarial, samples.noise, samples.keys[:1], LAYERS)
    (row,) = detection_rows("pgd", studied(chosen=single, sizes=(20,)), (20,))
    assert np.isnan(row["error_percent_sd"])


def test_the_interval_covers_what_other_sources_give() -> None:
    """The bootstrap over sources, detectors kept, is about as wide as the spread over fresh test sources."""
    study = studied()
    forest = study.largest[0].detector
    rng = np.random.default_rng(0)
    errors = []
    for _ in range(200):
        fresh = rng.normal(size=(20, 5))
        attacked = fresh + np.array([0, 0, 1.5, 1.5, 0]) + 0.3 * rng.normal(size=(20, 5))
        errors.append(100 * (forest.predict(fresh).sum() + (~forest.predict(attacked)).sum()) / 40)
    single = Study(study.pool, study.sizes, 40, "clean", tuple(each[:1] for each in study.trials))
    row = detection_rows("pgd", single, (20, 60))[1]
    width = row["error_percent_high"] - row["error_percent_low"]
    assert width == pytest.approx(np.percentile(errors, 97.5) - np.percentile(errors, 2.5), rel=0.5)


def test_noise_among_the_negatives_lowers_its_false_alarms() -> None:
    plain, warned = (
        detection_rows("pgd", studied(chosen=pool(3.0), negatives=negatives), (20, 60))[1]
        for negatives in ("clean", "clean+noise")
    )
    assert warned["noise_alarm_percent"] < plain["noise_alarm_percent"] - 5
    samples = pool()
    sides = split("paired", samples.keys[0], train_size=20, test_size=40)
    features, adversarial = training_images(samples, sides, "clean+noise")
    np.testing.assert_array_equal(features[:10:2], samples.clean[sides.train_clean[::2]])
    np.testing.assert_array_equal(features[1:10:2], samples.noise[sides.train_clean[1::2]])
    assert adversarial.tolist() == [False] * 10 + [True] * 10


def test_held_out_scores_by_loops() -> None:
    study = studied()
    table = held_out(study)
    for place in range(N):
        got = [
            (trial.adversarial[i], trial.clean[i], trial.noise[i])
            for trial in study.largest
            for i in np.flatnonzero(trial.split.test_clean == place)
        ]
        for name, values in zip(("score", "clean_score", "noise_score"), zip(*got, strict=True), strict=False):
            assert table[name][place] == pytest.approx(np.mean(values))
        assert table["judged"][place] == 2 * len(got)
        if got:
            wrong = [w for adversarial, clean, _ in got for w in (adversarial <= 0.5, clean > 0.5)]
            assert table["error"][place] == pytest.approx(np.mean(wrong))
        else:
            assert np.isnan(table["error"][place])


def test_curves_and_importance() -> None:
    curve = roc_rows("pgd", studied())
    assert (curve[-1]["false_alarms"], curve[-1]["found"]) == (1, 1)
    assert np.all(np.diff([row["found"] for row in curve]) >= -1e-12)
    first, last = importance_rows("pgd", studied())
    assert (first["layer"], first["n_features"], last["depth"]) == ("first", 2, 2)
    assert last["importance"] > 0.7
    assert first["importance"] + last["importance"] == pytest.approx(1)


def test_transfer_leaves_out_what_was_trained_on() -> None:
    """The other attack succeeded on other sources, so that some of them would be on both sides."""
    first, second = studied(), studied(chosen=pool(-1.0, np.arange(25, 60), seed=2), sizes=(10, 20))
    rows = long_form(transfer_matrix({"a": first, "b": second})).to_dict("records")
    assert ["".join((row["train_attack"], row["test_attack"])) for row in rows] == ["aa", "ab", "ba", "bb"]
    own = detection_rows("a", first, (20, 60))[1]
    assert (rows[0]["error_percent"], rows[0]["auroc"]) == (own["error_percent"], own["auroc"])
    assert rows[1]["n_test"] < 40
    errors = []
    for trial, other in zip(first.largest, second.largest, strict=True):
        trained_with = set(first.pool.sources[trial.split.train_clean])
        kept = [p for p in other.split.test_clean if second.pool.sources[p] not in trained_with]
        wrong = list(trial.detector.predict(second.pool.clean[kept]))
        wrong += list(~trial.detector.predict(second.pool.adversarial[kept]))
        errors.append(100 * np.mean(wrong))
    assert rows[1]["error_percent"] == pytest.approx(np.mean(errors))


def test_an_adaptive_attack_by_hand() -> None:
    study = studied()
    trial, samples = study.largest[0], study.pool
    small = differentiable(*training_images(samples, trial.split, "clean"))

    def again(sources: np.ndarray, detector: Differentiable) -> tuple[np.ndarray, np.ndarray]:
        np.testing.assert_allclose(detector.logits(samples.clean), small.logits(samples.clean))
        assert set(sources) == set(samples.sources[trial.split.test_adversarial])
        return np.arange(len(sources)) % 4 != 0, samples.clean[sources]  # features as those of clean images

    attacked, other = adaptive_rows("pgd", study, again, kind="logistic", name="forest", seed=0)
    places = trial.split.test_adversarial
    fooled = samples.clean[places][np.arange(20) % 4 != 0]
    assert attacked["success_percent"] == 75
    assert attacked["detected_percent"] == pytest.approx(100 * np.mean(small.logits(samples.adversarial[places]) > 0))
    assert attacked["adaptive_detected_percent"] == pytest.approx(100 * np.mean(small.logits(fooled) > 0))
    assert other["detector"] == "forest (not attacked)"
    assert other["adaptive_detected_percent"] == pytest.approx(100 * np.mean(trial.detector.predict(fooled)))
    assert other["evading_percent"] == pytest.approx(100 * np.sum(~trial.detector.predict(fooled)) / 20)
    assert other["false_alarm_percent"] == pytest.approx(100 * np.mean(trial.detector.predict(samples.clean[places])))

    def hopeless(sources: np.ndarray, _detector: Differentiable) -> tuple[np.ndarray, np.ndarray]:
        return np.zeros(len(sources), bool), samples.clean[sources]

    row = adaptive_rows("pgd", study, hopeless, kind="mlp", name="forest", seed=0)[0]
    assert row["evading_percent"] == 0
    assert np.isnan(row["adaptive_detected_percent"])
    assert np.isnan(row["adaptive_auroc"])


def test_chosen_columns_and_detectors_of_them() -> None:
    chosen = FeatureColumns(np.array([False, False, True, True, True]), {"last": 3})
    features = np.random.default_rng(0).normal(size=(7, 5))
    small = differentiable(np.random.default_rng(1).normal(size=(30, 3)), np.arange(30) % 2 == 0, kind="mlp")
    np.testing.assert_allclose(chosen.spread(small).logits(features), small.logits(chosen.pick(features)))
