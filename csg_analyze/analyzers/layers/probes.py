"""How much a layer says about the classes: a linear classifier trained on its features."""

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
    """Which images a linear probe gets right that was trained on the other half of them (Alain & Bengio 2016), (N,).

    features: (N, K), standardised on the half that trains. Every image is judged once, in two folds that the seed
    shuffles. logistic: regularised logistic regression (C = 1); ridge: least squares in closed form, far quicker for
    many classes. The mean is the probe's accuracy. Raises ValueError for fewer than two images.
    """
    correct = np.zeros(len(labels), dtype=np.bool_)
    for train, test in KFold(2, shuffle=True, random_state=seed).split(features):
        if len(np.unique(labels[train])) < 2:  # nothing to learn: the one class there is, always
            correct[test] = labels[test] == labels[train][0]
            continue
        model = LogisticRegression(max_iter=200) if probe == "logistic" else RidgeClassifier()
        with warnings.catch_warnings():
            # 200 steps leave the accuracy where 2,000 do; scikit-learn would remark on it for every layer
            warnings.simplefilter("ignore", ConvergenceWarning)
            fitted = make_pipeline(StandardScaler(), model).fit(features[train], labels[train])
        correct[test] = fitted.predict(features[test]) == labels[test]
    return correct
