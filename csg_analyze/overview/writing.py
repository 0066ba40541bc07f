"""index.html and README.md of a folder of reports."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from csg_analyze.errors import UsageError
from csg_analyze.files import replacing
from csg_analyze.html import environment
from csg_analyze.overview.reports import Listed, reports_below
from csg_analyze.report.pages import escaped_markdown

BEGIN = "<!-- written by csg-analyze index; changes here are lost -->"
END = "<!-- end of what csg-analyze index writes -->"
MADE = '<meta name="generator" content="csg-analyze index">'
"""What tells a page of this command from any other, which it does not replace."""


def write_overview(folder: Path, *, kept: bool = False) -> list[Listed]:
    """Write index.html of the folder, and the part of its README.md between two comments; the rest stays as it is.

    A README.md without them gets that part at its end. kept: only what git does not ignore is listed.

    Raises UsageError if there is nothing to list, or if index.html is not of this command.
    """
    folder = Path(folder)
    reports = reports_below(folder, kept=kept)
    page, readme = folder / "index.html", folder / "README.md"
    if page.exists() and MADE not in page.read_text(encoding="utf-8", errors="replace"):
        raise UsageError(f"{str(page)!r} was not made by this command and would be lost; move it away.")
    before = readme.read_text(encoding="utf-8") if readme.exists() else "# Reports\n"
    for path, text in ((page, html_page(reports)), (readme, with_list(before, markdown_list(reports)))):
        with replacing(path) as partial:
            partial.write_text(text, encoding="utf-8", errors="backslashreplace", newline="\n")
    return reports


def html_page(reports: Sequence[Listed]) -> str:
    """The page: one file, nothing loaded from elsewhere, no scripts."""
    template = environment("csg_analyze.overview", autoescape=True).get_template("index.html.j2")
    return template.render(reports=reports, generator=MADE)


def markdown_list(reports: Sequence[Listed]) -> str:
    """The part of README.md, with the comments around it."""
    templates = environment("csg_analyze.overview", autoescape=False, finalize=escaped_markdown)
    return f"{BEGIN}\n{templates.get_template('README.md.j2').render(reports=reports)}\n{END}"


def with_list(text: str, part: str) -> str:
    """A README's text with the part in its place, or at its end."""
    pattern = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", flags=re.DOTALL)
    return pattern.sub(lambda _: part, text, count=1) if pattern.search(text) else f"{text.rstrip()}\n\n{part}\n"
