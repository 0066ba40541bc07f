"""Where in the network filters become class-specific."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from csg_analyze.about import about
from csg_analyze.analyzers.layers.probes import Probe, probe_correct
from csg_analyze.errors import UsageError
from csg_analyze.metrics.arrays import FloatArray, IntArray
from csg_analyze.metrics.correlation import correlation_matrix, pair_values, share_at_least
from csg_analyze.metrics.filters import dead_filters
from csg_analyze.metrics.keeping import NOTHING_KEPT, Arrays, Keep
from csg_analyze.metrics.mutual_information import chance_permutations, information_and_chance, mutual_information_score
from csg_analyze.metrics.statistics import share_with_interval
from csg_analyze.plots.charts import lines_by_layer
from csg_analyze.result import Drawing, Result, Table

R_S = 0.1  # the paper's threshold for correlated filters, Fig. 7
FIGURE = (
    "MIS (dotted: under permuted labels), accuracy of a linear probe (95 % interval) and r at s = 0.1 over depth, one "
    "colour per model."
)
MOST_PERMUTATIONS = 4  # per filter: there are many layers, and one digit of the chance level is enough


@about(
    "Class-specificity of every convolution",
    "Where in the network filters become class-specific.",
    measures="""
    For every convolution, from one pass over the data: the MIS of its filters, the accuracy of a linear probe on its
    averaged output, and the share of pairs of filters whose weights have a cosine of at least 0.1.
    """,
    reading="""
    The probe is trained on one half of the images and tested on the other, then the other way round. It shows how much
    a whole layer says about the classes; MIS shows how much its single filters say. `mis_chance` is the MIS under
    permuted labels. Filters with the same output on every image (`dead_filters`) are included in MIS.
    """,
)
def layers(
    layer_activations: Mapping[str, FloatArray],
    layer_weights: Mapping[str, FloatArray],
    labels: IntArray,
    class_names: Sequence[str],
    cache: Keep = NOTHING_KEPT,
    *,
    probe: Annotated[Probe, "linear probe: logistic regression, or ridge (quicker for many classes)"] = "logistic",
    seed: Annotated[int, "seed of the estimator's noise and of the probe's two halves"] = 0,
) -> Result:
    """MIS, linear-probe accuracy and r_0.1 of every convolution.

    layer_activations: by convolution, its output averaged over positions (N, K_layer), before normalisation and ReLU.
    layer_weights: by convolution, its flattened filters (K_layer, D). Raises UsageError for fewer than 4 images.
    """
    if len(labels) < 4:
        raise UsageError(f"layers needs at least 4 images for its probe, not {len(labels)}; raise --limit.")
    rows = []
    for depth, (name, activations) in enumerate(layer_activations.items(), start=1):
        n_filters = activations.shape[1]
        n_permutations = chance_permutations(n_filters, MOST_PERMUTATIONS)
        information = cache.of(
            _information, activations, labels, n_permutations=n_permutations, n_classes=len(class_names), seed=seed
        )
        matrix, chance = information["matrix"], information["chance"]
        n_dead = int(dead_filters(activations).sum())
        correct = cache.of(_probed, activations, labels, probe=probe, seed=seed)["correct"]
        share, low, high = share_with_interval(int(correct.sum()), len(correct))
        pairs = pair_values(correlation_matrix(layer_weights[name]))
        redundancy = float(share_at_least(pairs, np.array([R_S]))[0])
        score = mutual_information_score(matrix)
        rows.append((depth, name, n_filters, n_dead, score, float(chance.mean()), share, low, high, redundancy))
    columns = [
        "depth", "layer", "n_filters", "dead_filters", "mis", "mis_chance", "probe_accuracy", "low", "high", "r_0.1",
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=columns)
    best = int(table["mis"].to_numpy().argmax())
    return Result(
        summary={
            "last_mis": float(table["mis"].iloc[-1]),
            "last_mis_chance": float(table["mis_chance"].iloc[-1]),
            "first_mis": float(table["mis"].iloc[0]),
            "first_mis_chance": float(table["mis_chance"].iloc[0]),
            "highest_mis": float(table["mis"].iloc[best]),
            "highest_mis_chance": float(table["mis_chance"].iloc[best]),
            "highest_mis_layer": str(table["layer"].iloc[best]),
            "last_probe_accuracy": float(table["probe_accuracy"].iloc[-1]),
            "last_r_0.1": float(table["r_0.1"].iloc[-1]),
            "dead_filters": int(table["dead_filters"].sum()),
            "n_layers": len(table),
            "n": len(labels),
        },
        tables={"layers": Table(table)},
        figures={"depth": Drawing(draw_depth, FIGURE)},
        sample_sizes={"MIS": len(labels)},
        notes=(
            f"activations are the averaged output of each convolution, before normalisation and ReLU; the {probe} "
            "probe is trained on one half of the images and tested on the other, then the other way round.",
            f"mis_chance is the MIS under permuted labels, from at most {MOST_PERMUTATIONS} permutations of the labels "
            "for every filter, fewer in wide layers.",
        ),
    )


def _information(activations: FloatArray, labels: IntArray, **options: int) -> Arrays:
    matrix, chance = information_and_chance(activations, labels, **options)
    return {"matrix": matrix, "chance": chance}


def _probed(activations: FloatArray, labels: IntArray, *, probe: Probe, seed: int) -> Arrays:
    return {"correct": probe_correct(activations, labels, probe=probe, seed=seed)}


def draw_depth(models: Mapping[str, Result]) -> Figure:
    """One panel per quantity, for all models."""
    return lines_by_layer(
        {model: result.frame("layers") for model, result in models.items()},
        {"mis": "MIS (nats)", "probe_accuracy": "linear probe accuracy", "r_0.1": "r at s = 0.1"},
        intervals={"probe_accuracy": ("low", "high")},
        baselines={"mis": "mis_chance"},
    )
