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

Small = Literal["logistic", "mlp"]
Make = Callable[[], Any]
"""Gives a new, untrained scikit-learn classifier."""


def detector_named(name: str) -> Make:
    """`forest`, or any scikit-learn classifier by import path, as `sklearn.linear_model:LogisticRegression`.

    Raises ValueError, in words for the user, for what cannot be imported or is no classifier with default arguments.
    """
    if name == "forest":
        return cast(Make, RandomForestClassifier)
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
    return cast(Make, kind)


EXAMPLE = "sklearn.linear_model:LogisticRegression"


def trained(make: Make, features: FloatArray, adversarial: BoolArray, seed: int) -> Any:
    """A detector trained on features (n, F), with the seed where it takes one; ensembles on all cores."""
    detector = make()
    known = detector.get_params()
    parallel = isinstance(detector, BaseEnsemble) and "n_jobs" in known
    if "random_state" in known:
        detector.set_params(random_state=seed)
    if parallel:
        detector.set_params(n_jobs=-1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        detector.fit(features, adversarial)
    if parallel:
        detector.set_params(n_jobs=1)  # threads would add the trees' votes up in any order, and so round differently
    return detector


def scores(detector: Any, features: FloatArray) -> FloatArray:
    """How adversarial each image seems, float64 (n,): the probability where there is one, 0.5 being the threshold;
    else the decision function through the logistic function, which keeps its order and puts its zero at 0.5.
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
    """The share of every layer in what the detector goes by, (L,), adding up to 1; None where it cannot be told.

    Trees tell by how much their features lower the impurity, linear models by the size of coefficient times standard
    deviation of the feature; both are added up over a layer's features. layers: name -> number of features.
    """
    if hasattr(detector, "feature_importances_"):
        each = np.asarray(detector.feature_importances_)
    elif hasattr(detector, "coef_"):
        each = np.abs(np.asarray(detector.coef_)).reshape(-1, features.shape[1]).sum(axis=0) * features.std(axis=0)
    else:
        return None
    ends = np.cumsum(list(layers.values()))
    sums = np.array([part.sum() for part in np.split(each, ends[:-1])])
    return np.asarray(sums / sums.sum()) if sums.sum() > 0 else None


def differentiable(
    features: FloatArray, adversarial: BoolArray, *, kind: Small = "logistic", seed: int = 0
) -> Differentiable:
    """A small detector with a gradient: logistic regression, or one hidden layer of 64 ReLU, on standardised features.

    features: (n, F). adversarial: (n,), both values in it.
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
