"""Points, bars and lines: one colour a model, and one marker where there are points (see `looks`)."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from csg_analyze.plots.looks import MARKERS, colours_of, markers_of
from csg_analyze.plots.panels import panels_of, rows_and_columns
from csg_analyze.plots.reduction import thinned, tick_step
from csg_analyze.plots.style import COLUMN, FULL, style
from csg_analyze.wording import shortened

MANY = 60
"""Categories beyond which they are ranked instead of named one by one."""


def dots_with_intervals(frames: Mapping[str, pd.DataFrame], *, category: str, value: str, label: str) -> Figure:
    """A point with its interval for every category and model.

    frames: model -> a row a category, with the columns `category`, `value`, low and high (missing: no point).
    More than 60 categories are drawn as one falling line a model, each ranked by itself, with a band for the interval.
    """
    with style():
        table, names = _by_category(frames, category, value)
        figure, axes = _canvas(names)
        if ranked := len(names) > MANY:
            draw_lines(axes, table, frames, "rank", value, band=("low", "high"))
        else:
            beside = {model: index - (len(frames) - 1) / 2 for index, model in enumerate(frames)}
            table["place"] += 0.5 / len(frames) * table["model"].map(beside)
            draw_intervals(axes, table, frames, "place")
            draw_points(axes, table, frames, "place", value, s=14)
        _name_categories(axes, names, category, label)
        name_models(figure, list(frames), line="-" if ranked else "", markers="" if ranked else MARKERS)
    return figure


def counts(frames: Mapping[str, pd.DataFrame], *, category: str, value: str, label: str) -> Figure:
    """A bar for every category and model; frames as in `dots_with_intervals`, without the interval.

    More than 60 categories are drawn as one falling line a model, each ranked by itself.
    """
    with style():
        table, names = _by_category(frames, category, value)
        figure, axes = _canvas(names)
        if ranked := len(names) > MANY:
            draw_lines(axes, table, frames, "rank", value, drawstyle="steps-mid", lw=1)
        else:
            bars = looks_of(frames, markers=False)
            sns.barplot(table, x="place", y=value, errorbar=None, saturation=1, ax=axes, **bars)
        axes.set_ylim(bottom=0)
        _name_categories(axes, names, category, label)
        name_models(figure, list(frames), line="-" if ranked else "", markers="" if ranked else "s")
    return figure


def lines_by_layer(
    frames: Mapping[str, pd.DataFrame],
    quantities: Mapping[str, str],
    *,
    intervals: Mapping[str, tuple[str, str]] | None = None,
    baselines: Mapping[str, str] | None = None,
) -> Figure:
    """One panel a quantity over depth, one line a model; the layers' names below the last panel, thinned out.

    frames: model -> a row a layer in order, with `layer` and a column a quantity. quantities: column -> axis label.
    intervals: column -> the columns of its interval's ends, drawn as a band. baselines: column -> the column of what it
    must exceed to mean anything, drawn as a dotted line.
    """
    layers = max(frames.values(), key=len)["layer"].tolist()
    table = together({model: frame.assign(depth=np.arange(len(frame))) for model, frame in frames.items()})
    with style():
        figure = Figure(figsize=(COLUMN, 1.25 * len(quantities) + 0.45), layout="constrained")
        panels = figure.subplots(len(quantities), 1, sharex=True, squeeze=False)[:, 0]
        for axes, (quantity, label) in zip(panels, quantities.items(), strict=True):
            band = (intervals or {}).get(quantity)
            draw_lines(axes, table, frames, "depth", quantity, band=band, markers=True, ms=3, lw=0.9)
            if quantity in (baselines or {}):
                draw_lines(axes, table, frames, "depth", (baselines or {})[quantity], ls=":", lw=0.9)
            axes.set(xlabel="", ylabel=textwrap.fill(label, 14))
            axes.set_ylim(bottom=0)
        panels[-1].set_xticks(*thinned(layers, 25), rotation=90)
        name_models(figure, list(frames))
    return figure


def together(frames: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The rows of all models below each other, with the model's name in the column `model`."""
    return pd.concat([frame.assign(model=model) for model, frame in frames.items()], ignore_index=True)


def looks_of(models: Iterable[str], *, markers: bool = True) -> dict[str, Any]:
    """How seaborn tells the models in the column `model` apart: by colour and by marker, or by colour alone."""
    names = list(models)
    colours = {"hue": "model", "hue_order": names, "palette": colours_of(names), "legend": False}
    if not markers:
        return colours
    return {**colours, "style": "model", "style_order": names, "markers": markers_of(names)}


def draw_points(
    axes: Axes, table: pd.DataFrame, models: Iterable[str], x: str, y: str, *, lw: float = 0, **look: Any
) -> None:
    """A point for every row of `table`, over all lines and beyond the axes; models, look: as in `draw_lines`."""
    sns.scatterplot(table, x=x, y=y, lw=lw, zorder=3, clip_on=False, ax=axes, **looks_of(models), **look)


def draw_intervals(axes: Axes, table: pd.DataFrame, models: Iterable[str], x: str) -> None:
    """An upright line from low to high for every row of `table`."""
    colours = colours_of(models)
    axes.vlines(table[x], table["low"], table["high"], [colours[model] for model in table["model"]], lw=0.8)


def draw_lines(
    axes: Axes,
    table: pd.DataFrame,
    models: Iterable[str],
    x: str,
    y: str,
    *,
    band: tuple[str, str] | None = None,
    markers: bool = False,
    **look: Any,
) -> None:
    """A line a model through its rows of `table` in their order, interrupted where y is missing.

    models: all that the figure compares, so that each has the same colour in every panel. band: columns of an
    interval's ends. look: of matplotlib's lines.
    """
    if markers:
        look |= {"dashes": False, "mew": 0}
    looks, pieces = looks_of(models, markers=markers), table[y].isna().cumsum()
    sns.lineplot(table, x=x, y=y, units=pieces, estimator=None, sort=False, ax=axes, **looks, **look)
    if band is not None:
        for model, rows in table.groupby("model", sort=False):
            axes.fill_between(rows[x], rows[band[0]], rows[band[1]], color=looks["palette"][model], alpha=0.2, lw=0)


def line_panels(
    models: Iterable[str],
    rows: pd.DataFrame,
    by: str,
    draw: Callable[[Axes, pd.DataFrame], None],
    *,
    x_label: str,
    y_label: str,
    markers: str = "",
) -> Figure:
    """A panel for every value of a column in turn, on one y axis; `draw` draws its rows."""
    parts = dict(list(rows.groupby(by, sort=False)))
    tall, wide = rows_and_columns(len(parts))
    with style():
        figure = Figure(figsize=(COLUMN if wide == 1 else FULL, 2.1 * tall + 0.2), layout="constrained")
        for axes, (name, part) in zip(panels_of(figure, len(parts), share_y=True), parts.items(), strict=True):
            draw(axes, part)
            first = axes.get_subplotspec().is_first_col()  # type: ignore[union-attr]
            axes.set(title=shortened(str(name), 30), xlabel=x_label, ylabel=y_label if first else "")
            axes.tick_params(labelleft=first)
        name_models(figure, list(models), markers=markers)
    return figure


def name_models(
    figure: Figure, models: Iterable[str] | Mapping[str, str], *, line: str = "-", markers: str = MARKERS
) -> None:
    """Say above the panels which look is which model's, after what the first panel has labels for.

    A single model is named all the same: the figure may travel without its page. The figure grows by the room it takes.
    models: their names, or name -> text. markers: MARKERS for each model's own, one for all, or "" for none.
    """
    shapes = markers_of(models) if markers == MARKERS else dict.fromkeys(models, markers)
    handles = [each for each in figure.axes[0].lines if not str(each.get_label()).startswith("_")]
    for model, colour in colours_of(models).items():
        text = models[model] if isinstance(models, Mapping) else shortened(model, 40)
        handles.append(Line2D([], [], color=colour, ls=line, marker=shapes[model], ms=4, mew=0, label=text))
    labels = [str(handle.get_label()) for handle in handles]
    columns = max(1, min(len(labels), int(figure.get_figwidth() / (0.4 + 0.058 * max(map(len, labels))))))
    figure.legend(handles, labels, loc="outside upper left", ncols=columns)
    figure.set_figheight(figure.get_figheight() + 0.15 * -(-len(labels) // columns))


def _by_category(frames: Mapping[str, pd.DataFrame], category: str, value: str) -> tuple[pd.DataFrame, list[str]]:
    """All rows with the `place` of their category, or its `rank` in their model where there are many; its names."""
    table = together(frames)
    namesake = table.groupby(["model", category]).cumcount()  # two classes may share a name
    table["place"] = table.groupby([category, namesake], sort=False).ngroup()
    names = [str(name) for name in table.drop_duplicates("place")[category]]
    if len(names) > MANY:
        table = table.sort_values(value, ascending=False, kind="stable")
        table["rank"] = table.groupby("model").cumcount()
    return table, names


def _canvas(names: Sequence[str]) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(COLUMN if len(names) <= 12 else FULL, 2.15), layout="constrained")
    return figure, figure.add_subplot()


def _name_categories(axes: Axes, names: Sequence[str], category: str, label: str) -> None:
    axes.set(xlim=(-0.7, len(names) - 0.3), xlabel="", ylabel=label)
    if len(names) > MANY:
        step = tick_step(len(names), 11)
        ranks = [1, *range(step, len(names) + 1, step)]
        axes.set_xticks([rank - 1 for rank in ranks], [f"{rank:,}" for rank in ranks])
        axes.set_xlabel(f"rank of the {category} within its model; n = {len(names):,}")
        return
    positions, texts = thinned(names, MANY)
    upright = max(map(len, texts)) * len(texts) > 14 * axes.figure.get_figwidth()  # type: ignore[union-attr]
    axes.set_xticks(positions, texts, rotation=90 if upright else 0)
