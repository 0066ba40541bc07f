"""Numbers by class, one colour a model: points with intervals, and bars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from csg_analyze.report.reduction import shortened, thinned, tick_step
from csg_analyze.report.style import COLUMN, FULL, MODEL_COLOURS, style

MARKERS = "osD^vP*"
MANY = 60
"""Categories beyond which they are ranked instead of named one by one."""


def dots_with_intervals(frames: Mapping[str, pd.DataFrame], *, category: str, value: str, label: str) -> Figure:
    """A point with its interval for every category and model.

    frames: model -> a row a category, with the columns `category`, `value`, low and high (missing: no point).
    More than 60 categories are ranked by the first model's value, and the intervals fade into bands.
    """
    categories, many = _categories(frames, category, value)
    with style():
        figure, axes = _canvas(categories, label)
        spread = 0.0 if many else 0.5 / len(frames)
        for index, (model, table) in enumerate(frames.items()):
            table = table.set_index(category).reindex(categories)
            x = np.arange(len(categories)) + spread * (index - (len(frames) - 1) / 2)
            colour, marker = _look(index)
            axes.vlines(x, table["low"], table["high"], color=colour, lw=0.8, alpha=0.15 if many else 1)
            size = 1.2 if many else 3.2
            axes.plot(x, table[value], marker, color=colour, ms=size, mew=0, label=shortened(model, 30))
        if many:
            axes.set_xlabel(f"rank of the {category} in {shortened(next(iter(frames)), 24)}; n = {len(categories):,}")
        _legend(axes, len(frames))
    return figure


def counts(frames: Mapping[str, pd.DataFrame], *, category: str, value: str, label: str) -> Figure:
    """A bar for every category and model; frames as in `dots_with_intervals`, without the interval.

    More than 60 categories are drawn as one falling line a model, each ranked by itself.
    """
    categories, many = _categories(frames, category, value)
    with style():
        figure, axes = _canvas(categories, label)
        width = 0.75 / len(frames)
        for index, (model, table) in enumerate(frames.items()):
            colour, name = _look(index)[0], shortened(model, 30)
            if many:
                falling = table[value].sort_values(ascending=False).to_numpy()
                axes.stairs(falling, np.arange(len(falling) + 1) - 0.5, color=colour, lw=1, label=name, baseline=None)
            else:
                x = np.arange(len(categories)) + width * (index - (len(frames) - 1) / 2)
                heights = table.set_index(category)[value].reindex(categories)
                axes.bar(x, heights, width, color=colour, label=name)
        if many:
            axes.set_xlabel(f"rank of the {category} within its model; n = {len(categories):,}")
        axes.set_ylim(bottom=0)
        _legend(axes, len(frames))
    return figure


def _categories(frames: Mapping[str, pd.DataFrame], category: str, value: str) -> tuple[list[str], bool]:
    """The categories in the order of the axis, and whether they are too many to be named."""
    first = next(iter(frames.values()))
    many = len(first) > MANY
    ordered = first.sort_values(value, ascending=False, kind="stable") if many else first
    return ordered[category].tolist(), many


def _canvas(categories: Sequence[str], label: str) -> tuple[Figure, Axes]:
    width = COLUMN if len(categories) <= 12 else FULL
    figure = Figure(figsize=(width, 2.3), layout="constrained")
    axes = figure.add_subplot()
    if len(categories) > MANY:
        step = tick_step(len(categories), 11)
        ranks = [1, *range(step, len(categories) + 1, step)]
        axes.set_xticks([rank - 1 for rank in ranks], [f"{rank:,}" for rank in ranks])
    else:
        positions, texts = thinned(categories, MANY)
        upright = max(map(len, texts)) * len(texts) > 14 * width
        axes.set_xticks(positions, texts, rotation=90 if upright else 0)
    axes.set_xlim(-0.7, len(categories) - 0.3)
    axes.set_ylabel(label)
    return figure, axes


def _look(index: int) -> tuple[str, str]:
    return MODEL_COLOURS[index % len(MODEL_COLOURS)], MARKERS[index // len(MODEL_COLOURS) % len(MARKERS)]


def _legend(axes: Axes, n_models: int) -> None:
    # a single model is named all the same: the figure may travel without its page
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=min(n_models, 3), borderaxespad=0.2, markerscale=1.2)
