"""The result of an analysis: numbers, and the tables, matrices and pictures behind them."""

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
"""Draws one figure from the results of all compared models, by model name, on shared scales."""

Compare: TypeAlias = "Callable[[Mapping[str, Result]], Table]"
"""Makes one table from the results of all models that ran the analysis, by model name.

The first columns of a row say what it compares. Called if at least two models have a result that names it.
"""

ComparePair: TypeAlias = "Callable[[Result, Result], Table]"
"""Makes the rows of one table from two results, as second minus first; the report chooses the two."""

WritePages: TypeAlias = "Callable[[str], Iterator[tuple[str, bytes]]]"
"""Yields the names and contents of the files of separate pages for a model name, the entry page first.

Names are distinct file names without folders, of letters, digits and `._-`. The files are written to one folder, two
levels below the report's index.html, which links to the entry page.
"""


def or_none(value: Number) -> Number:
    """A value for a summary: undefined numbers, NaN, become None."""
    return None if isinstance(value, float) and math.isnan(value) else value


@dataclass(frozen=True, eq=False)
class Table:
    """frame: one observation per row. caption: plain sentences, shown behind the title.

    best: a boolean frame of the same shape, True for cells to print in bold; only in comparisons. tidy: the same with
    one observation per row, for the CSV, if the frame has several in a row (a column per class, say).
    """

    frame: pd.DataFrame
    caption: str = ""
    best: pd.DataFrame | None = None
    tidy: pd.DataFrame | None = None

    @property
    def rows(self) -> pd.DataFrame:
        """One observation per row: `tidy`, or else the frame."""
        return self.frame if self.tidy is None else self.tidy

    def __repr__(self) -> str:
        return f"Table({len(self.frame)} rows of {', '.join(map(str, self.frame.columns))!r:.200})"

    def _repr_html_(self) -> str:
        from csg_analyze.report.notebook import html_of_table

        return html_of_table(self)


@dataclass(frozen=True, eq=False)
class Matrix:
    """Numbers over named axes; figures draw them, and the report's file lists them cell by cell.

    axes: name -> labels of each dimension, in order. arrays: name -> numbers of that shape. listed: the cells in the
    file, a boolean array of that shape; None: all.
    """

    axes: Mapping[str, Sequence[Any]]
    arrays: Mapping[str, np.ndarray]
    listed: np.ndarray | None = None

    def __post_init__(self) -> None:
        """Raises ValueError if an array does not have the shape of the axes."""
        shape = tuple(len(labels) for labels in self.axes.values())
        arrays = {**self.arrays, **({} if self.listed is None else {"listed": self.listed})}
        for name, array in arrays.items():
            if array.shape != shape:
                raise ValueError(f"{name!r} has the shape {array.shape}, its axes {shape}")

    def __getitem__(self, name: str) -> np.ndarray:
        return self.arrays[name]

    def __repr__(self) -> str:
        from csg_analyze.wording import shortened

        axes = " x ".join(f"{len(labels)} {shortened(name, 40)}" for name, labels in self.axes.items())
        return f"Matrix({axes}: {', '.join(self.arrays)!r:.200})"

    def _repr_html_(self) -> str:
        from csg_analyze.report.notebook import html_of_matrix

        return html_of_matrix(self)


@dataclass(frozen=True, eq=False)
class Pictures:
    """Pictures of the rows of a table: name -> one array per row, an image (H, W, 3), a region (H, W) or a map."""

    arrays: Mapping[str, np.ndarray | Sequence[np.ndarray]]

    def __getitem__(self, name: str) -> np.ndarray | Sequence[np.ndarray]:
        return self.arrays[name]

    def __repr__(self) -> str:
        return f"Pictures({', '.join(f'{len(arrays)} {name}' for name, arrays in self.arrays.items())!r:.200})"


@dataclass(frozen=True)
class Drawing:
    """A figure, drawn when the report is written. caption: plain sentences; the figure's own label replaces it.

    photographs: whether it shows images of the data, whose colours a dark page must leave as they are.
    """

    draw: DrawFigure
    caption: str = ""
    photographs: bool = False

    def __repr__(self) -> str:
        name = getattr(self.draw, "__name__", type(self.draw).__name__)
        return f"Drawing({name}, {self.caption!r:.100}; drawn() of its result shows it)"


@dataclass(frozen=True, eq=False)
class Drawn:
    """A drawing with the results that it draws, by model name: a figure in a notebook."""

    drawing: Drawing
    results: Mapping[str, Result]

    def figure(self) -> Figure:
        """The figure of matplotlib, newly drawn, to be changed or saved."""
        from csg_analyze.plots.style import style

        with style():
            return self.drawing.draw(self.results)

    def __repr__(self) -> str:
        return f"Drawn({self.drawing.caption!r:.100}, of {', '.join(self.results)!r:.100})"

    def _repr_png_(self) -> bytes:
        from csg_analyze.report.notebook import drawn

        return drawn(self.figure())


@dataclass(frozen=True)
class Result:
    """The result of one analysis on one model.

    summary: name -> number, the headline first; None for a number that is not available.
    tables: by name; a bare frame is a table without a caption.
    matrices: by name; the report's file of this name lists their cells.
    pictures: by the name of the table whose rows they show.
    comparisons: name -> function that makes a table from the results of all compared models (the best in bold).
    paired: name -> function that compares two models (paired intervals). A report calls it for every two twins, and for
      every model without a twin together with the report's first model.
    figures: by name; drawn from the results of all compared models. A bare function has no caption.
    samples: one row per image (`sample_id` first), for paired tests between models; None if there are none.
    notes: plain sentences for the reader of the report: settings, omissions, shortcomings.
    sample_sizes: number of images, by the name of a number for the reader ("MIS"), for numbers whose chance level
      depends on it. Comparing models with different sample sizes gives a warning.
    pages: writes separate pages, with contents that are too large for the report's page.
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
        tables = {name: table if isinstance(table, Table) else Table(table) for name, table in self.tables.items()}
        figures = {
            name: figure if isinstance(figure, Drawing) else Drawing(figure) for name, figure in self.figures.items()
        }
        object.__setattr__(self, "tables", tables)
        object.__setattr__(self, "figures", figures)

    def frame(self, table: str) -> pd.DataFrame:
        """The frame of a table. Raises KeyError for an unknown name."""
        return self.tables[table].frame

    def drawn(self, model: str = "model") -> dict[str, Drawn]:
        """The figures of this result alone, by title; a notebook shows them. model: what they call it."""
        return {title: Drawn(drawing, {model: self}) for title, drawing in self.figures.items()}

    def __repr__(self) -> str:
        from csg_analyze.wording import cell, shortened

        numbers = ", ".join(
            f"{shortened(name, 40)}={shortened(cell(value), 40)}" for name, value in list(self.summary.items())[:3]
        )
        more = ", ..." * (len(self.summary) > 3)
        parts = {"tables": self.tables, "matrices": self.matrices, "figures": self.figures}
        held = "".join(f"; {name}: {', '.join(each)!r:.100}" for name, each in parts.items() if each)
        return f"Result({numbers}{more}{held})"

    def _repr_html_(self) -> str:
        from csg_analyze.report.notebook import html_of_result

        return html_of_result(self, "")
