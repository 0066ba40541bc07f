"""What an analyzer gives back."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

Tables: TypeAlias = "Mapping[str, pd.DataFrame]"
"""The tables of one model, by name."""

DrawFigure: TypeAlias = "Callable[[Mapping[str, Tables]], Figure]"
"""Draws one figure from the tables of every compared model, by the model's name, on shared scales."""

WritePages: TypeAlias = "Callable[[str], Iterator[tuple[str, bytes]]]"
"""From the model's name to the names and contents of files that make up pages of their own; the entry page first.

Names are plain file names without folders, distinct, of letters, digits and `._-`. The files come to lie in one folder,
two levels below the report's index.html, which links to the entry page.
"""

Compare: TypeAlias = "Callable[[Mapping[str, Result]], pd.DataFrame]"
"""Makes one table from the results of all models that ran the analyzer, by the model's name; a row's first columns say
what it compares. Called where at least two models have a result that names it.
"""

ComparePair: TypeAlias = "Callable[[Result, Result], pd.DataFrame]"
"""Makes the rows of one table from two results: the second minus the first. Which two is the report's to say."""

CAPTION, BOLD = "caption", "bold"
"""What a table's `attrs` may hold: plain sentences to stand behind its title, and the cells to print in bold (a boolean
frame of the table's shape; of comparisons only)."""

Number: TypeAlias = "float | int | str | bool | None"


def known(value: Number) -> Number:
    """A value for a summary: None instead of NaN, which is what an undefined number is there."""
    return None if isinstance(value, float) and math.isnan(value) else value


@dataclass(frozen=True)
class Result:
    """The outcome of one analyzer on one model.

    summary: flat names to numbers, the analyzer's headline first; what cannot be had is None, never a made-up number.
    tables: names to tidy frames (one observation a row).
    comparisons: names to functions that make a table from the results of all compared models (the best in bold).
    paired: names to functions that compare two models (paired intervals). A report calls them for every two twins, and
      for a model without a twin with the report's first model.
    figures: names to functions that draw from the tables of *all* compared models, called only when written.
    samples: one row an image (`sample_id` first), for paired tests between models; None where that has no meaning.
    notes: plain sentences for the reader of the report: settings, what was left out, what falls short.
    pages: writes pages of the analyzer's own, for what is too much for the report's page; called only when written.
    """

    summary: Mapping[str, Number]
    tables: Tables = field(default_factory=dict)
    comparisons: Mapping[str, Compare] = field(default_factory=dict)
    paired: Mapping[str, ComparePair] = field(default_factory=dict)
    figures: Mapping[str, DrawFigure] = field(default_factory=dict)
    samples: pd.DataFrame | None = None
    notes: tuple[str, ...] = ()
    pages: WritePages | None = None
