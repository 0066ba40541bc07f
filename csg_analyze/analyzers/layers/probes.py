"""Linear probes: how well a linear classifier on a layer's features recognises the classes."""

from __future__ import annotations

import warnings
from typing import Literal

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from csg_analyze.metrics.arrays import BoolArray, FloatArray, IntArray

Probe = Literal["logistic", "ridge"]


def probe_correct(features: FloatArray, labels: IntArray, *, probe: Probe = "logistic", seed: int = 0) -> BoolArray:
    """Which images a linear probe trained on the other half classifies correctly (Alain & Bengio 2016), (N,).

    features: (N, K), standardised on the training half. Every image is tested once, in two folds that the seed
    shuffles. logistic: regularised logistic regression (C = 1). ridge: least squares in closed form, much quicker for
    many classes. The mean is the probe's accuracy. Raises ValueError for fewer than two images.
    """
    correct = np.zeros(len(labels), dtype=np.bool_)
    for train, test in KFold(2, shuffle=True, random_state=seed).split(features):
        if len(np.unique(labels[train])) < 2:  # only one class: always predict it
            correct[test] = labels[test] == labels[train][0]
            continue
        model = LogisticRegression(max_iter=200) if probe == "logistic" else RidgeClassifier()
        with warnings.catch_warnings():
            # 200 steps give the same accuracy as 2,000; scikit-learn would warn for every layer
            warnings.simplefilter("ignore", ConvergenceWarning)
            fitted = make_pipeline(StandardScaler(), model).fit(features[train], labels[train])
        correct[test] = fitted.predict(features[test]) == labels[test]
    return correct
