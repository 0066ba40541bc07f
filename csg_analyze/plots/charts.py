"""Numbers by class, one colour a model: points with intervals, and bars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from csg_analyze.plots.reduction import thinned, tick_step
from csg_analyze.plots.style import COLUMN, FULL, MODEL_COLOURS, style
from csg_analyze.wording import shortened

MARKERS = "osD^vP*"
MANY = 60
"""Categories beyond which they are ranked instead of named one by one."""


def dots_with_intervals(frames: Mapping[str, pd.DataFrame], *, category: str, value: str, label: str) -> Figure:
    """A point with its interval for every category and model.

    frames: model -> a row a category, with the columns `category`, `value`, low and high (missing: no point).
    More than 60 categories are drawn as one falling line a model, each ranked by itself, with a band for the interval.
    """
    categories = next(iter(frames.values()))[category].tolist()
    with style():
        figure, axes = _canvas(categories, category, label)
        for index, (model, table) in enumerate(frames.items()):
            colour, marker = _look(index)
            name = shortened(model, 30)
            if len(categories) > MANY:
                ranked = table.sort_values(value, ascending=False)
                ranks = np.arange(len(ranked))
                axes.fill_between(ranks, ranked["low"], ranked["high"], color=colour, alpha=0.18, lw=0)
                axes.plot(ranks, ranked[value], color=colour, label=name)
            else:
                table = table.set_index(category).reindex(categories)
                x = np.arange(len(categories)) + 0.5 / len(frames) * (index - (len(frames) - 1) / 2)
                axes.vlines(x, table["low"], table["high"], color=colour, lw=0.8)
                axes.plot(x, table[value], marker, color=colour, ms=3.2, mew=0, label=name)
        _legend(figure, axes)
    return figure


def counts(frames: Mapping[str, pd.DataFrame], *, category: str, value: str, label: str) -> Figure:
    """A bar for every category and model; frames as in `dots_with_intervals`, without the interval.

    More than 60 categories are drawn as one falling line a model, each ranked by itself.
    """
    categories = next(iter(frames.values()))[category].tolist()
    with style():
        figure, axes = _canvas(categories, category, label)
        width = 0.75 / len(frames)
        for index, (model, table) in enumerate(frames.items()):
            colour, name = _look(index)[0], shortened(model, 30)
            if len(categories) > MANY:
                falling = table[value].sort_values(ascending=False).to_numpy()
                axes.stairs(falling, np.arange(len(falling) + 1) - 0.5, color=colour, lw=1, label=name, baseline=None)
            else:
                x = np.arange(len(categories)) + width * (index - (len(frames) - 1) / 2)
                heights = table.set_index(category)[value].reindex(categories)
                axes.bar(x, heights, width, color=colour, label=name)
        axes.set_ylim(bottom=0)
        _legend(figure, axes)
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
    longest = max(frames.values(), key=len)
    with style():
        figure = Figure(figsize=(COLUMN, 1.25 * len(quantities) + 0.6), layout="constrained")
        panels = figure.subplots(len(quantities), 1, sharex=True, squeeze=False)[:, 0]
        for axes, (quantity, label) in zip(panels, quantities.items(), strict=True):
            for index, (model, frame) in enumerate(frames.items()):
                colour, marker = _look(index)
                depth = np.arange(len(frame))
                line = {"marker": marker, "ms": 2.5, "lw": 0.9, "color": colour, "label": shortened(model, 30)}
                axes.plot(depth, frame[quantity], **line)
                for low, high in [intervals[quantity]] if intervals and quantity in intervals else []:
                    axes.fill_between(depth, frame[low], frame[high], color=colour, alpha=0.2, lw=0)
                if baselines and quantity in baselines:
                    axes.plot(depth, frame[baselines[quantity]], ":", lw=0.9, color=colour)
            axes.set_ylabel(label)
            axes.set_ylim(bottom=0)
        panels[-1].set_xticks(*thinned(longest["layer"].tolist(), 25), rotation=90)
        _legend(figure, panels[0])
    return figure


def _canvas(categories: Sequence[str], category: str, label: str) -> tuple[Figure, Axes]:
    width = COLUMN if len(categories) <= 12 else FULL
    figure = Figure(figsize=(width, 2.3), layout="constrained")
    axes = figure.add_subplot()
    if len(categories) > MANY:
        step = tick_step(len(categories), 11)
        ranks = [1, *range(step, len(categories) + 1, step)]
        axes.set_xticks([rank - 1 for rank in ranks], [f"{rank:,}" for rank in ranks])
        axes.set_xlabel(f"rank of the {category} within its model; n = {len(categories):,}")
    else:
        positions, texts = thinned(categories, MANY)
        upright = max(map(len, texts)) * len(texts) > 14 * width
        axes.set_xticks(positions, texts, rotation=90 if upright else 0)
    axes.set_xlim(-0.7, len(categories) - 0.3)
    axes.set_ylabel(label)
    return figure, axes


def _look(index: int) -> tuple[str, str]:
    return MODEL_COLOURS[index % len(MODEL_COLOURS)], MARKERS[index // len(MODEL_COLOURS) % len(MARKERS)]


def _legend(figure: Figure, axes: Axes) -> None:
    # a single model is named all the same: the figure may travel without its page
    names = axes.get_legend_handles_labels()[1]
    entry = 0.4 + 0.06 * max(map(len, names))  # inches; a legend that is too wide leaves no room for the axes
    fitting = int((figure.get_figwidth() - 0.5) / entry)
    columns = max(1, min(len(names), fitting, 3))
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=columns, borderaxespad=0.2, markerscale=1.2)
