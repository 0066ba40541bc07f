"""Figures of attacks: ROC curves, layers that give them away, transfer, robustness, and the images themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from csg_analyze.metrics.arrays import FloatArray
from csg_analyze.plots.charts import MARKERS, lines_by_layer
from csg_analyze.plots.panels import matrix_panels
from csg_analyze.plots.style import COLUMN, FULL, MODEL_COLOURS, style
from csg_analyze.result import Tables
from csg_analyze.wording import shortened

PICTURES = "pictures"
"""The name in the `attrs` of the table of examples under which its images lie."""


@dataclass(frozen=True, eq=False)
class Pictures:
    """Clean and attacked image of every row of a table, float (3, H, W) in [0, 1] each."""

    clean: tuple[FloatArray, ...]
    adversarial: tuple[FloatArray, ...]


def draw_curves(models: Mapping[str, Tables]) -> Figure:
    """ROC curves of the detector with the largest training set, means over the repeats with one standard deviation.

    The dotted line marks 5 % false alarms.
    """
    with style():
        figure, panels = _panels(_attacks(models, "roc"), "false alarms", "adversarial samples found")
        for attack, axes in panels.items():
            for index, (model, tables) in enumerate(models.items()):
                curve = tables["roc"][tables["roc"]["attack"] == attack]
                colour = MODEL_COLOURS[index % len(MODEL_COLOURS)]
                x, y, sd = (curve[name].to_numpy() for name in ("false_alarms", "found", "found_sd"))
                axes.plot(x, y, color=colour, label=shortened(model, 24))
                axes.fill_between(x, np.clip(y - sd, 0, 1), np.clip(y + sd, 0, 1), color=colour, alpha=0.18, lw=0)
            axes.axvline(0.05, color="0.5", lw=0.6, ls=":")
            axes.set(xlim=(0, 1), ylim=(0, 1.01))
        next(iter(panels.values())).legend(loc="lower right")
    return figure


def draw_depth(models: Mapping[str, Tables]) -> Figure:
    """Which depth gives an attack away: the share of every convolution's features in what the detector goes by."""
    attacks = _attacks(models, "importance")
    frames = {}
    for model, tables in models.items():
        table = tables["importance"]
        wide = table.pivot_table(index="depth", columns="attack", values="importance")
        frames[model] = wide.assign(layer=table.groupby("depth")["layer"].first()).reindex(columns=[*attacks, "layer"])
    return lines_by_layer(frames, {attack: f"share, {shortened(attack, 18)}" for attack in attacks})


def draw_transfer(models: Mapping[str, Tables]) -> Figure:
    """Error (%) of detectors trained on one attack and tested on another."""
    attacks = list(dict.fromkeys(next(iter(models.values()))["transfer"]["train_attack"]))
    matrices = {}
    for model, tables in models.items():
        wide = tables["transfer"].pivot_table(index="train_attack", columns="test_attack", values="error_percent")
        matrices[model] = wide.reindex(index=attacks, columns=attacks).to_numpy()
    figure = matrix_panels(
        matrices, row_labels=attacks, column_labels=attacks, row_axis="trained on", column_axis="tested on",
        colour_label="error (%)", vmin=0, vmax=50,
    )  # fmt: skip
    for axes, matrix in zip(figure.axes, matrices.values(), strict=False):
        for (row, column), value in np.ndenumerate(matrix):
            if np.isfinite(value):
                colour = "white" if value > 30 else "black"
                axes.text(column, row, f"{value:.1f}", ha="center", va="center", color=colour, fontsize=7)
    return figure


def draw_examples(models: Mapping[str, Tables]) -> Figure:
    """Clean image, adversarial image and their difference, which is stretched to the full range around grey.

    Above them the label, what the network takes the second for, and the L2 norm of the third for pixels in [0, 1].
    """
    rows = [
        (model, attack, tables["examples"][tables["examples"]["attack"] == attack], tables["examples"].attrs[PICTURES])
        for model, tables in models.items()
        for attack in dict.fromkeys(tables["examples"]["attack"])
    ]
    most = max(len(table) for _, _, table, _ in rows)
    gap = 0.25
    with style():
        side = (FULL - 0.9) / (3 * most + gap * (most - 1))
        figure = Figure(figsize=(FULL, len(rows) * (side + 0.5)), layout="constrained")
        grid = figure.subplots(
            len(rows), 4 * most - 1, squeeze=False, gridspec_kw={"width_ratios": ([1, 1, 1, gap] * most)[:-1]}
        )
        for axes in grid.flat:
            axes.set_xticks([])
            axes.set_yticks([])
            axes.spines[:].set_visible(False)
        for line, (model, attack, table, pictures) in zip(grid, rows, strict=True):
            line[0].set_ylabel(f"{shortened(model, 16)}\n{shortened(attack, 16)}")
            for place, row in enumerate(table.itertuples()):
                clean, adversarial = pictures.clean[row.Index], pictures.adversarial[row.Index]
                difference = adversarial - clean
                stretched = 0.5 + 0.5 * difference / max(float(np.abs(difference).max()), 1e-9)
                three = line[4 * place : 4 * place + 3]
                words = (str(row.label), f"→ {row.prediction}", f"L2 {row.l2:.2f}")
                for axes, image, word in zip(three, (clean, adversarial, stretched), words, strict=True):
                    axes.imshow(np.clip(image.transpose(1, 2, 0), 0, 1), interpolation="nearest")
                    axes.set_title(shortened(word, 13), fontsize=6.5, pad=3)
    return figure


def draw_robustness(models: Mapping[str, Tables]) -> Figure:
    """Accuracy under attack by the bound eps, on all images and (dashed) on those that all models classify correctly.

    Bars are 95 % Wilson intervals; at eps = 0 stands the clean accuracy.
    """
    with style():
        figure, panels = _panels(_attacks(models, "robustness"), "eps (of 255)", "accuracy under attack")
        for attack, axes in panels.items():
            for index, (model, tables) in enumerate(models.items()):
                table = tables["robustness"][tables["robustness"]["attack"] == attack]
                _robust_line(axes, table, index, shortened(model, 24))
            axes.set(xlim=(0, None), ylim=(-0.02, 1.02))
        next(iter(panels.values())).legend(loc="upper right")
    return figure


def _robust_line(axes: Axes, table: pd.DataFrame, index: int, name: str) -> None:
    colour, marker = MODEL_COLOURS[index % len(MODEL_COLOURS)], MARKERS[index % len(MARKERS)]
    table = table.sort_values("eps_value")
    x, y = 255 * table["eps_value"].to_numpy(), table["robust_accuracy"].to_numpy()
    axes.vlines(x, table["low"], table["high"], color=colour, lw=0.8)
    axes.plot(np.insert(x, 0, 0), np.insert(y, 0, table["clean_accuracy"].iloc[0]), marker=marker, ms=3, color=colour,
              label=name)  # fmt: skip
    if table["common_robust_accuracy"].notna().any():
        common = np.insert(table["common_robust_accuracy"].to_numpy(), 0, 1.0)
        axes.plot(np.insert(x, 0, 0), common, ls="--", lw=0.8, color=colour)


def draw_minimal(models: Mapping[str, Tables]) -> Figure:
    """How many images withstand the attack's smallest perturbations: share whose minimal L2 norm is above the value.

    Over the images that the model classifies correctly; those where the attack found nothing withstand at any size.
    """
    with style():
        label = "share of images that withstand"
        figure, panels = _panels(_attacks(models, "withstood"), "L2 norm, pixels in [0, 1]", label)
        for attack, axes in panels.items():
            for index, (model, tables) in enumerate(models.items()):
                table = tables["withstood"][tables["withstood"]["attack"] == attack]
                colour = MODEL_COLOURS[index % len(MODEL_COLOURS)]
                axes.step(table["l2"], table["share"], where="post", color=colour, label=shortened(model, 24))
            axes.set(xlim=(0, None), ylim=(0, 1.02))
        next(iter(panels.values())).legend(loc="upper right")
    return figure


def _panels(attacks: Sequence[str], x_label: str, y_label: str) -> tuple[Figure, dict[str, Axes]]:
    """A panel an attack, at most three in a row, on one y axis."""
    wide = min(len(attacks), 3)
    tall = -(-len(attacks) // wide)
    figure = Figure(figsize=(COLUMN if wide == 1 else FULL, 2.1 * tall + 0.35), layout="constrained")
    grid = figure.subplots(tall, wide, squeeze=False, sharey=True)
    for axes in grid.flat[len(attacks) :]:
        axes.set_axis_off()
    for axes in grid[:, 0]:
        axes.set_ylabel(y_label)
    panels = dict(zip(attacks, grid.flat, strict=False))
    for attack, axes in panels.items():
        axes.set_title(shortened(attack, 30))
        axes.set_xlabel(x_label)
    return figure, panels


def _attacks(models: Mapping[str, Tables], table: str) -> list[str]:
    """Every attack of any model, in order."""
    return list(dict.fromkeys(name for tables in models.values() for name in tables[table]["attack"]))
