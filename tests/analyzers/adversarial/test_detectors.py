from __future__ import annotations

import warnings

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from csg_analyze.analyzers.adversarial.detectors import (
    detector_named,
    differentiable,
    layer_importance,
    scores,
    trained,
)

RNG = np.random.default_rng(0)
ADVERSARIAL = np.arange(120) % 2 == 0
FEATURES = RNG.normal(size=(120, 6)) + ADVERSARIAL[:, None] * np.array([0, 0, 0, 1.5, 0, 2.0])
LAYERS = {"first": 2, "second": 1, "third": 3}


def test_the_forest_is_scikit_learns() -> None:
    detector = trained(detector_named("forest"), FEATURES[:80], ADVERSARIAL[:80], seed=3)
    plain = RandomForestClassifier(random_state=3).fit(FEATURES[:80], ADVERSARIAL[:80])
    np.testing.assert_allclose(scores(detector, FEATURES[80:]), plain.predict_proba(FEATURES[80:])[:, 1])
    assert (detector.n_estimators, detector.random_state) == (100, 3)
    assert detector.n_jobs == 1  # votes are added up in one order


@pytest.mark.parametrize(
    "name", ["sklearn.linear_model:LogisticRegression", "sklearn.svm:LinearSVC", "sklearn.linear_model:Perceptron"]
)
def test_any_classifier_by_import_path(name: str) -> None:
    detector = trained(detector_named(name), FEATURES, ADVERSARIAL, seed=0)
    values = scores(detector, FEATURES)
    assert ((values > 0.5) == detector.predict(FEATURES)).all()
    assert ((values >= 0) & (values <= 1)).all()


def test_classifiers_without_scores_say_yes_or_no() -> None:
    class Sure(DummyClassifier):
        predict_proba = property()

    values = scores(trained(lambda: Sure(strategy="most_frequent"), FEATURES[:9], ADVERSARIAL[:9], 0), FEATURES[:4])
    assert values.tolist() == [1.0] * 4
    assert scores(detector_named("forest")(), np.empty((0, 6))).tolist() == []


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("tree", "unknown detector 'tree'; write forest"),
        ("sklearn.linear_model:LogisticRegresion", "cannot be imported.*LogisticRegresion"),
        ("sklearn.nothing:Forest", "cannot be imported"),
        ("sklearn.linear_model:LinearRegression", "no scikit-learn classifier"),
        ("sklearn.ensemble:VotingClassifier", "without arguments"),
        (":", "cannot be imported"),
        ("os:getcwd", "no scikit-learn classifier|without arguments"),
    ],
)
def test_what_is_no_detector(name: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        detector_named(name)


def test_importance_adds_up_over_layers() -> None:
    forest = trained(detector_named("forest"), FEATURES, ADVERSARIAL, seed=0)
    share = layer_importance(forest, FEATURES, LAYERS)
    assert share is not None
    each = forest.feature_importances_
    np.testing.assert_allclose(share, [each[:2].sum(), each[2], each[3:].sum()])
    assert share[2] > 0.7
    linear = LogisticRegression().fit(FEATURES * 10, ADVERSARIAL)  # scale must not matter to what counts
    small = LogisticRegression(C=1e9).fit(FEATURES, ADVERSARIAL)
    support = LinearSVC().fit(FEATURES, ADVERSARIAL)
    for model, features in ((linear, FEATURES * 10), (small, FEATURES), (support, FEATURES)):
        shares = layer_importance(model, features, LAYERS)
        assert shares is not None
        assert shares.sum() == pytest.approx(1)
        assert shares[2] > 0.7
    assert layer_importance(KNeighborsClassifier().fit(FEATURES, ADVERSARIAL), FEATURES, LAYERS) is None


def test_small_detectors_are_scikit_learns() -> None:
    fits = {
        "logistic": LogisticRegression(max_iter=500),
        "mlp": MLPClassifier((64,), alpha=1e-2, max_iter=200, random_state=4),
    }
    for kind, model in fits.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            pipeline = make_pipeline(StandardScaler(), model).fit(FEATURES, ADVERSARIAL)
        small = differentiable(FEATURES, ADVERSARIAL, kind=kind, seed=4)  # type: ignore[arg-type]
        np.testing.assert_allclose(
            1 / (1 + np.exp(-small.logits(FEATURES))), pipeline.predict_proba(FEATURES)[:, 1], rtol=1e-6
        )


def test_a_ridge_has_a_threshold_too() -> None:
    ridge = trained(RidgeClassifier, FEATURES, ADVERSARIAL, 0)
    assert ((scores(ridge, FEATURES) > 0.5) == ridge.predict(FEATURES)).all()
