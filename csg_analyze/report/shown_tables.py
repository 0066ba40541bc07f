"""The tables that the pages of a report show, written to their files on the way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from csg_analyze.report.document import Report, Section
from csg_analyze.report.ledger import Ledger
from csg_analyze.report.seed_tables import in_headline, over_seeds, over_seeds_as_shown, worth_showing
from csg_analyze.report.seeds import compared, seeds_of
from csg_analyze.report.tables import (
    TEXT_COLUMNS,
    as_cells,
    fills_table_1,
    first_rows,
    is_number,
    joined,
    measured,
    table_1,
    table_1_as_shown,
    write_csv,
    write_latex,
)
from csg_analyze.result import BOLD, CAPTION, Result
from csg_analyze.wording import cell

COMPARED_ROWS = 60
"""Rows of a comparison that the page shows: it is made to be read whole."""

TABLE_1_CAPTION = (
    "Accuracy with its 95 % interval; mutual information score MIS and its chance level, the MIS under permuted "
    "labels; L1-density of the gate with its theoretical interval [1/C, g/(CK)]."
)
BEST_IS_BOLD = " The best accuracy and MIS are bold."
SEEDS_APART = (
    "Every interval here is of two networks, and speaks of other images for these two; how much seeds differ, and the "
    "difference over seeds with its interval, stand in the table over seeds."
)


@dataclass(frozen=True)
class Cell:
    """One cell: what it shows, and the number it is sorted by (None: by its text)."""

    text: str
    number: float | None = None
    bold: bool = False


@dataclass(frozen=True)
class Table:
    """A table as far as a page shows it.

    columns: (name, whether it holds numbers). caption: what stands behind the title. total: rows in the file.
    files: what the page links to, by path in the report's folder.
    """

    columns: tuple[tuple[str, bool], ...]
    rows: tuple[tuple[Cell, ...], ...]
    number: int = 0
    title: str = ""
    caption: str = ""
    total: int = 0
    files: tuple[str, ...] = ()

    @property
    def csv(self) -> str:
        """The file with every row; empty where the report has none."""
        return next((file for file in self.files if file.endswith(".csv")), "")


def write_headline(report: Report, ledger: Ledger) -> Table:
    """Table 1, written in full precision (CSV) and as shown (LaTeX); what was measured where nothing fills it."""
    name, folder = ledger.name("table1"), ledger.folder / "tables"
    if not fills_table_1(report):
        return _write_measured(measured(report), name, ledger)
    cells, bold = table_1_as_shown(report.models)
    write_csv(table_1(report.models), folder / f"{name}.csv")
    align = "".join("l" if column in TEXT_COLUMNS else "r" for column in cells.columns)
    write_latex(cells, folder / f"{name}.tex", bold=bold, align=align)
    rows = tuple(
        tuple(Cell(text, bold=bool(heavy)) for text, heavy in zip(texts, weights, strict=True))
        for texts, weights in zip(cells.to_numpy(), bold.to_numpy(), strict=True)
    )
    columns = tuple((column, column not in TEXT_COLUMNS) for column in cells.columns)
    caption = TABLE_1_CAPTION + BEST_IS_BOLD * (len(report.models) > 1)
    return Table(columns, rows, next(ledger.tables), caption=caption, total=len(rows), files=_files(ledger, name))


def _write_measured(table: pd.DataFrame, name: str, ledger: Ledger) -> Table:
    """Every number of a report that has none of Table 1's."""
    write_csv(table, ledger.folder / "tables" / f"{name}.csv")
    write_latex(table, ledger.folder / "tables" / f"{name}.tex", align="l" + "r" * (len(table.columns) - 1))
    rows = tuple(tuple(Cell(text) for text in texts) for texts in as_cells(table).to_numpy())
    columns = tuple((str(column), place > 0) for place, column in enumerate(table.columns))
    caption = "What was measured, a row a number."
    return Table(columns, rows, next(ledger.tables), caption=caption, total=len(rows), files=_files(ledger, name))


def write_seeds(report: Report, ledger: Ledger) -> tuple[Table, Table] | None:
    """The numbers over seeds, those of the headline and all; None where there is one seed and no number of the paper.

    One file holds all of them in full precision (CSV) and as shown (LaTeX).
    """
    seeds = seeds_of(report.models)
    if not worth_showing(report, seeds):
        return None
    table = over_seeds(report, seeds)
    shown, name = over_seeds_as_shown(table, seeds), ledger.name("over_seeds")
    write_csv(table, ledger.folder / "tables" / f"{name}.csv")
    write_latex(shown, ledger.folder / "tables" / f"{name}.tex", align="l" + "r" * (len(shown.columns) - 1))
    columns = tuple((column, place > 0) for place, column in enumerate(shown.columns))
    files = _files(ledger, name)
    notes = " ".join(filter(None, [report.remark, *(f"{note}." for note in (*seeds.cautions, *seeds.notes))]))

    def part(rows: pd.DataFrame, number: int) -> Table:
        cells = tuple(tuple(Cell(text) for text in texts) for texts in rows.to_numpy())
        return Table(columns, cells, number, caption=notes, total=len(table), files=files)

    return part(shown[in_headline(report, table)], next(ledger.tables)), part(shown, next(ledger.tables))


def summary_table(results: Mapping[str, Result]) -> Table | None:
    """An analyzer's numbers, a column a model; None where it has none."""
    names = dict.fromkeys(name for result in results.values() for name in result.summary)
    if not names:
        return None
    rows = tuple((Cell(name), *(Cell(cell(result.summary.get(name))) for result in results.values())) for name in names)
    return Table((("", False), *((model, True) for model in results)), rows)


def write_tables(section: Section, results: Mapping[str, Result], report: Report, ledger: Ledger) -> tuple[Table, ...]:
    """Write one analyzer's tables: what compares models first, then each with the rows of all models."""
    return (
        *_write_comparisons(section, results, report, ledger),
        *_write_paired(section, results, report, ledger),
        *_write_joined(section, results, ledger),
    )


def _write_comparisons(
    section: Section, results: Mapping[str, Result], report: Report, ledger: Ledger
) -> Iterator[Table]:
    for title, compare, part in report.shared(results, lambda result: result.comparisons):
        if len(part) > 1:
            table = compare(part)
            yield _write_table(section, title, table, table.head(COMPARED_ROWS), ledger)


def _write_paired(section: Section, results: Mapping[str, Result], report: Report, ledger: Ledger) -> Iterator[Table]:
    for title, compare, part in report.shared(results, lambda result: result.paired):
        models = [model for model in report.models if model.name in part]
        frames = [
            compare(part[first], part[second]).assign(comparison=f"{second} − {first}")
            for first, second in compared(models)
        ]
        if frames:
            table = pd.concat(frames, ignore_index=True)
            table = table[["comparison", *table.columns.drop("comparison")]]
            seeds = seeds_of(models)
            said = [frames[0].attrs.get(CAPTION, ""), SEEDS_APART * seeds.several, *(f"{c}." for c in seeds.cautions)]
            table.attrs = {**frames[0].attrs, CAPTION: " ".join(filter(None, said))}
            shown = f"{title}, one seed's images, not seeds" if seeds.several else title
            yield _write_table(section, title, table, table.head(COMPARED_ROWS), ledger, shown)


def _write_joined(section: Section, results: Mapping[str, Result], ledger: Ledger) -> Iterator[Table]:
    for title in dict.fromkeys(title for result in results.values() for title in result.tables):
        table = joined(results, title)
        yield _write_table(section, title, table, first_rows(table), ledger)


def _write_table(
    section: Section, title: str, table: pd.DataFrame, excerpt: pd.DataFrame, ledger: Ledger, shown: str = ""
) -> Table:
    """Write a table to the files that `title` names; the page calls it `shown`, or else by its title."""
    name, bold = ledger.name(section.analyzer, title), table.attrs.get(BOLD)
    write_csv(table, ledger.folder / "tables" / f"{name}.csv")
    write_latex(table, ledger.folder / "tables" / f"{name}.tex", bold=bold)
    numeric = [is_number(table[column]) for column in table.columns]
    columns = tuple(zip(map(cell, table.columns), numeric, strict=True))
    weights = np.zeros(excerpt.shape, bool) if bold is None else bold.loc[excerpt.index].to_numpy()
    rows = tuple(
        tuple(Cell(text, float(value) if number and pd.notna(value) else None, bool(heavy))
              for text, value, number, heavy in zip(texts, values, numeric, heavies, strict=True))
        for texts, values, heavies in zip(
            as_cells(excerpt).itertuples(index=False), excerpt.itertuples(index=False), weights, strict=True
        )
    )  # fmt: skip
    caption = str(table.attrs.get(CAPTION, ""))
    files = _files(ledger, name)
    return Table(columns, rows, next(ledger.tables), (shown or title).replace("_", " "), caption, len(table), files)


def _files(ledger: Ledger, name: str) -> tuple[str, ...]:
    return ledger.kept(f"tables/{name}.csv", f"tables/{name}.tex")
