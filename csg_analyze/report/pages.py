"""index.html and report.md: two templates with the same contents."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jinja2 import Environment
from markupsafe import Markup

from csg_analyze.html import environment
from csg_analyze.report.document import JSON, Report
from csg_analyze.report.opening import Opening
from csg_analyze.report.sections import Outcome
from csg_analyze.report.tables import ShownTable
from csg_analyze.wording import cell, shortened

SeedTables = tuple[ShownTable, ShownTable] | None
"""The numbers over seeds: the headlines, and all numbers."""

LINK_TEXTS = {"csv": "CSV", "tex": "LaTeX", "pdf": "PDF", "svg": "SVG", "png": "PNG"}
"""Texts of links to files, by suffix."""

MOST_ENTRIES = 12
"""Largest number of entries shown of a list in the provenance or the data's description."""


def html_page(
    report: Report, opening: Opening, headline: ShownTable, seeds: SeedTables, outcomes: Sequence[Outcome]
) -> str:
    """index.html: self-contained, loads nothing, with all texts escaped."""
    return _render("index.html.j2", report, opening, headline, seeds, outcomes, autoescape=True)


def markdown_page(
    report: Report, opening: Opening, headline: ShownTable, seeds: SeedTables, outcomes: Sequence[Outcome]
) -> str:
    """report.md: the same contents, figures by relative path, all texts escaped."""
    return _render("report.md.j2", report, opening, headline, seeds, outcomes, finalize=escaped_markdown)


def _render(
    template: str,
    report: Report,
    opening: Opening,
    headline: ShownTable,
    seeds: SeedTables,
    outcomes: Sequence[Outcome],
    *,
    autoescape: bool = False,
    finalize: Callable[..., Any] | None = None,
) -> str:
    # the settings are there for --from; for readers the command and the options say them
    told = {name: value for name, value in report.provenance.items() if name != "settings" and value != report.data}
    return (
        _templates(autoescape=autoescape, finalize=finalize)
        .get_template(template)
        .render(
            report=report,
            opening=opening,
            headline=headline,
            seeds=seeds,
            outcomes=outcomes,
            data=facts(report.data),
            provenance=facts(told),
        )
    )


def _templates(**settings: Any) -> Environment:
    templates = environment("csg_analyze.report", **settings)
    templates.filters["kind"] = lambda file: LINK_TEXTS[file.rpartition(".")[2]]
    templates.filters["shortened"] = shortened
    return templates


def escaped_markdown(value: object) -> str:
    """Markdown that shows exactly this text, on one line; Markup stays as it is."""
    if isinstance(value, Markup):
        return str(value)
    text = re.sub(r"([\\`*_{}\[\]<>|$~&#])", r"\\\1", cell(value) if not isinstance(value, int) else str(value))
    return re.sub(r"^(\s*)(?:([-+=])|(\d+)([.)])(?=\s))", r"\1\3\\\2\4", text)


def facts(mapping: Mapping[str, JSON]) -> list[tuple[str, list[str]]]:
    """A nested mapping as names and lines of text; long lists are cut, empty values left out."""
    return [(name.replace("_", " "), lines) for name, value in mapping.items() if (lines := _lines(value))]


def _lines(value: JSON) -> list[str]:
    if isinstance(value, Mapping):
        lines = [f"{name}: {', '.join(inner)}" for name, entry in value.items() if (inner := _lines(entry))]
        return [", ".join(lines)] if lines and max(map(len, lines)) < 24 else lines
    if isinstance(value, Sequence) and not isinstance(value, str):
        entries = [", ".join(_lines(entry)) for entry in value[:MOST_ENTRIES]]
        more = [f"and {len(value) - MOST_ENTRIES:,} more"] if len(value) > MOST_ENTRIES else []
        return [", ".join(entries + more)] if entries else []
    return [cell(value)]
