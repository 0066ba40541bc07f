"""Figures of attacks: ROC curves, layers that give them away, transfer, robustness, and the images themselves."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from csg_analyze.plots.charts import draw_intervals, draw_lines, line_panels, lines_by_layer, together
from csg_analyze.plots.looks import MARKERS
from csg_analyze.plots.panels import matrix_panels
from csg_analyze.plots.style import FULL, style
from csg_analyze.result import Result
from csg_analyze.wording import shortened


def draw_curves(models: Mapping[str, Result]) -> Figure:
    """ROC curves with one standard deviation, a panel per attack and a line per model."""
    rows = _together(models, "roc")
    for end, side in (("low", -1), ("high", 1)):
        rows[end] = (rows["found"] + side * rows["found_sd"]).clip(0, 1)

    def draw(axes: Axes, curves: pd.DataFrame) -> None:
        draw_lines(axes, curves, models, "false_alarms", "found", band=("low", "high"))
        axes.axvline(0.05, color="0.5", lw=0.6, ls=":")
        axes.set(xlim=(0, 1), ylim=(0, 1.01))

    return line_panels(models, rows, "attack", draw, x_label="false alarms", y_label="adversarial samples found")


def draw_depth(models: Mapping[str, Result]) -> Figure:
    """Importance of every convolution over depth, a panel per attack and a line per model."""
    attacks = _together(models, "importance")["attack"].unique().tolist()
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
    return matrix_panels(
        matrices, row_labels=attacks, column_labels=attacks, row_axis="trained on", column_axis="tested on",
        colour_label="error (%)", vmin=0, vmax=50, annotated=True,
    )  # fmt: skip


def draw_examples(models: Mapping[str, Result]) -> Figure:
    """Rows of clean image, adversarial image and stretched difference, a row per model and attack."""
    rows = [
        (model, str(attack), table, result.pictures["examples"])
        for model, result in models.items()
        for attack, table in result.frame("examples").groupby("attack", sort=False)
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
    rows = _together(models, "robustness")
    clean = rows.drop_duplicates(["model", "attack"]).assign(eps_value=0.0, low=np.nan, high=np.nan)
    clean["robust_accuracy"] = clean["clean_accuracy"]
    clean["common_robust_accuracy"] = clean["common_robust_accuracy"].where(clean["common_robust_accuracy"].isna(), 1.0)
    rows = pd.concat([clean, rows]).sort_values("eps_value", kind="stable")
    rows["eps"] = 255 * rows["eps_value"]

    def draw(axes: Axes, lines: pd.DataFrame) -> None:
        draw_lines(axes, lines, models, "eps", "robust_accuracy", markers=True, ms=4)
        draw_intervals(axes, lines, models, "eps")
        draw_lines(axes, lines, models, "eps", "common_robust_accuracy", ls="--", lw=0.8)
        axes.set(xlim=(0, None), ylim=(-0.02, 1.02))

    x_label, y_label = "eps (of 255)", "accuracy under attack"
    return line_panels(models, rows, "attack", draw, x_label=x_label, y_label=y_label, markers=MARKERS)


def draw_minimal(models: Mapping[str, Result]) -> Figure:
    """Share of images whose smallest perturbation is above the value, a panel per attack and a line per model."""

    def draw(axes: Axes, shares: pd.DataFrame) -> None:
        draw_lines(axes, shares, models, "l2", "share", drawstyle="steps-post")
        axes.set(xlim=(0, None), ylim=(0, 1.02))

    x_label, y_label = "L2 norm, pixels in [0, 1]", "share of images that withstand"
    return line_panels(models, _together(models, "withstood"), "attack", draw, x_label=x_label, y_label=y_label)


def _together(models: Mapping[str, Result], table: str) -> pd.DataFrame:
    return together({model: result.frame(table) for model, result in models.items()})
