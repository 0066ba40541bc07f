"""The sections of a report: tables, figures and samples for its pages, and written to their files."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from markupsafe import Markup
from matplotlib.figure import Figure

from csg_analyze.errors import UsageError
from csg_analyze.plots.cells import panels_with_cells
from csg_analyze.plots.style import save, style
from csg_analyze.report.document import Report, Section, anchor_of
from csg_analyze.report.ledger import Ledger
from csg_analyze.report.section_tables import summary_table, write_tables
from csg_analyze.report.tables import ShownTable, stacked
from csg_analyze.report.writing import write_parquet
from csg_analyze.result import Result

EMPTY = Markup("")


@dataclass(frozen=True)
class DrawnFigure:
    """A figure: its caption, its files by path in the report's folder, and its size in inches.

    files: the PNG, which report.md shows, then PDF and SVG; none in a light report. png: the PNG's content in base64,
    which index.html shows. cells: JSON of what its heat maps show cell by cell; empty without any. photographs: as in
    `Drawing`.
    """

    number: int
    caption: str
    files: tuple[str, ...]
    png: str
    width: float
    height: float
    cells: Markup = EMPTY
    photographs: bool = False


@dataclass(frozen=True)
class Outcome:
    """One section of the report. notes, skipped: (models, text). pages: (model, entry page)."""

    anchor: str
    title: str
    description: tuple[str, ...]
    summary: ShownTable | None
    tables: tuple[ShownTable, ...]
    figures: tuple[DrawnFigure, ...]
    notes: tuple[tuple[str, str], ...]
    skipped: tuple[tuple[str, str], ...]
    samples: str
    pages: tuple[tuple[str, str], ...]


def write_section(section: Section, report: Report, ledger: Ledger) -> Outcome:
    """Write the tables, figures and samples of an analyzer, and return what the page shows."""
    models = {model.name: model for model in report.models}
    results = {
        name: model.results[section.analyzer] for name, model in models.items() if section.analyzer in model.results
    }
    skipped = {
        name: model.skipped[section.analyzer] for name, model in models.items() if section.analyzer in model.skipped
    }
    return Outcome(
        anchor=anchor_of(section.analyzer),
        title=section.about.title,
        description=section.about.paragraphs,
        summary=summary_table(results),
        tables=write_tables(section, results, report, ledger),
        figures=tuple(_write_figures(section, results, report, ledger)),
        notes=_by_text({name: result.notes for name, result in results.items()}, n_models=len(results)),
        skipped=_by_text({name: (reason,) for name, reason in skipped.items()}, n_models=0),
        samples=_write_samples(section, results, ledger),
        pages=tuple(_write_pages(section, results, ledger)),
    )


def _write_figures(
    section: Section, results: Mapping[str, Result], report: Report, ledger: Ledger
) -> Iterator[DrawnFigure]:
    for title, drawing, part in report.shared(results, lambda result: result.figures):
        try:
            with style():
                figure = drawing.draw(part)
            caption = str(figure.get_label()) or drawing.caption or title.replace("_", " ")
            figure_of = drawn(figure, ledger.name(section.analyzer, title), caption, ledger)
            yield replace(figure_of, photographs=drawing.photographs)
        except Exception as error:
            error.add_note(f"while drawing the figure {title!r} of the analyzer {section.analyzer!r}")
            raise


def drawn(figure: Figure, name: str, caption: str, ledger: Ledger) -> DrawnFigure:
    """A figure with the next number, written to its files."""
    png = save(figure, ledger.folder / "figures", name)
    width, height = figure.get_size_inches()
    text = base64.b64encode(png).decode("ascii")
    files = ledger.figure_files(name)
    return DrawnFigure(next(ledger.figures), caption, files, text, float(width), float(height), _cells(figure))


def _cells(figure: Figure) -> Markup:
    """What the heat maps of a saved figure show, as JSON that ends no script element; empty without any."""
    panels = panels_with_cells(figure)
    text = json.dumps(panels, separators=(",", ":")) if panels else ""
    return Markup(text.replace("<", "\\u003c"))


def _write_samples(section: Section, results: Mapping[str, Result], ledger: Ledger) -> str:
    frames = {name: result.samples for name, result in results.items() if result.samples is not None}
    if not frames:
        return ""
    file = f"samples/{ledger.name(section.analyzer, 'samples').removesuffix('_samples')}.parquet"
    (ledger.folder / "samples").mkdir(exist_ok=True)
    write_parquet(stacked(frames), ledger.folder / file)
    return "".join(ledger.kept(file))


def _write_pages(section: Section, results: Mapping[str, Result], ledger: Ledger) -> Iterator[tuple[str, str]]:
    """Write the pages of models that have them, unless the report is light; yield (model, path of the entry page)."""
    for model, result in results.items():
        if result.pages is None:
            continue
        name = ledger.name(f"{section.analyzer}-{model}")
        if ledger.light:
            ledger.left_out.append(f"pages/{name}")
            continue
        folder = ledger.folder / "pages" / name
        written: set[str] = set()
        for file, content in result.pages(model):
            if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", file) or file.casefold() in written:
                raise UsageError(
                    f"analyzer {section.analyzer!r} calls a page {file!r}; the names must be distinct and consist of "
                    "letters, digits and ._- only."
                )
            folder.mkdir(parents=True, exist_ok=True)
            (folder / file).write_bytes(content)
            if not written:
                yield model, f"pages/{name}/{file}"
            written.add(file.casefold())


def _by_text(texts: Mapping[str, tuple[str, ...]], *, n_models: int) -> tuple[tuple[str, str], ...]:
    """(models, text) for every distinct text; no models are named if the text is of all `n_models`."""
    concerned: dict[str, list[str]] = {}
    for model, texts_of_model in texts.items():
        for text in dict.fromkeys(texts_of_model):
            concerned.setdefault(text, []).append(model)
    return tuple(("" if len(names) == n_models else ", ".join(names), text) for text, names in concerned.items())
