from __future__ import annotations

import numpy as np
import pytest
from sklearn.feature_selection import mutual_info_classif
from sklearn.linear_model import LogisticRegression
from sklearn.metrics.pairwise import cosine_similarity
from sklearn.model_selection import KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from csg_analyze.analysis import analyze
from csg_analyze.analyzers.layers.analysis import draw_depth, layers
from csg_analyze.analyzers.layers.probes import probe_correct
from csg_analyze.errors import UsageError
from csg_analyze.metrics.mutual_information import information_and_chance
from tests.examples import random_classifier, random_dataset

RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, 3, 120)
NAMES = ("ant", "bee", "cat")
WEAK = RNG.normal(size=(120, 4))
STRONG = RNG.normal(size=(120, 6)) + 1.2 * (LABELS[:, None] == np.arange(6) % 3)
WEIGHTS = {"first": RNG.normal(size=(4, 9)), "last": RNG.normal(size=(6, 36))}


def test_every_number_by_scikit_learn() -> None:
    result = layers({"first": WEAK, "last": STRONG}, WEIGHTS, LABELS, NAMES)
    table = result.frame("layers").set_index("layer")
    halves = KFold(2, shuffle=True, random_state=0)
    for name, activations in (("first", WEAK), ("last", STRONG)):
        matrix = np.array([mutual_info_classif(activations, c == LABELS, random_state=0) for c in range(3)])
        assert table.loc[name, "mis"] == pytest.approx(matrix.max(axis=0).mean(), abs=1e-9)
        chance = information_and_chance(activations, LABELS, n_permutations=4)[1]
        assert table.loc[name, "mis_chance"] == chance.mean()
        assert table.loc[name, "dead_filters"] == 0
        probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=200))
        expected = cross_val_score(probe, activations, LABELS, cv=halves).mean()
        assert table.loc[name, "probe_accuracy"] == pytest.approx(expected)
        assert table.loc[name, "low"] < expected < table.loc[name, "high"]
        cosines = cosine_similarity(WEIGHTS[name])
        pairs = [cosines[i, j] for i in range(len(cosines)) for j in range(i)]
        assert table.loc[name, "r_0.1"] == pytest.approx(np.mean(np.array(pairs) >= 0.1))
    assert result.summary["highest_mis_layer"] == "last"
    assert result.summary["last_mis"] == table.loc["last", "mis"]
    for place, layer in (("first", "first"), ("last", "last"), ("highest", "last")):
        assert result.summary[f"{place}_mis_chance"] == table.loc[layer, "mis_chance"]


def test_every_convolution_of_a_network_in_order() -> None:
    classifier = random_classifier()
    result = analyze(classifier, random_dataset(40), ["layers"]).results["layers"]
    assert result.frame("layers")["layer"].tolist() == list(classifier.convolutions())
    assert result.frame("layers")["n_filters"].tolist() == [c.out_channels for c in classifier.convolutions().values()]
    figure = draw_depth({"a": result, "b": result})
    assert len(figure.axes) == 3
    assert [len(axes.lines) for axes in figure.axes] == [4, 2, 2]  # MIS with its chance level


def test_dead_filters_are_counted_by_layer() -> None:
    dead = np.concatenate([WEAK, np.full((120, 2), 3.0)], axis=1)
    weights = {"first": RNG.normal(size=(6, 9)), "last": WEIGHTS["last"]}
    result = layers({"first": dead, "last": STRONG}, weights, LABELS, NAMES)
    assert result.frame("layers")["dead_filters"].tolist() == [2, 0]
    assert result.summary["dead_filters"] == 2


def test_a_probe_with_nothing_to_learn_and_one_with_all() -> None:
    labels = np.array([0] * 50 + [1] * 50)
    assert probe_correct(labels[:, None] + 0.0, labels, probe="ridge").all()
    assert probe_correct(RNG.normal(size=(8, 2)), np.zeros(8, dtype=int)).all()


def test_too_few_images_are_refused() -> None:
    with pytest.raises(UsageError, match="at least 4 images"):
        layers({"first": WEAK[:3]}, WEIGHTS, LABELS[:3], NAMES)
