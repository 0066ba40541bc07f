"""What the pages of a report show: tables, figures and samples, written to their files on the way."""

from __future__ import annotations

import base64
import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from csg_analyze.errors import UsageError
from csg_analyze.report.document import Report, Section
from csg_analyze.report.seed_tables import in_headline, over_seeds, over_seeds_as_shown, worth_showing
from csg_analyze.report.seeds import seeds_of
from csg_analyze.report.style import save, style
from csg_analyze.report.tables import (
    TEXT_COLUMNS,
    as_cells,
    cell,
    first_rows,
    is_number,
    joined,
    stacked,
    table_1,
    table_1_as_shown,
    write_csv,
    write_latex,
    write_parquet,
)
from csg_analyze.result import BOLD, CAPTION, Compare, Result

COMPARED_ROWS = 60
"""Rows of a comparison that the page shows: it is made to be read whole."""


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
    """

    columns: tuple[tuple[str, bool], ...]
    rows: tuple[tuple[Cell, ...], ...]
    number: int = 0
    title: str = ""
    caption: str = ""
    total: int = 0
    file: str = ""


@dataclass(frozen=True)
class Picture:
    """A figure: its caption, its files (`figures/<file>.png`, `.pdf`) and its size in inches."""

    number: int
    caption: str
    file: str
    png: str
    width: float
    height: float


@dataclass(frozen=True)
class Outcome:
    """One section of the report. notes, skipped: (whom it concerns, what is to be said). pages: (model, entry page)."""

    anchor: str
    title: str
    description: tuple[str, ...]
    summary: Table | None
    tables: tuple[Table, ...]
    pictures: tuple[Picture, ...]
    notes: tuple[tuple[str, str], ...]
    skipped: tuple[tuple[str, str], ...]
    samples: str
    pages: tuple[tuple[str, str], ...]


@dataclass
class Ledger:
    """The folder being written, and the file names and numbers given out so far."""

    folder: Path
    taken: set[str] = field(default_factory=set)
    tables: Iterator[int] = field(default_factory=lambda: count(1))
    figures: Iterator[int] = field(default_factory=lambda: count(1))

    def name(self, *parts: str) -> str:
        """A file name of its own, safe on every system, even for parts that were meant as paths."""
        wanted = re.sub(r"[^A-Za-z0-9.-]+", "_", "_".join(parts)).strip("._")[:100] or "unnamed"
        names = (wanted if number == 1 else f"{wanted}-{number}" for number in count(1))
        name = next(name for name in names if name.casefold() not in self.taken)
        self.taken.add(name.casefold())
        return name


def write_headline(report: Report, ledger: Ledger) -> Table:
    """Table 1, written in full precision (CSV) and as shown (LaTeX)."""
    cells, bold = table_1_as_shown(report.models)
    name, folder = ledger.name("table1"), ledger.folder / "tables"
    write_csv(table_1(report.models), folder / f"{name}.csv")
    align = "".join("l" if column in TEXT_COLUMNS else "r" for column in cells.columns)
    write_latex(cells, folder / f"{name}.tex", bold=bold, align=align)
    rows = tuple(
        tuple(Cell(text, bold=bool(heavy)) for text, heavy in zip(texts, weights, strict=True))
        for texts, weights in zip(cells.to_numpy(), bold.to_numpy(), strict=True)
    )
    columns = tuple((column, column not in TEXT_COLUMNS) for column in cells.columns)
    return Table(columns, rows, next(ledger.tables), total=len(rows), file=name)


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
    notes = " ".join(filter(None, [report.remark, *(f"{note}." for note in seeds.notes)]))

    def part(rows: pd.DataFrame, number: int) -> Table:
        cells = tuple(tuple(Cell(text) for text in texts) for texts in rows.to_numpy())
        return Table(columns, cells, number, caption=notes, total=len(table), file=name)

    return part(shown[in_headline(report, table)], next(ledger.tables)), part(shown, next(ledger.tables))


def write_section(section: Section, report: Report, ledger: Ledger) -> Outcome:
    """Write one analyzer's tables, figures and samples, and say what the page shows of them."""
    models = {model.name: model for model in report.models}
    results = {
        name: model.results[section.analyzer] for name, model in models.items() if section.analyzer in model.results
    }
    skipped = {
        name: model.skipped[section.analyzer] for name, model in models.items() if section.analyzer in model.skipped
    }
    paragraphs = re.split(r"\n\s*\n", inspect.cleandoc(section.description))
    return Outcome(
        anchor=re.sub(r"[^A-Za-z0-9]+", "-", section.analyzer).strip("-") or "section",
        title=section.title,
        description=tuple(" ".join(text.split()) for text in paragraphs if text.strip()),
        summary=_summary(results),
        tables=(*_write_comparisons(section, results, report, ledger), *_write_tables(section, results, ledger)),
        pictures=tuple(_write_figures(section, results, report, ledger)),
        notes=_by_text({name: result.notes for name, result in results.items()}, everybody=len(results)),
        skipped=_by_text({name: (reason,) for name, reason in skipped.items()}, everybody=0),
        samples=_write_samples(section, results, ledger),
        pages=tuple(_write_pages(section, results, ledger)),
    )


def _summary(results: Mapping[str, Result]) -> Table | None:
    names = dict.fromkeys(name for result in results.values() for name in result.summary)
    if not names:
        return None
    rows = tuple((Cell(name), *(Cell(cell(result.summary.get(name))) for result in results.values())) for name in names)
    return Table((("", False), *((model, True) for model in results)), rows)


def _shared(
    results: Mapping[str, Result], report: Report, things: Callable[[Result], Mapping[str, object]]
) -> Iterator[tuple[str, Mapping[str, Result]]]:
    """Every title of what models share (figures, comparisons), and the results of those who can share it."""
    for title in dict.fromkeys(title for result in results.values() for title in things(result)):
        for part in report.alike({name: result for name, result in results.items() if title in things(result)}):
            yield title, part


def _write_comparisons(
    section: Section, results: Mapping[str, Result], report: Report, ledger: Ledger
) -> Iterator[Table]:
    made: dict[str, Compare] = {}
    for result in results.values():
        made = {**result.comparisons, **made}
    for title, part in _shared(results, report, lambda result: result.comparisons):
        if len(part) > 1:
            table = made[title](part)
            yield _write_table(section, title, table, table.head(COMPARED_ROWS), ledger)


def _write_tables(section: Section, results: Mapping[str, Result], ledger: Ledger) -> Iterator[Table]:
    for title in dict.fromkeys(title for result in results.values() for title in result.tables):
        table = joined(results, title)
        yield _write_table(section, title, table, first_rows(table), ledger)


def _write_table(section: Section, title: str, table: pd.DataFrame, excerpt: pd.DataFrame, ledger: Ledger) -> Table:
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
    return Table(columns, rows, next(ledger.tables), title.replace("_", " "), caption, len(table), name)


def _write_figures(
    section: Section, results: Mapping[str, Result], report: Report, ledger: Ledger
) -> Iterator[Picture]:
    drawn: dict[str, Callable[..., Any]] = {}
    for result in results.values():
        drawn = {**result.figures, **drawn}
    for title, part in _shared(results, report, lambda result: result.figures):
        try:
            with style():
                figure = drawn[title]({name: result.tables for name, result in part.items()})
            name = ledger.name(section.analyzer, title)
            png = save(figure, ledger.folder / "figures", name)
        except Exception as error:
            error.add_note(f"while drawing the figure {title!r} of the analyzer {section.analyzer!r}")
            raise
        caption = str(figure.get_label()) or _first_paragraph(drawn[title]) or title.replace("_", " ")
        width, height = figure.get_size_inches()
        text = base64.b64encode(png).decode("ascii")
        yield Picture(next(ledger.figures), caption, name, text, float(width), float(height))


def _first_paragraph(draw: Callable[..., Any]) -> str:
    documentation = inspect.getdoc(getattr(draw, "func", draw)) or ""  # .func: what functools.partial holds
    return " ".join(documentation.split("\n\n")[0].split())


def _write_samples(section: Section, results: Mapping[str, Result], ledger: Ledger) -> str:
    frames = {name: result.samples for name, result in results.items() if result.samples is not None}
    if not frames:
        return ""
    file = f"samples/{ledger.name(section.analyzer, 'samples').removesuffix('_samples')}.parquet"
    (ledger.folder / "samples").mkdir(exist_ok=True)
    write_parquet(stacked(frames), ledger.folder / file)
    return file


def _write_pages(section: Section, results: Mapping[str, Result], ledger: Ledger) -> Iterator[tuple[str, str]]:
    """Each model and the relative path of its entry page, for those that have pages."""
    for model, result in results.items():
        if result.pages is None:
            continue
        name = ledger.name(f"{section.analyzer}-{model}")
        folder = ledger.folder / "pages" / name
        written: set[str] = set()
        for file, content in result.pages(model):
            if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", file) or file.casefold() in written:
                raise UsageError(
                    f"analyzer {section.analyzer!r} calls a page {file!r}; the names must be distinct and consist of "
                    "letters, digits and ._- alone."
                )
            folder.mkdir(parents=True, exist_ok=True)
            (folder / file).write_bytes(content)
            if not written:
                yield model, f"pages/{name}/{file}"
            written.add(file.casefold())


def _by_text(texts: Mapping[str, tuple[str, ...]], *, everybody: int) -> tuple[tuple[str, str], ...]:
    """(models, text) for every different text; no models are named where it concerns all `everybody` of them."""
    concerned: dict[str, list[str]] = {}
    for model, said in texts.items():
        for text in dict.fromkeys(said):
            concerned.setdefault(text, []).append(model)
    return tuple(("" if len(names) == everybody else ", ".join(names), text) for text, names in concerned.items())
