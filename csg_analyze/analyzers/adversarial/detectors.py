"""Detectors of adversarial samples: classifiers of features, trained on clean and attacked images."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable, Mapping
from typing import Any, Literal, cast

import numpy as np
from sklearn.base import is_classifier
from sklearn.ensemble import BaseEnsemble, RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

from csg_analyze.metrics.adversarial import Differentiable
from csg_analyze.metrics.arrays import BoolArray, FloatArray

SmallDetector = Literal["logistic", "mlp"]
NewDetector = Callable[[], Any]
"""Returns a new, untrained scikit-learn classifier."""


def detector_named(name: str) -> NewDetector:
    """`forest`, or any scikit-learn classifier by import path, as `sklearn.linear_model:LogisticRegression`.

    Raises ValueError, with a message for the user, unless it can be imported and is a classifier without arguments.
    """
    if name == "forest":
        return cast(NewDetector, RandomForestClassifier)
    module, colon, attribute = name.partition(":")
    if not colon:
        raise ValueError(f"unknown detector {name!r}; write forest, or an import path as {EXAMPLE}.")
    try:
        kind = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(f"detector {name!r} cannot be imported ({error}); write a path as {EXAMPLE}.") from error
    try:
        made = kind()
        usable = is_classifier(made) and callable(getattr(made, "fit", None))
    except Exception as error:
        raise ValueError(f"detector {name!r} cannot be made without arguments: {error}.") from error
    if not usable:
        raise ValueError(f"detector {name!r} is no scikit-learn classifier; write a path as {EXAMPLE}.")
    return cast(NewDetector, kind)


EXAMPLE = "sklearn.linear_model:LogisticRegression"


def trained(make: NewDetector, features: FloatArray, adversarial: BoolArray, seed: int) -> Any:
    """A detector trained on features (n, F), with the seed if it takes one; ensembles use all cores."""
    detector = make()
    parameters = detector.get_params()
    parallel = isinstance(detector, BaseEnsemble) and "n_jobs" in parameters
    if "random_state" in parameters:
        detector.set_params(random_state=seed)
    if parallel:
        detector.set_params(n_jobs=-1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        detector.fit(features, adversarial)
    if parallel:
        detector.set_params(n_jobs=1)  # threads would sum the trees' votes in varying order, with varying rounding
    return detector


def scores(detector: Any, features: FloatArray) -> FloatArray:
    """Scores of images, float64 (n,), adversarial above 0.5: probabilities if the detector has them.

    Otherwise the logistic function of its decision function, which keeps the order and moves 0 to 0.5.
    """
    if not len(features):
        return np.empty(0)
    column = list(detector.classes_).index(True)
    if hasattr(detector, "predict_proba"):
        return np.asarray(detector.predict_proba(features)[:, column], dtype=np.float64)
    if hasattr(detector, "decision_function"):
        return np.asarray(1 / (1 + np.exp(-np.clip(detector.decision_function(features), -500, 500))))
    return np.asarray(detector.predict(features), dtype=np.float64)


def layer_importance(detector: Any, features: FloatArray, layers: Mapping[str, int]) -> FloatArray | None:
    """The share of every layer in the importance of features, (L,), summing to 1; None if the detector has none.

    For trees importance is the decrease in impurity, for linear models the absolute coefficient times the feature's
    standard deviation; a layer's importance is the sum over its features. layers: name -> number of features.
    """
    if hasattr(detector, "feature_importances_"):
        importances = np.asarray(detector.feature_importances_)
    elif hasattr(detector, "coef_"):
        importances = np.abs(np.asarray(detector.coef_)).reshape(-1, features.shape[1]).sum(axis=0) * features.std(
            axis=0
        )
    else:
        return None
    ends = np.cumsum(list(layers.values()))
    sums = np.array([part.sum() for part in np.split(importances, ends[:-1])])
    return np.asarray(sums / sums.sum()) if sums.sum() > 0 else None


def differentiable(
    features: FloatArray, adversarial: BoolArray, *, kind: SmallDetector = "logistic", seed: int = 0
) -> Differentiable:
    """A small detector with a gradient: logistic regression, or one hidden layer of 64 ReLU, on standardised features.

    features: (n, F). adversarial: (n,), with both values.
    """
    scaler = StandardScaler().fit(features)
    standard = scaler.transform(features)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        if kind == "logistic":
            linear = LogisticRegression(max_iter=500).fit(standard, adversarial)
            weights, biases = [linear.coef_.T], [linear.intercept_]
        else:
            network = MLPClassifier((64,), alpha=1e-2, max_iter=200, random_state=seed).fit(standard, adversarial)
            weights, biases = network.coefs_, network.intercepts_
    return Differentiable(scaler.mean_, scaler.scale_, tuple(zip(weights, biases, strict=True)))
