from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.patches import Rectangle
from sklearn.feature_selection import mutual_info_classif
from sklearn.metrics.pairwise import cosine_similarity

from csg_analyze.analysis import analyze
from csg_analyze.analyzers.gallery.analysis import filters
from csg_analyze.errors import UsageError
from csg_analyze.metrics.correlation import FilterWeights
from csg_analyze.metrics.exemplars import Exemplars
from csg_analyze.result import Result, Table
from tests.examples import random_classifier, random_dataset, random_gate

NAMES = ("ant", "bee", "cat")
N, K, C, EXEMPLARS = 120, 7, 3, 5
RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, C, N)
PREDICTIONS = RNG.integers(0, C, N)
IDS = tuple(f"image {i}" for i in range(N))
WEIGHTS = RNG.normal(size=(K, 12))


def example_activations() -> np.ndarray:
    """Filters 0-4 like classes 0, 1, 2, 0, 1; 5 is silent on class 2 alone, 6 is dead."""
    activations = np.maximum(RNG.normal(size=(N, K)) + 3 * (LABELS[:, None] == np.arange(K) % C), 0)
    activations[:, 5] = 1 + RNG.random(N) + 3 * (LABELS != 2)
    activations[:, 6] = 0
    return np.asarray(activations, np.float32)


ACTIVATIONS = example_activations()
GATE = random_gate(C, K)
GATE[:, 4] = 1  # shared
GATE[:, 5] = 0  # closed


def example_exemplars(activations: np.ndarray) -> Exemplars:
    images = np.argsort(-activations, axis=0, kind="stable")[:EXEMPLARS].T
    union, thumbnail_of = np.unique(images, return_inverse=True)
    return Exemplars(
        images=images,
        activations=np.take_along_axis(activations.T, images, axis=1),
        maps=RNG.random((len(images), EXEMPLARS, 3, 3)).astype(np.float32),
        thumbnails=RNG.integers(0, 256, (len(union), 8, 8, 3), dtype=np.uint8),
        thumbnail_of=thumbnail_of.reshape(images.shape),
    )


def run(gate: np.ndarray | None = None, weights: FilterWeights | None = None, **options: Any) -> Result:
    exemplars = example_exemplars(ACTIVATIONS)
    return filters(ACTIVATIONS, LABELS, NAMES, IDS, PREDICTIONS, exemplars, gate, weights, **options)


def information(n_neighbors: int = 3, seed: int = 0) -> np.ndarray:
    columns = [
        mutual_info_classif(ACTIVATIONS, c == LABELS, n_neighbors=n_neighbors, random_state=seed) for c in range(C)
    ]
    return np.stack(columns, axis=1)


@pytest.mark.parametrize("gated", [True, False])
def test_every_column_by_plain_loops(gated: bool) -> None:
    matrix = information()
    gate = GATE if gated else None
    table = run(gate, FilterWeights("conv", WEIGHTS, True)).frame("filters")
    cosines = cosine_similarity(WEIGHTS)
    for k, row in enumerate(table.to_dict("records")):
        strength = matrix[k].tolist() if gate is None else gate[:, k].tolist()
        if (gated and k == 5) or (not gated and k == 6):
            owner, expected_class = None, "(unassigned)"
        elif gated and k == 4:
            owner, expected_class = None, "(shared)"
        else:
            owner = strength.index(max(strength))
            expected_class = NAMES[owner]
        shown = owner if owner is not None else int(np.argmax(matrix[k]))
        values = [float(ACTIVATIONS[i, k]) for i in range(N)]
        assert row["class"] == expected_class
        assert row["mi"] == pytest.approx(matrix[k][shown], abs=1e-9)
        assert row["best_mi"] == pytest.approx(max(matrix[k]), abs=1e-9)
        assert row["mean_activation"] == pytest.approx(sum(values) / N)
        assert row["max_activation"] == max(values)
        assert row["gate"] == pytest.approx(gate[shown, k]) if gate is not None else math.isnan(row["gate"])
        images = sorted(range(N), key=lambda i: (-values[i], i))[:EXEMPLARS]
        if owner is None:
            assert math.isnan(row["exemplar_share"])
            assert math.isnan(row["mi_margin"])
            assert pd.isna(row["active_on_class"])
        else:
            share = sum(LABELS[i] == owner for i in images) / EXEMPLARS
            assert row["exemplar_share"] == pytest.approx(share) if k != 6 else math.isnan(row["exemplar_share"])
            own, other = matrix[k][owner], max(matrix[k][c] for c in range(C) if c != owner)
            assert row["mi_margin"] == pytest.approx((own - other) / max(own, other), abs=1e-6)
            on_class = np.mean([values[i] for i in range(N) if LABELS[i] == owner])
            assert row["active_on_class"] == (on_class > sum(values) / N)
        others = [j for j in range(K) if j != k]
        nearest = max(others, key=lambda j: abs(cosines[k, j]))
        assert row["nearest_filter"] == nearest
        assert row["cosine"] == pytest.approx(cosines[k, nearest])


def test_exemplars_table_and_the_numbers_drawn_from_it() -> None:
    result = run()
    rows = result.frame("exemplars").to_dict("records")
    assert len(rows) == K * EXEMPLARS
    for index, row in enumerate(rows):
        k, rank = divmod(index, EXEMPLARS)
        image = sorted(range(N), key=lambda i: (-ACTIVATIONS[i, k], i))[rank]
        assert row == {
            "filter": k,
            "rank": rank + 1,
            "sample_id": IDS[image],
            "label": NAMES[LABELS[image]],
            "prediction": NAMES[PREDICTIONS[image]],
            "activation": ACTIVATIONS[image, k],
        }
    table = result.frame("filters")
    counted = []
    for k in range(K - 1):
        labels = [row["label"] for row in rows if row["filter"] == k]
        counted.append(labels.count(table["class"][k]))
    assert result.summary["mean_exemplar_share"] == pytest.approx(np.mean(counted) / EXEMPLARS)
    assert result.summary["pure_filters"] == counted.count(EXEMPLARS) / len(counted)
    purity = result.frame("purity")
    assert purity["n_filters"].tolist() == [counted.count(j) for j in range(EXEMPLARS + 1)]
    assert purity["of_class"].tolist() == [str(j) for j in range(EXEMPLARS + 1)]
    assert counted[5] == 0  # silent on its class: the class of the highest information, and of no exemplar
    assert result.summary["silent_filters"] == 1
    assert result.summary["dead_filters"] == 1
    assert result.summary["unassigned_filters"] == 1
    assert list(result.summary)[0] == "mean_exemplar_share"  # noqa: RUF015


def test_classes_with_and_without_filters() -> None:
    exemplars = example_exemplars(ACTIVATIONS)
    result = filters(ACTIVATIONS, LABELS, (*NAMES, "dodo"), IDS, PREDICTIONS, exemplars, None, None)
    table, per_class = result.frame("filters"), result.frame("per_class").set_index("class")
    assert per_class.index.tolist() == [*NAMES, "dodo", "(unassigned)"]
    for name, row in per_class.iterrows():
        members = table[table["class"] == name]
        assert row["n_filters"] == len(members)
        for column in ("mi", "mi_margin", "exemplar_share", "mean_activation"):
            np.testing.assert_allclose(row[column], members[column].mean())
    assert result.summary["classes_without_filters"] == 1
    assert any("dodo" in note for note in result.notes)


def test_a_gate_shares_and_closes_filters() -> None:
    result = run(GATE)
    assert result.summary["shared_filters"] == 1
    assert result.summary["unassigned_filters"] == 1
    assert not any("raises exemplar_share" in note for note in result.notes)
    assert any("raises exemplar_share" in note for note in run().notes)


@pytest.mark.parametrize(
    ("weights", "reason"),
    [
        (None, "no weights"),
        (FilterWeights("inner", WEIGHTS, False), "inner"),
        (FilterWeights("other", np.eye(3), True), "other"),
    ],
)
def test_without_weights_of_its_own_filters_there_are_no_neighbours(weights: FilterWeights | None, reason: str) -> None:
    result = run(None, weights)
    assert result.frame("filters")["nearest_filter"].isna().all()
    assert result.frame("filters")["cosine"].isna().all()
    assert any("neighbours" in note and reason in note for note in result.notes)


def test_options_reach_the_estimator_and_bad_ones_are_refused() -> None:
    matrix = information(n_neighbors=5, seed=4)
    table = run(n_neighbors=5, seed=4).frame("filters")
    np.testing.assert_allclose(table["best_mi"], matrix.max(axis=1), atol=1e-9)
    bad: tuple[dict[str, Any], ...] = ({"n_neighbors": 0}, {"per_page": 0})
    for options in bad:
        with pytest.raises(UsageError, match="--"):
            run(**options)


def test_the_figure_is_drawn_for_models_of_different_numbers_of_exemplars() -> None:
    result = run()
    shorter = replace(result, tables={"purity": Table(result.frame("purity").head(3))})
    figure = result.figures["purity"].draw({"csg": result, "std": shorter})
    heights = [patch.get_height() for patch in figure.axes[0].patches if isinstance(patch, Rectangle)]
    assert heights[: EXEMPLARS + 1] == result.frame("purity")["n_filters"].tolist()
    assert figure.axes[0].get_xlabel() == "of the 5 images, so many of the class"


def test_through_the_pipeline() -> None:
    data = random_dataset(20)
    report = analyze(random_classifier(gate=random_gate(10, 64)), data, ["filters"])
    result = report.results["filters"]
    assert len(result.frame("filters")) == 64
    assert len(result.frame("exemplars")) == 64 * 9
    assert result.pages is not None
    files = [name for name, _ in result.pages("random")]
    assert files[0] == "index.html"
    assert result.frame("filters")["nearest_filter"].notna().all()
