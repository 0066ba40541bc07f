"""What an analysis gives back: numbers, and the tables, matrices and pictures that they come from."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from matplotlib.figure import Figure

Number: TypeAlias = "float | int | str | bool | None"

DrawFigure: TypeAlias = "Callable[[Mapping[str, Result]], Figure]"
"""Draws one figure from the results of all compared models, by the model's name, on shared scales."""

Compare: TypeAlias = "Callable[[Mapping[str, Result]], Table]"
"""Makes one table from the results of all models that ran the analysis, by the model's name; a row's first columns say
what it compares. Called where at least two models have a result that names it.
"""

ComparePair: TypeAlias = "Callable[[Result, Result], Table]"
"""Makes the rows of one table from two results: the second minus the first. Which two is the report's to say."""

WritePages: TypeAlias = "Callable[[str], Iterator[tuple[str, bytes]]]"
"""From the model's name to the names and contents of files that make up pages of their own; the entry page first.

Names are plain file names without folders, distinct, of letters, digits and `._-`. The files come to lie in one folder,
two levels below the report's index.html, which links to the entry page.
"""


def or_none(value: Number) -> Number:
    """A value for a summary: None instead of NaN, which is what an undefined number is there."""
    return None if isinstance(value, float) and math.isnan(value) else value


@dataclass(frozen=True, eq=False)
class Table:
    """frame: one observation per row. caption: plain sentences to stand behind its title.

    best: a boolean frame of the same shape, the cells to print in bold; of comparisons only.
    """

    frame: pd.DataFrame
    caption: str = ""
    best: pd.DataFrame | None = None


@dataclass(frozen=True, eq=False)
class Matrix:
    """Numbers over named axes, as they were computed; figures draw them, and the report's file lists them cell by cell.

    axes: what each dimension runs over and the labels along it, in the order of the dimensions. arrays: numbers of that
    shape by name. listed: the cells that the file has, a boolean array of that shape; None: all.
    """

    axes: Mapping[str, Sequence[Any]]
    arrays: Mapping[str, np.ndarray]
    listed: np.ndarray | None = None

    def __post_init__(self) -> None:
        """Raises ValueError where an array does not have the shape of the axes."""
        shape = tuple(len(labels) for labels in self.axes.values())
        arrays = {**self.arrays, **({} if self.listed is None else {"listed": self.listed})}
        for name, array in arrays.items():
            if array.shape != shape:
                raise ValueError(f"{name!r} has the shape {array.shape}, its axes {shape}")

    def __getitem__(self, name: str) -> np.ndarray:
        return self.arrays[name]


@dataclass(frozen=True, eq=False)
class Pictures:
    """What the rows of a table look like: by name one array per row: an image (H, W, 3), a region (H, W), a map."""

    arrays: Mapping[str, np.ndarray | Sequence[np.ndarray]]

    def __getitem__(self, name: str) -> np.ndarray | Sequence[np.ndarray]:
        return self.arrays[name]


@dataclass(frozen=True)
class Drawing:
    """A figure to be drawn when the report is written. caption: plain sentences; the figure's own label goes first."""

    draw: DrawFigure
    caption: str = ""


@dataclass(frozen=True)
class Result:
    """The outcome of one analysis on one model.

    summary: flat names to numbers, the headline first; what cannot be had is None, never a made-up number.
    tables: by name; a bare frame counts as a table without a caption.
    matrices: by name; the report's file of that name lists their cells.
    pictures: by the name of the table whose rows they show.
    comparisons: names to functions that make a table from the results of all compared models (the best in bold).
    paired: names to functions that compare two models (paired intervals). A report calls them for every two twins, and
      for a model without a twin with the report's first model.
    figures: by name; drawn from the results of all compared models, when written. A bare function has no caption.
    samples: one row per image (`sample_id` first), for paired tests between models; None where that has no meaning.
    notes: plain sentences for the reader of the report: settings, what was left out, what falls short.
    sample_sizes: numbers whose chance level depends on how many images they come from (by the name a reader knows:
      "MIS"), and how many those are. Models with different ones are not compared without a warning.
    pages: writes pages of the analysis' own, for what is too much for the report's page; called only when written.
    """

    summary: Mapping[str, Number]
    tables: Mapping[str, Table] = field(default_factory=dict)
    matrices: Mapping[str, Matrix] = field(default_factory=dict)
    pictures: Mapping[str, Pictures] = field(default_factory=dict)
    comparisons: Mapping[str, Compare] = field(default_factory=dict)
    paired: Mapping[str, ComparePair] = field(default_factory=dict)
    figures: Mapping[str, Drawing] = field(default_factory=dict)
    samples: pd.DataFrame | None = None
    notes: tuple[str, ...] = ()
    sample_sizes: Mapping[str, int] = field(default_factory=dict)
    pages: WritePages | None = None

    def __post_init__(self) -> None:
        tables = {name: each if isinstance(each, Table) else Table(each) for name, each in self.tables.items()}
        figures = {name: each if isinstance(each, Drawing) else Drawing(each) for name, each in self.figures.items()}
        object.__setattr__(self, "tables", tables)
        object.__setattr__(self, "figures", figures)

    def frame(self, table: str) -> pd.DataFrame:
        """The rows of one of its tables. Raises KeyError where it has none of that name."""
        return self.tables[table].frame
