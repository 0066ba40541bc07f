"""Figures of attacks: ROC curves, layers that give them away, transfer, robustness, and the images themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from csg_analyze.plots.charts import MARKERS, lines_by_layer
from csg_analyze.plots.panels import matrix_panels
from csg_analyze.plots.style import COLUMN, FULL, MODEL_COLOURS, style
from csg_analyze.result import Result
from csg_analyze.wording import shortened


def draw_curves(models: Mapping[str, Result]) -> Figure:
    """ROC curves with one standard deviation, a panel per attack and a line per model."""
    with style():
        figure, panels = _panels(_attacks(models, "roc"), "false alarms", "adversarial samples found")
        for attack, axes in panels.items():
            for index, (model, result) in enumerate(models.items()):
                curve = _of(result, "roc", attack)
                colour = MODEL_COLOURS[index % len(MODEL_COLOURS)]
                x, y, sd = (curve[name].to_numpy() for name in ("false_alarms", "found", "found_sd"))
                axes.plot(x, y, color=colour, label=shortened(model, 24))
                axes.fill_between(x, np.clip(y - sd, 0, 1), np.clip(y + sd, 0, 1), color=colour, alpha=0.18, lw=0)
            axes.axvline(0.05, color="0.5", lw=0.6, ls=":")
            axes.set(xlim=(0, 1), ylim=(0, 1.01))
        next(iter(panels.values())).legend(loc="lower right")
    return figure


def draw_depth(models: Mapping[str, Result]) -> Figure:
    """Importance of every convolution over depth, a panel per attack and a line per model."""
    attacks = _attacks(models, "importance")
    frames = {}
    for model, result in models.items():
        table = result.frame("importance")
        wide = table.pivot_table(index="depth", columns="attack", values="importance")
        frames[model] = wide.assign(layer=table.groupby("depth")["layer"].first()).reindex(columns=[*attacks, "layer"])
    return lines_by_layer(frames, {attack: f"share, {shortened(attack, 18)}" for attack in attacks})


def draw_transfer(models: Mapping[str, Result]) -> Figure:
    """Error of detectors, a panel per model: trained on the attack of the row, tested on that of the column."""
    transfers = {model: result.matrices["transfer"] for model, result in models.items()}
    attacks = list(dict.fromkeys(name for each in transfers.values() for name in each.axes["train_attack"]))
    matrices = {}
    for model, each in transfers.items():
        places = [attacks.index(name) for name in each.axes["train_attack"]]
        matrices[model] = np.full((len(attacks), len(attacks)), np.nan)
        matrices[model][np.ix_(places, places)] = each["error_percent"]
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


def draw_examples(models: Mapping[str, Result]) -> Figure:
    """Rows of clean image, adversarial image and stretched difference, a row per model and attack."""
    rows = [
        (model, attack, _of(result, "examples", attack), result.pictures["examples"])
        for model, result in models.items()
        for attack in dict.fromkeys(result.frame("examples")["attack"])
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
            for place, (index, row) in enumerate(zip(table.index.tolist(), table.itertuples(), strict=True)):
                clean, adversarial = pictures["clean"][index], pictures["adversarial"][index]
                difference = adversarial - clean
                stretched = 0.5 + 0.5 * difference / max(float(np.abs(difference).max()), 1e-9)
                three = line[4 * place : 4 * place + 3]
                words = (str(row.label), f"→ {row.prediction}", f"L2 {row.l2:.2f}")
                for axes, image, word in zip(three, (clean, adversarial, stretched), words, strict=True):
                    axes.imshow(np.clip(image.transpose(1, 2, 0), 0, 1), interpolation="nearest")
                    axes.set_title(shortened(word, 13), fontsize=6.5, pad=3)
    return figure


def draw_robustness(models: Mapping[str, Result]) -> Figure:
    """Accuracy under attack by eps, a panel per attack; dashed: on the images that all models classify correctly."""
    with style():
        figure, panels = _panels(_attacks(models, "robustness"), "eps (of 255)", "accuracy under attack")
        for attack, axes in panels.items():
            for index, (model, result) in enumerate(models.items()):
                table = _of(result, "robustness", attack)
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


def draw_minimal(models: Mapping[str, Result]) -> Figure:
    """Share of images whose smallest perturbation is above the value, a panel per attack and a line per model."""
    with style():
        label = "share of images that withstand"
        figure, panels = _panels(_attacks(models, "withstood"), "L2 norm, pixels in [0, 1]", label)
        for attack, axes in panels.items():
            for index, (model, result) in enumerate(models.items()):
                table = _of(result, "withstood", attack)
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


def _attacks(models: Mapping[str, Result], table: str) -> list[str]:
    """Every attack of any model, in order."""
    return list(dict.fromkeys(name for result in models.values() for name in result.frame(table)["attack"]))


def _of(result: Result, table: str, attack: str) -> pd.DataFrame:
    """The rows of one attack."""
    frame = result.frame(table)
    return frame[frame["attack"] == attack]
