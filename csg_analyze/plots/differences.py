"""Differences with their intervals, one below the other, beside a line at zero."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from csg_analyze.plots.looks import colours_of
from csg_analyze.plots.style import COLUMN, style


def relative_differences(rows: pd.DataFrame, kinds: Mapping[str, str]) -> Figure:
    """A point and its interval for every row, in per cent of what it is compared with.

    rows: `place` (the text on the left, short), `mean`, `low` and `high` as shares, and `kind`. Rows without an
    interval have NaN in low and high. kinds: kind -> its marker, in the order of the legend.
    """
    with style():
        figure = Figure(figsize=(1.2 * COLUMN, 0.22 * len(rows) + 0.75), layout="constrained")
        axes = figure.add_subplot()
        colours = colours_of(kinds)
        table = rows.assign(order=range(len(rows)))
        table[["mean", "low", "high"]] *= 100
        axes.axvline(0, color="0.6", lw=0.8)
        axes.hlines(table["order"], table["low"], table["high"], [colours[kind] for kind in table["kind"]], lw=1)
        sns.scatterplot(
            table, x="mean", y="order", hue="kind", style="kind", hue_order=list(kinds), style_order=list(kinds),
            palette=colours, markers=dict(kinds), s=22, lw=0, zorder=3, legend=False, ax=axes,
        )  # fmt: skip
        axes.set_yticks(table["order"], table["place"])
        axes.set(ylim=(len(rows) - 0.5, -0.5), ylabel="", xlabel="change in % of STD")
    return figure
