"""Short pieces of HTML for a notebook: tables, facts, pictures, all texts escaped, no scripts, nothing loaded."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Protocol

from markupsafe import Markup, escape

LONGEST = 100
"""Characters of a text that are shown; the whole text, up to ten times as long, is at hand under the pointer."""


class Cell(Protocol):
    """One cell of a table."""

    @property
    def text(self) -> str:
        """As shown."""

    @property
    def bold(self) -> bool:
        """Whether it is the best of its kind."""


def shown(text: object, longest: int = LONGEST) -> Markup:
    """A text on one line, without characters that control how others are shown, and cut where it is too long."""
    line = "".join(character if character.isprintable() else " " for character in str(text))
    if len(line) <= longest:
        return escape(line)
    return Markup('<span title="{}">{}…</span>').format(line[: 10 * longest], line[: longest - 1].rstrip())


def heading(text: object) -> Markup:
    """The first line of what is shown."""
    return Markup("<div><b>{}</b></div>").format(shown(text))


def facts(lines: Mapping[str, object]) -> Markup:
    """Names and values, one below the other; empty values are left out."""
    row = Markup('<tr><th style="text-align:left">{}</th><td style="text-align:left">{}</td></tr>')
    rows = [row.format(shown(name), shown(value)) for name, value in lines.items() if str(value)]
    return Markup("<table>{}</table>").format(Markup("").join(rows))


def grid(columns: Sequence[tuple[str, bool]], rows: Sequence[Sequence[Cell]], total: int | None = None) -> Markup:
    """A table. columns: names, and whether they have numbers. total: of the rows, if these are the first."""
    sides = ["right" if number else "left" for _, number in columns]
    head = [
        Markup('<th style="text-align:{}">{}</th>').format(side, shown(name, 40))
        for (name, _), side in zip(columns, sides, strict=True)
    ]
    body = [
        Markup("<tr>{}</tr>").format(Markup("").join(_cell(cell, side) for cell, side in zip(row, sides, strict=True)))
        for row in rows
    ]
    more = "" if total in (None, len(rows)) else Markup("<div>the first {} of {:,} rows</div>").format(len(rows), total)
    table = Markup("<table><thead><tr>{}</tr></thead><tbody>{}</tbody></table>{}")
    return table.format(Markup("").join(head), Markup("").join(body), more)


def _cell(cell: Cell, side: str) -> Markup:
    form = Markup('<td style="text-align:{}"><b>{}</b></td>' if cell.bold else '<td style="text-align:{}">{}</td>')
    return form.format(side, shown(cell.text))


def picture(png: bytes, text: str, width: int | None = None) -> Markup:
    """A picture inside the page. text: what stands for it where it cannot be seen. width: in pixels of the page."""
    wide = "" if width is None else Markup(' width="{}"').format(width)
    data = base64.b64encode(png).decode("ascii")
    return Markup('<img src="data:image/png;base64,{}" alt="{}"{}>').format(data, shown(text, 1000), wide)


def folded(title: object, content: Markup, *, unfolded: bool = False) -> Markup:
    """What is seen only after a click on its title."""
    opened = Markup(" open") if unfolded else ""
    return Markup("<details{}><summary>{}</summary>{}</details>").format(opened, shown(title), content)


def paragraph(text: str, longest: int = 300) -> Markup:
    """Sentences; folded where they are many."""
    if len(text) <= longest:
        return Markup("<p>{}</p>").format(shown(text, longest)) if text else Markup("")
    return folded(text[:LONGEST], Markup("<p>{}</p>").format(shown(text, len(text))))


def together(*parts: Markup) -> str:
    """The pieces of one object."""
    return str(Markup("<div>{}</div>").format(Markup("").join(parts)))
