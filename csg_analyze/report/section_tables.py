"""The tables of a report: for its pages, and written to their files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import pandas as pd

from csg_analyze.report.document import Report, Section
from csg_analyze.report.headline import (
    TEXT_COLUMNS,
    first_table,
    first_table_as_shown,
    has_headlines,
    headline_table,
    measured,
)
from csg_analyze.report.latex import write_latex
from csg_analyze.report.ledger import Ledger
from csg_analyze.report.over_seeds import (
    in_headline,
    over_seeds,
    over_seeds_as_shown,
    over_seeds_tidy,
    seeds_table,
    worth_showing,
)
from csg_analyze.report.seeds import compared, seeds_of
from csg_analyze.report.tables import Cell, ShownTable, first_rows, joined, shown_table
from csg_analyze.report.writing import write_csv
from csg_analyze.result import Result, Table
from csg_analyze.wording import cell

COMPARED_ROWS = 60
"""Largest number of rows of a comparison on the page; most comparisons are shown completely."""

SEEDS_APART = (
    "Every interval here is for these two networks and other images, not for other seeds. The table over seeds has the "
    "variation between seeds, and the difference over seeds with its interval."
)


def write_headline(report: Report, ledger: Ledger) -> ShownTable:
    """The first table, written in full precision (CSV) and as shown (LaTeX)."""
    name, folder = ledger.name("table1"), ledger.folder / "tables"
    if has_headlines(report):
        cells, bold = first_table_as_shown(report)
        write_csv(first_table(report), folder / f"{name}.csv")
        align = "".join("l" if column in TEXT_COLUMNS else "r" for column in cells.columns)
        write_latex(cells, folder / f"{name}.tex", bold=bold, align=align)
    else:
        numbers = measured(report)
        write_csv(numbers.melt("number", var_name="model"), folder / f"{name}.csv")
        write_latex(numbers, folder / f"{name}.tex", align="l" + "r" * len(report.models))
    return replace(headline_table(report), number=next(ledger.tables), files=_files(ledger, name))


def write_seeds(report: Report, ledger: Ledger) -> tuple[ShownTable, ShownTable] | None:
    """The numbers over seeds, the headlines and all of them; None without several seeds or the paper's numbers.

    All are written in full precision (CSV) and as shown (LaTeX).
    """
    seeds = seeds_of(report.models)
    if not worth_showing(report, seeds):
        return None
    numbers = over_seeds(report, seeds)
    cells, name = over_seeds_as_shown(numbers, seeds), ledger.name("over_seeds")
    write_csv(over_seeds_tidy(numbers, seeds), ledger.folder / "tables" / f"{name}.csv")
    write_latex(cells, ledger.folder / "tables" / f"{name}.tex", align="l" + "r" * (len(cells.columns) - 1))
    files = _files(ledger, name)
    caption = " ".join(filter(None, [report.remark, *(f"{note}." for note in (*seeds.cautions, *seeds.notes))]))
    headlines, everything = (
        replace(
            seeds_table(part), number=next(ledger.tables), caption=caption, total=len(cells), files=files
        )
        for part in (cells[in_headline(report, numbers)], cells)
    )  # fmt: skip
    return headlines, everything


def summary_table(results: Mapping[str, Result]) -> ShownTable | None:
    """The numbers of an analysis, one column per model; None without numbers."""
    names = dict.fromkeys(name for result in results.values() for name in result.summary)
    if not names:
        return None
    rows = tuple((Cell(name), *(Cell(cell(result.summary.get(name))) for result in results.values())) for name in names)
    return ShownTable((("", False), *((model, True) for model in results)), rows)


def write_tables(
    section: Section, results: Mapping[str, Result], report: Report, ledger: Ledger
) -> tuple[ShownTable, ...]:
    """Write the tables of an analysis: comparisons first, then tables with the rows of all models."""
    return (
        *_write_comparisons(section, results, report, ledger),
        *_write_paired(section, results, report, ledger),
        *_write_joined(section, results, ledger),
    )


def _write_comparisons(
    section: Section, results: Mapping[str, Result], report: Report, ledger: Ledger
) -> Iterator[ShownTable]:
    for title, compare, part in report.shared(results, lambda result: result.comparisons):
        if len(part) > 1:
            table = compare(part)
            yield _write_table(section, title, table, table.frame.head(COMPARED_ROWS), ledger)


def _write_paired(
    section: Section, results: Mapping[str, Result], report: Report, ledger: Ledger
) -> Iterator[ShownTable]:
    for title, compare, part in report.shared(results, lambda result: result.paired):
        models = [model for model in report.models if model.name in part]
        pairs = compared(models)
        tables = [compare(part[first], part[second]) for first, second in pairs]
        if tables:
            frames = [
                table.frame.assign(comparison=f"{second} − {first}")
                for table, (first, second) in zip(tables, pairs, strict=True)
            ]
            frame = pd.concat(frames, ignore_index=True)
            frame = frame[["comparison", *frame.columns.drop("comparison")]]
            seeds = seeds_of(models)
            caption = [tables[0].caption, SEEDS_APART * seeds.several, *(f"{c}." for c in seeds.cautions)]
            heading = f"{title}, one seed's images, not seeds" if seeds.several else title
            table = Table(frame, " ".join(filter(None, caption)))
            yield _write_table(section, title, table, frame.head(COMPARED_ROWS), ledger, heading)


def _write_joined(section: Section, results: Mapping[str, Result], ledger: Ledger) -> Iterator[ShownTable]:
    names = [name for result in results.values() for name in result.tables]
    names += [name for result in results.values() for name in result.matrices]
    for name in dict.fromkeys(names):
        table = joined(results, name)
        yield _write_table(section, name, table, first_rows(table.frame), ledger)


def _write_table(
    section: Section, title: str, table: Table, excerpt: pd.DataFrame, ledger: Ledger, heading: str = ""
) -> ShownTable:
    """Write a table to files named after `title`; the page shows an excerpt under `heading`, by default the title."""
    name = ledger.name(section.analyzer, title)
    write_csv(table.rows, ledger.folder / "tables" / f"{name}.csv")
    write_latex(table.frame, ledger.folder / "tables" / f"{name}.tex", bold=table.best)
    return replace(
        shown_table(excerpt, best=table.best, caption=table.caption),
        number=next(ledger.tables),
        title=(heading or title).replace("_", " "),
        total=len(table.frame),
        files=_files(ledger, name),
    )


def _files(ledger: Ledger, name: str) -> tuple[str, ...]:
    return ledger.kept(f"tables/{name}.csv", f"tables/{name}.tex")
