"""Accuracy of the network over all images, and its recall of every class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.figure import Figure

from csg_analyze.about import Claim, Headline, about
from csg_analyze.metrics.arrays import IntArray
from csg_analyze.metrics.statistics import share_with_interval
from csg_analyze.plots.charts import dots_with_intervals
from csg_analyze.result import Drawing, Result, Table
from csg_analyze.wording import listed


@about(
    "Accuracy",
    "How often the network is right, over all images and for every class.",
    measures="The share of all images that are classified correctly, and of the images of every class (recall).",
    reading="""
    The intervals (95 %, Wilson) are for other images drawn like these. They say nothing about another training of the
    same network: for that, compare several seeds.
    """,
    caption="accuracy with its 95 % interval",
    headlines=(
        Headline(
            "accuracy",
            "Accuracy",
            ("accuracy_low", "accuracy_high"),
            best="highest",
            claim=Claim("accuracy", better="higher", percent=True),
        ),
    ),
)
def accuracy(predictions: IntArray, labels: IntArray, class_names: Sequence[str], sample_ids: Sequence[str]) -> Result:
    """Classification accuracy without the gate, with 95 % Wilson intervals (Table 1).

    predictions, labels: (N,).
    """
    correct = predictions == labels
    share, low, high = share_with_interval(int(correct.sum()), len(labels))
    rows = []
    for label, name in enumerate(class_names):
        members = labels == label
        recall, recall_low, recall_high = share_with_interval(int(correct[members].sum()), int(members.sum()))
        rows.append((name, int(members.sum()), int(correct[members].sum()), recall, recall_low, recall_high))
    per_class = pd.DataFrame(rows, columns=["class", "n", "correct", "recall", "low", "high"])
    absent = per_class.loc[per_class["n"] == 0, "class"].tolist()
    return Result(
        summary={
            "accuracy": share,
            "n": len(labels),
            "accuracy_low": low,
            "accuracy_high": high,
            "mean_recall": float(per_class["recall"].mean()),
        },
        tables={"per_class": Table(per_class)},
        figures={"recall": Drawing(draw_recall, "Recall of every class with its 95 % interval, one colour per model.")},
        samples=pd.DataFrame(
            {
                "sample_id": list(sample_ids),
                "label": [class_names[i] for i in labels],
                "prediction": [class_names[i] for i in predictions],
                "correct": correct,
            }
        ),
        notes=(f"no image of: {listed(absent)}; their recall is blank.",) if absent else (),
    )


def draw_recall(models: Mapping[str, Result]) -> Figure:
    """Recall of every class with its interval, for all models."""
    return dots_with_intervals(
        {model: result.frame("per_class") for model, result in models.items()},
        category="class",
        value="recall",
        label="recall (95 % interval)",
    )
