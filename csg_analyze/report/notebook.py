"""How results and reports look in a notebook: the numbers first, tables and further figures behind a click."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd
from markupsafe import Markup
from matplotlib.figure import Figure

from csg_analyze.html import pieces
from csg_analyze.plots.style import compact, style
from csg_analyze.report.document import ModelReport, Report
from csg_analyze.report.headline import headline_table
from csg_analyze.report.tables import Cell, ShownTable, shown_table
from csg_analyze.result import Drawn, Matrix, Result, Table
from csg_analyze.wording import cell, listed

ROWS, NUMBERS, FIGURES = 10, 15, 2
"""Rows of a table, numbers of a summary and figures of a result that are shown at most."""

SIDE = 8
"""Rows and columns of a matrix that are shown at most."""

DPI, PAGE_DPI = 160, 100
"""Of a figure's pixels, and of its size on the page: it is sharp on a fine screen."""


def drawn(figure: Figure) -> bytes:
    """A figure as PNG, the same bytes for the same figure."""
    stream = io.BytesIO()
    with style():
        figure.savefig(stream, format="png", dpi=DPI, metadata={"Software": None})
    return compact(stream.getvalue())


def html_of_table(table: Table) -> str:
    """The first rows and the caption."""
    return pieces.together(_rows(table.frame, best=table.best), pieces.paragraph(table.caption))


def html_of_matrix(matrix: Matrix) -> str:
    """The first rows and columns of each array of two axes; what the axes are."""
    axes = {
        name: f"{len(labels):,}: {listed([cell(each) for each in labels], 5)}" for name, labels in matrix.axes.items()
    }
    parts = [
        pieces.folded(name, _corner(matrix, array), unfolded=place == 0)
        for place, (name, array) in enumerate(matrix.arrays.items())
        if array.ndim == 2
    ]
    others = {name: f"{array.shape}" for name, array in matrix.arrays.items() if array.ndim != 2}
    return pieces.together(pieces.facts({**axes, **others}), *parts)


def html_of_result(result: Result, model: str) -> str:
    """Summary and first figure; further figures, tables, matrices and notes are folded."""
    summary = pd.DataFrame(result.summary.items(), columns=["number", "value"], dtype=object)
    numbers = _rows(summary, NUMBERS, numeric=[False, True])
    return pieces.together(
        pieces.heading(f"result: {model}") if model else Markup(""),
        numbers if len(summary) else Markup(""),
        *_figures(result.drawn(model or "model")),
        *(
            pieces.folded(f"{name} ({len(table.frame):,} rows)", Markup(html_of_table(table)))
            for name, table in result.tables.items()
        ),
        *(pieces.folded(name, Markup(html_of_matrix(matrix))) for name, matrix in result.matrices.items()),
        *([_list("notes", result.notes)] if result.notes else []),
    )


def html_of_model(model: ModelReport) -> str:
    """What the model is, and the first numbers of every analysis."""
    about = {
        "architecture": model.architecture,
        "training": model.training or "not recorded",
        "classes": f"{model.n_classes}: {listed(model.class_names, 5)}" if model.class_names else model.n_classes,
        "filters": "" if model.n_filters is None else model.n_filters,
    }
    rows = [(name, _first_numbers(result)) for name, result in model.results.items()]
    rows += [(name, f"skipped: {reason}") for name, reason in model.skipped.items()]
    analyses = pd.DataFrame(rows, columns=["analysis", "first numbers"], dtype=object)
    return pieces.together(pieces.heading(model.name), pieces.facts(about), _rows(analyses, 40))


def html_of_report(report: Report) -> str:
    """The title, the first table, and which analyses there are."""
    rows = []
    for section in report.presented():
        skipped = [model.skipped[section.analyzer] for model in report.models if section.analyzer in model.skipped]
        figures = listed(list(report.drawn(section.analyzer)), 5)
        rows.append((section.analyzer, section.about.title, figures, "; ".join(dict.fromkeys(skipped))))
    columns = ["analysis", "what it measures", "figures", "skipped"]
    analyses = pd.DataFrame(rows, columns=columns, dtype=object)
    return pieces.together(
        pieces.heading(report.title),
        _grid(headline_table(report)),
        _rows(analyses, 40),
        *([_list("notes", report.notes)] if report.notes else []),
    )


def _rows(
    frame: pd.DataFrame, most: int = ROWS, *, best: pd.DataFrame | None = None, numeric: list[bool] | None = None
) -> Markup:
    first = frame.head(most)
    bold = None if best is None else best.loc[first.index]
    if any(name is not None for name in first.index.names):
        first, bold = first.reset_index(), None
    return _grid(shown_table(first, best=bold, numeric=numeric), len(frame))


def _grid(table: ShownTable, total: int | None = None) -> Markup:
    return pieces.grid(table.columns, table.rows, total)


def _corner(matrix: Matrix, array: np.ndarray) -> Markup:
    rows, columns = matrix.axes.values()
    head = [("", False), *((cell(label), True) for label in columns[:SIDE])]
    more = ["…"] if array.shape[1] > SIDE else []
    body = [
        [Cell(cell(label)), *(Cell(cell(value)) for value in values[:SIDE]), *map(Cell, more)]
        for label, values in zip(rows[:SIDE], array[:SIDE], strict=False)
    ]
    return pieces.grid([*head, *((name, True) for name in more)], body, len(rows))


def _figures(figures: Mapping[str, Drawn]) -> Iterator[Markup]:
    """The first figure, and the next few folded; further ones are named."""
    for place, (title, each) in enumerate(figures.items()):
        if place == FIGURES:
            yield pieces.paragraph(f"further figures, in drawn(): {listed(list(figures)[place:])}")
            return
        name = title.replace("_", " ")
        try:
            figure = each.figure()
            wide = round(PAGE_DPI * figure.get_figwidth())
            content = pieces.picture(drawn(figure), f"figure: {name}", wide)
        except Exception as error:  # a figure of somebody else's must not hide the numbers
            content = pieces.paragraph(f"{name} cannot be drawn: {type(error).__name__}: {error}")
        yield pieces.folded(name, content, unfolded=place == 0)


def _first_numbers(result: Result) -> str:
    return ", ".join(f"{name} {cell(value)}" for name, value in list(result.summary.items())[:4])


def _list(title: str, texts: tuple[str, ...]) -> Markup:
    entries = (Markup("<li>{}</li>").format(pieces.shown(text, 400)) for text in texts)
    return pieces.folded(f"{title} ({len(texts)})", Markup("<ul>{}</ul>").format(Markup("").join(entries)))
