"""Fig. 5: confusion matrices of removed filters side by side, and what every single removal costs."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from sklearn.metrics import confusion_matrix

from csg_analyze.metrics.arrays import FloatArray
from csg_analyze.plots.charts import MANY, MARKERS
from csg_analyze.plots.matrices import NAME_HEIGHT, draw_matrix, name_columns, name_rows
from csg_analyze.plots.reduction import thinned
from csg_analyze.plots.style import COLUMN, FULL, MODEL_COLOURS, SEQUENTIAL, colour_map, frame, style
from csg_analyze.result import Tables
from csg_analyze.wording import shortened

REMOVED_COLOUR = "#d55e00"


EVERY_CLASS, SHOWN = 100, 12
"""Classes up to which all are drawn, and how many of more than that."""

NOTHING = "none"
"""The removal of no filter, in the table of matrices."""


@dataclass(frozen=True)
class Panel:
    """One confusion matrix. shares: (true class, predicted class), NaN for a row without images.

    title: the lines above it. removed: rows of the classes whose filters are gone.
    """

    title: Sequence[str]
    shares: FloatArray
    removed: Sequence[int] = ()


def confusion_panels(models: Mapping[str, Tables]) -> Figure:
    """A row a model: no filter removed, those of the first chosen class, and, where several are, those of all of them.

    models: name -> the tables `matrix`, `chosen` and `removals` of the analyzer. All panels share one scale from 0 to
    1, and arrows point at the removed classes. Of more than 100 classes 12 are shown, the removed ones and those they
    are taken for most; all others are one more row and column.
    """
    names, slots = _shown(models)
    rows = {model: _panels(tables, slots) for model, tables in models.items()}
    wide, scale, cmap = max(map(len, rows.values())), Normalize(0, 1), colour_map(SEQUENTIAL)
    of_how_many = f" (of {len(slots):,})" if len(names) < len(slots) or len(names) * NAME_HEIGHT > 1.5 else ""
    longest = 0.055 * max(map(len, thinned(names, 25)[1]))
    side = min(2.1, (FULL - 1.3 - longest) / wide)
    with style():
        size = (side * wide + 1.3 + longest, len(rows) * (side + 0.55) + longest + 0.2)
        figure = Figure(figsize=size, layout="compressed")
        grid = figure.subplots(len(rows), wide, squeeze=False)
        for row, (model, panels) in enumerate(rows.items()):
            for axes, panel in zip(grid[row], panels, strict=False):
                _draw(axes, panel, scale, inches=side)
                first, last = axes is grid[row, 0], row == len(rows) - 1
                name_rows(axes, names, "", "maximum", inches=side, named=first)
                shown = names if last else [""] * len(names)
                name_columns(axes, len(names), shown, "", "maximum", inches=side)
                axes.set_ylabel(f"{shortened(model, 26)}\ntrue class{of_how_many}" if first else "")
                axes.set_xlabel(f"predicted class{of_how_many}" if last else "")
            for axes in grid[row, len(panels) :]:
                axes.set_axis_off()
        bar = figure.colorbar(ScalarMappable(scale, cmap), ax=list(grid.flat), aspect=12 * len(rows), pad=0.02)
        bar.set_label("share of the true class")
        frame(bar.ax)
    return figure


def _shown(models: Mapping[str, Tables]) -> tuple[list[str], dict[str, int]]:
    """Names along the axes, and the row each class is part of: its own, or the last one for all that are not shown."""
    tables = next(iter(models.values()))
    names: list[str] = tables["removals"]["class"].tolist()
    if len(names) <= EVERY_CLASS:
        return names, {name: index for index, name in enumerate(names)}
    removed = _removed(tables)
    cells = pd.concat([each["matrix"] for each in models.values()])
    taken_for = cells[cells["true"].isin(removed)].groupby("predicted")["share"].sum().sort_values(ascending=False)
    wanted = dict.fromkeys([*removed, *taken_for.index, *names])
    chosen = set(itertools.islice(wanted, SHOWN))
    shown = [name for name in names if name in chosen]
    places = {name: index for index, name in enumerate(shown)}
    return [*shown, f"{len(names) - len(shown)} others"], {name: places.get(name, len(shown)) for name in names}


def _removed(tables: Tables) -> list[str]:
    """The chosen classes; where there are several, the last row of `chosen` is their set."""
    removals: list[str] = tables["chosen"]["removal"].tolist()
    return removals[: max(1, len(removals) - 1)]


def _panels(tables: Tables, slots: Mapping[str, int]) -> list[Panel]:
    chosen, before = tables["chosen"], tables["removals"]["recall_before"].mean()
    removed = [slots[name] for name in _removed(tables)]
    title = ["no filter removed", f"mean recall {_text(before)}"]
    panels = [Panel(title, _shares(tables, NOTHING, slots))]
    for index in dict.fromkeys((0, len(chosen) - 1)):
        row = chosen.iloc[index]
        fits = index == 0 or len(row["removal"]) <= 20
        title = [
            f"without {row['removal'] if fits else f'{len(removed)} classes'}",
            f"{row['n_filters']} filter{'' if row['n_filters'] == 1 else 's'} removed",
            f"recall {_text(row['recall_after'])}, others {_text(row['others_after'])}",
        ]
        panels.append(Panel(title, _shares(tables, row["removal"], slots), removed[:1] if index == 0 else removed))
    return panels


def _text(share: float) -> str:
    return "–" if np.isnan(share) else f"{share:.2f}"


def _shares(tables: Tables, removal: str, slots: Mapping[str, int]) -> FloatArray:
    """One matrix (true, predicted) from its cells, those that share a row or column added up; NaN without images."""
    cells = tables["matrix"][tables["matrix"]["removal"] == removal]
    pairs = cells["true"].map(slots), cells["predicted"].map(slots)
    counts = confusion_matrix(*pairs, labels=range(max(slots.values()) + 1), sample_weight=cells["count"])
    images = counts.sum(axis=1, keepdims=True)
    return np.where(images > 0, counts / np.maximum(images, 1), np.nan)


def _draw(axes: Axes, panel: Panel, scale: Normalize, *, inches: float) -> None:
    draw_matrix(axes, panel.shares, norm=scale, cmap=colour_map(SEQUENTIAL), square=True)
    lines = [shortened(line, int(inches * 16)) for line in panel.title]
    axes.set_title("\n".join(lines), fontsize=7, linespacing=1.15)
    beside = axes.get_yaxis_transform()
    for row in panel.removed:
        axes.plot(1.035, row, "<", ms=4, color=REMOVED_COLOUR, mew=0, clip_on=False, transform=beside)


def removal_dots(models: Mapping[str, pd.DataFrame]) -> Figure:
    """Every class removed in turn: the recall it still has against the share of their recall the others keep.

    models: name -> one row a class, with the columns recall_after, others_kept and drop_difference; NaN: no dot. The
    larger mark is the mean of all classes.
    """
    with style():
        figure = Figure(figsize=(COLUMN, 2.75), layout="constrained")
        axes = figure.add_subplot()
        top = 1.0
        for index, (model, table) in enumerate(models.items()):
            table = table.dropna(subset=["recall_after", "others_kept"])
            many = len(table) > MANY
            marker, colour = MARKERS[index % len(MARKERS)], MODEL_COLOURS[index % len(MODEL_COLOURS)]
            x, y = table["recall_after"], table["others_kept"]
            size, alpha = (2.2, 0.35) if many else (4.5, 0.6)
            axes.plot(x, y, marker, color=colour, ms=size, mew=0, alpha=alpha, clip_on=False)
            name = f"{shortened(model, 24)}: indispensability {table['drop_difference'].mean():.2f}"
            axes.plot(x.mean(), y.mean(), marker, color=colour, ms=6.5, mec="black", mew=0.8, clip_on=False, label=name)
            top = max(top, float(np.nanmax([1.0, y.max()])))
        axes.set_xlim(-0.02, 1.02)
        axes.set_ylim(-0.02, top + 0.02)
        axes.set_xticks(np.linspace(0, 1, 6))
        axes.set_xlabel("recall of the class whose filters are removed")
        axes.set_ylabel("share of recall the others keep")
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.2, markerscale=1.2)
    return figure
