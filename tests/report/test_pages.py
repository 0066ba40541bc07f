from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markupsafe import Markup

from csg_analyze.html import prose
from csg_analyze.report.document import Report
from csg_analyze.report.folder import write_report
from csg_analyze.report.pages import escaped_markdown, facts
from csg_analyze.wording import cell
from tests.report.conftest import CLASSES, NASTY, PLAIN


class Page(HTMLParser):
    """The elements of a page, the cells of its tables, and its text outside of style and script."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.ids: list[str] = []
        self.tables: list[list[list[str]]] = []
        self.text = ""
        self.in_cell = False
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        values = dict(attrs)
        self.links += [values[name] or "" for name in ("src", "href") if name in values]
        self.ids += [values["id"] or ""] if "id" in values else []
        assert not any(name.startswith("on") for name in values)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in {"td", "th"}:
            self.tables[-1][-1].append("")
            self.in_cell = True

    def handle_endtag(self, tag: str) -> None:
        self.in_cell = self.in_cell and tag not in {"td", "th"}

    def handle_data(self, data: str) -> None:
        if self.lasttag in {"style", "script"}:
            return
        self.text += data
        if self.in_cell:
            self.tables[-1][-1][-1] += data


@pytest.fixture
def folder(report: Report, tmp_path: Path) -> Path:
    write_report(report, tmp_path / "run")
    return tmp_path / "run"


def test_html_shows_every_name_as_it_is(folder: Path) -> None:
    page = Page(folder / "index.html")
    heat_maps = (
        (folder / "index.html").read_text(encoding="utf-8").count('<script type="application/json" class="cells">')
    )
    assert page.tags.count("script") == 1 + heat_maps == 2  # the page's own, and numbers that nothing runs
    assert not {"i", "b"} & set(page.tags)
    for text in (
        f"Title {NASTY}",
        f"A note on {NASTY}",
        "said of both | models",
        "no gate in this <checkpoint>",
        *CLASSES,
    ):
        assert text in page.text
    assert [row[0] for row in page.tables[0]] == ["Model", PLAIN, NASTY]
    assert "resnet_8 <b>" in page.tables[0][1]
    assert page.tables[0][1][5] == "0.9123"


def test_html_fetches_nothing_and_its_links_lead_somewhere(folder: Path) -> None:
    page = Page(folder / "index.html")
    assert len(page.links) > 10
    for link in page.links:
        assert not re.match(r"(?i)\s*(https?:)?//", link)
        if link.startswith("#"):
            assert link[1:] in page.ids
        elif not link.startswith("data:image/png;base64,"):
            assert (folder / link).is_file()
    source = (folder / "index.html").read_text()
    assert "http://" not in source
    assert "https://" not in source
    assert not re.search(r"@import|url\(", source)
    assert "default-src 'none'" in source


def test_html_has_the_figures_inside(folder: Path) -> None:
    import base64

    source = (folder / "index.html").read_text()
    embedded = re.findall(r"data:image/png;base64,([^\"]+)", source)
    pictures = [folder / "figures/accuracy_recall.png", folder / "figures/mis_matrices.png"]
    assert [base64.b64decode(text) for text in embedded] == [path.read_bytes() for path in pictures]


def test_captions_come_from_the_figure_else_from_what_is_declared(folder: Path) -> None:
    text = " ".join(Page(folder / "index.html").text.split())
    assert "Figure 1. A line per model, <i>not</i> in italics." in text
    assert "Figure 2. Own caption with $dollars$ | pipes." in text
    assert "For developers" not in text
    assert "Overridden" not in text


def test_sections_say_what_was_done_and_what_was_not(folder: Path) -> None:
    text = " ".join(Page(folder / "index.html").text.split())
    assert f"Skipped for {PLAIN}: no gate in this <checkpoint>" in text
    assert "An analyzer that nobody ran" not in text
    assert f"{PLAIN}: only of STD" in text
    assert text.count("said of both | models") == 1
    assert "First paragraph with code and" in text
    assert "Second paragraph." in text
    assert "20 of 128 rows shown. All rows: CSV" in text
    assert "2024-02-03" in text
    assert "1,234 images" in text


def test_summaries_stand_side_by_side(folder: Path) -> None:
    gate = next(table for table in Page(folder / "index.html").tables if table[1][0] == "l1_density")
    assert gate[1] == ["l1_density", "0.1003"]
    mis = next(table for table in Page(folder / "index.html").tables if table[1][0] == "mis")
    assert mis[0] == ["number", PLAIN, NASTY]
    assert mis[1:] == [
        ["mis", "0.1250", "0.2500"],
        ["mis_chance", "0.0043", "0.0043"],
        ["undefined", "–", "–"],
        ["unbounded", "inf", "inf"],
    ]


def test_markdown_shows_every_name_as_it_is(folder: Path) -> None:
    tokens = MarkdownIt("commonmark").enable("table").parse((folder / "report.md").read_text())
    assert not [token for token in tokens if token.type in {"html_block", "code_block", "fence", "hr"}]
    inline = [token for token in tokens if token.type == "inline"]
    assert not [
        child for token in inline for child in token.children or [] if child.type in {"html_inline", "code_inline"}
    ]
    shown = ["".join(child.content for child in token.children or []) for token in inline]
    assert f"Title {NASTY}" in shown
    assert f"A note on {NASTY}" in shown
    assert {PLAIN, NASTY, "resnet_8 <b>", *CLASSES} <= set(shown)
    links = [child for token in inline for child in token.children or [] if child.type in {"image", "link_open"}]
    targets = [str(link.attrs.get("src") or link.attrs["href"]) for link in links]
    assert "figures/accuracy_recall.png" in targets
    assert all((folder / target).is_file() for target in targets)


def test_markdown_tables_keep_their_columns(folder: Path) -> None:
    lines = (folder / "report.md").read_text().splitlines()
    blocks = [len(re.findall(r"(?<!\\)\|", line)) for line in lines if line.startswith("|")]
    header = next(line for line in lines if line.startswith("| Model |"))
    assert blocks[:4] == [header.count("|")] * 4


@given(st.text())
def test_markdown_escapes_any_text(text: str) -> None:
    rendered = MarkdownIt("commonmark").enable("table").parse("x " + escaped_markdown(text))
    children = rendered[1].children or []
    assert len(rendered) == 3
    assert "".join(child.content for child in children).split() == ["x", *cell(text).split()]


@pytest.mark.parametrize("start", ["- item", "+ item", "1. item", "23) item", "# head", "> quote", "=== x", "    code"])
def test_markdown_blocks_do_not_begin_in_a_text(start: str) -> None:
    tokens = MarkdownIt("commonmark").parse(escaped_markdown(start).strip())
    assert [token.type for token in tokens] == ["paragraph_open", "inline", "paragraph_close"]


def test_prose_marks_code_and_escapes_the_rest() -> None:
    assert prose("a `b<c` & `") == Markup("a <code>b&lt;c</code> &amp; `")


def test_facts_are_short_lines() -> None:
    shown = facts(
        {
            "image_size": "32x32",
            "classes": [f"c{i}" for i in range(15)],
            "notes": [],
            "versions": {"python": "3.11", "torch": None},
            "checkpoints": {"a.pt": "0" * 64, "b.pt": "1" * 64},
        }
    )
    assert shown == [
        ("image size", ["32x32"]),
        ("classes", [", ".join(f"c{i}" for i in range(12)) + ", and 3 more"]),
        ("versions", ["python: 3.11, torch: –"]),
        ("checkpoints", ["a.pt: " + "0" * 64, "b.pt: " + "1" * 64]),
    ]
