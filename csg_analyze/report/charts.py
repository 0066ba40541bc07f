"""Numbers by class, one colour a model: points with intervals, and bars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from csg_analyze.report.reduction import counted, shortened, thinned
from csg_analyze.report.style import COLUMN, FULL, MODEL_COLOURS, style

MARKERS = "osD^vP*"
MANY = 60
"""Categories beyond which they are ranked instead of named one by one."""


def dots_with_intervals(frames: Mapping[str, pd.DataFrame], *, category: str, value: str, label: str) -> Figure:
    """A point with its interval for every category and model.

    frames: model -> a row a category, with the columns `category`, `value`, low and high (may be missing: no point).
    More than 60 categories are ranked by the first model's value, the intervals of all models drawn behind.
    """
    with style():
        figure, axes, order = _canvas(frames, category, value, label)
        spread = 0.5 / len(frames) if len(order) <= MANY else 0.0
        for index, (model, column) in enumerate(_aligned(frames, category, order).items()):
            x = np.arange(len(order)) + spread * (index - (len(frames) - 1) / 2)
            colour, marker = _look(index)
            axes.vlines(x, column["low"], column["high"], color=colour, lw=0.8, alpha=1 if len(order) <= MANY else 0.15)
            size = 3.2 if len(order) <= MANY else 1.2
            axes.plot(x, column[value], marker, color=colour, ms=size, mew=0, label=shortened(model, 30))
        _legend(axes, len(frames))
    return figure


def counts(frames: Mapping[str, pd.DataFrame], *, category: str, value: str, label: str) -> Figure:
    """A bar for every category and model; frames as in `dots_with_intervals`, without the interval.

    More than 60 categories are ranked by the first model's value and drawn as steps.
    """
    with style():
        figure, axes, order = _canvas(frames, category, value, label)
        width = 0.75 / len(frames)
        for index, (model, column) in enumerate(_aligned(frames, category, order).items()):
            x = np.arange(len(order)) + width * (index - (len(frames) - 1) / 2)
            colour, name = _look(index)[0], shortened(model, 30)
            if len(order) <= MANY:
                axes.bar(x, column[value], width, color=colour, label=name)
            else:
                axes.stairs(column[value], np.arange(len(order) + 1) - 0.5, color=colour, lw=0.7, label=name)
        axes.set_ylim(bottom=0)
        _legend(axes, len(frames))
    return figure


def _canvas(
    frames: Mapping[str, pd.DataFrame], category: str, value: str, label: str
) -> tuple[Figure, Axes, Sequence[str]]:
    first = next(iter(frames.values()))
    ranked = len(first) > MANY
    order = (first.sort_values(value, ascending=False, kind="stable") if ranked else first)[category].tolist()
    width = COLUMN if len(order) <= 12 else FULL
    figure = Figure(figsize=(width, 2.3), layout="constrained")
    axes = figure.add_subplot()
    if ranked:
        positions = thinned(order, 11)[0]
        axes.set_xticks(positions, [f"{position + 1:,}" for position in positions])
        axes.set_xlabel(
            counted(f"rank of the {category} in {shortened(next(iter(frames)), 24)}", len(order), "mean", 1)
        )
    else:
        positions, texts = thinned(order, 60)
        upright = max(map(len, texts)) * len(texts) > 14 * width
        axes.set_xticks(positions, texts, rotation=90 if upright else 0)
    axes.set_xlim(-0.7, len(order) - 0.3)
    axes.set_ylabel(label)
    return figure, axes, order


def _aligned(frames: Mapping[str, pd.DataFrame], category: str, order: Sequence[str]) -> dict[str, pd.DataFrame]:
    return {model: frame.set_index(category).reindex(order) for model, frame in frames.items()}


def _look(index: int) -> tuple[str, str]:
    return MODEL_COLOURS[index % len(MODEL_COLOURS)], MARKERS[index // len(MODEL_COLOURS) % len(MARKERS)]


def _legend(axes: Axes, n_models: int) -> None:
    # a single model is named all the same: the figure may travel without its page
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=min(n_models, 3), borderaxespad=0.2, markerscale=1.2)
