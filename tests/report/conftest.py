"""A report of two models whose names, classes and texts try to break out of every format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from csg_analyze.about import About, Headline
from csg_analyze.plots.panels import matrix_panels
from csg_analyze.plots.style import captioned, style
from csg_analyze.report.document import ModelReport, Report, Section
from csg_analyze.result import Drawing, Result, Table

NASTY = "<script>alert(1)</script> | $x_1$ & 5 % `~#\\ {}"
PLAIN = "std | plain"
ACCURACY = About(
    "Accuracy <i>",
    caption="accuracy with its 95 % interval",
    headlines=(Headline("accuracy", "Accuracy", ("accuracy_low", "accuracy_high"), best="highest"),),
)
MIS = About("Mutual information", headlines=(Headline("mis", "MIS", best="highest"), Headline("mis_chance", "Chance")))
GATE = About(
    "Gate",
    headlines=(
        Headline("l1_density", "L1-density", ("interval_low", "interval_high"), "L1-interval", interval_form=".4g"),
    ),
)
CLASSES = ["c<b>at</b>", "d|og_$1$", "bird & 100 %"]


def draw_line(models: Mapping[str, Result]) -> Figure:
    """For developers: no part of the caption."""
    with style():
        figure = Figure(figsize=(3.35, 2))
        axes = figure.add_subplot()
        for model, result in models.items():
            axes.plot(result.frame("per_class")["recall"], label=model)
        axes.legend()
    return figure


def draw_matrices(models: Mapping[str, Result]) -> Figure:
    rng = np.random.default_rng(0)
    figure = matrix_panels({model: rng.random((3, 8)) for model in models}, row_labels=CLASSES, colour_label="MI")
    return captioned(figure, "Own caption with $dollars$ | pipes.")


def per_class(recall: list[float]) -> pd.DataFrame:
    return pd.DataFrame({"class": CLASSES, "recall": recall, "seen": [3, 4, 5]})


def long_table(rows: int) -> pd.DataFrame:
    return pd.DataFrame({"filter": np.arange(rows), "mi": np.linspace(0, 1, rows)})


def model_report(name: str, training: str | None, accuracy: float, mis: float, **gate: float) -> ModelReport:
    results = {
        "accuracy": Result(
            summary={"accuracy": accuracy, "n": np.int64(12), "accuracy_low": accuracy - 0.1, "accuracy_high": 0.99},  # type: ignore[dict-item]
            tables={"per_class": Table(per_class([accuracy, np.nan, 1.0]))},
            figures={"recall": Drawing(draw_line, "A line per model, <i>not</i> in italics.")},
            samples=pd.DataFrame({"sample_id": ["a", "b"], "correct": [True, False]}),
            notes=("said of both | models",),
        ),
        "mis": Result(
            summary={
                "mis": np.float64(mis),
                "mis_chance": 0.00432,
                "undefined": float("nan"),
                "unbounded": float("inf"),
            },
            tables={"filters": Table(long_table(64)), "huge": Table(long_table(1_500))},
            figures={"matrices": Drawing(draw_matrices, "Overridden by the figure's own caption.")},
            notes=(f"only of {training}",),
        ),
    }
    if gate:
        results["gate"] = Result(summary=gate)
    return ModelReport(
        name=name,
        path=f"dir/{name}.pt",
        sha256="0" * 64,
        architecture="resnet_8 <b>",
        training=training,
        n_classes=3,
        n_filters=8,
        results=results,
        skipped={} if gate else {"gate": "no gate in this <checkpoint>"},
    )


@pytest.fixture
def report() -> Report:
    return Report(
        title=f"Title {NASTY}",
        models=(
            model_report(PLAIN, "STD", 0.91234567890123, 0.125),
            model_report(NASTY, "CSG", 0.9, 0.25, l1_density=0.1003, interval_low=1 / 3, interval_high=0.5),
        ),
        sections=(
            Section(
                "accuracy",
                replace(ACCURACY, summary=f"First paragraph with `code` and {NASTY}.\n\nSecond\nparagraph."),
            ),
            Section("mis", MIS),
            Section("gate", GATE),
            Section("absent", About("An analyzer that nobody ran")),
        ),
        provenance={"command": f"csg-analyze report {NASTY}", "created": "2024-02-03T04:05:06+00:00", "seed": 0},
        notes=(f"A note on {NASTY}",),
        data={"spec": "scenes", "split": "test", "n": 1_234, "classes": CLASSES, "notes": []},
    )


def with_figure(report: Report, draw: object) -> Report:
    """The report with another first figure."""
    first = report.models[0]
    accuracy = replace(first.results["accuracy"], figures={"recall": Drawing(draw)})  # type: ignore[arg-type]
    return replace(report, models=(replace(first, results={**first.results, "accuracy": accuracy}),))
