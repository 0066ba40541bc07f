"""docs/ as a site: every page is in its navigation, and says what the code says. `nox -s docs` checks all links."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from csg_analyze.paper import ORDER
from scripts.analysis_pages import FOLDER, pages
from scripts.site_links import rewritten

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
CONFIGURATION = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
MESSAGES = re.findall(r'^### .*?"(.+)"', (DOCS / "faq.md").read_text(encoding="utf-8"), flags=re.MULTILINE)


def test_the_navigation_has_every_page_once() -> None:
    listed = re.findall(r": (\S+\.md)$", CONFIGURATION.partition("\nnav:\n")[2], flags=re.MULTILINE)
    assert sorted(listed) == sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md"))
    assert [name for name in listed if name.startswith("analyses/")] == [
        "analyses/index.md",
        *(f"analyses/{name}.md" for name in ORDER),
    ]


def test_the_pages_of_analyses_say_what_they_declare() -> None:
    """If this fails: `python scripts/analysis_pages.py`."""
    written = pages()
    assert {path.name for path in FOLDER.iterdir()} == set(written)
    for name, text in written.items():
        assert (FOLDER / name).read_text(encoding="utf-8") == text, name


def texts() -> Iterator[str]:
    """Every text of the code, what is put into it as `…`."""
    for path in [*(ROOT / "csg_analyze").rglob("*.py"), *(ROOT / "training").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                yield "".join(str(each.value) if isinstance(each, ast.Constant) else "…" for each in node.values)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


def test_the_messages_of_the_questions_are_those_of_the_code() -> None:
    known = [re.sub("…+", "…", text) for text in texts()]
    assert len(MESSAGES) > 15
    assert [message for message in MESSAGES if not any(message in text for text in known)] == []


@pytest.mark.parametrize(
    ("place", "link", "there"),
    [
        ("index.md", "![a](../reports/figures/x.png)", "![a](figures/x.png)"),
        ("analyses/mis.md", "![a](../../reports/figures/x.png)", "![a](../figures/x.png)"),
        ("a.md", "[report](../reports/a/report.md#b)", "report (`reports/a/report.md`)"),
        ("analyses/mis.md", "[costs](../seeds.md#a)", "[costs](../seeds.md#a)"),
        ("a.md", "[b](b.md)", "[b](b.md)"),
    ],
)
def test_links_out_of_the_pages_name_the_place(place: str, link: str, there: str) -> None:
    assert rewritten(f"see {link}.", place) == f"see {there}."


def test_nothing_is_loaded_from_other_hosts() -> None:
    assert "font: false" in CONFIGURATION
    assert "//" not in CONFIGURATION  # no address at all
    (script,) = re.findall(r"polyfills: \[(\S+)\]", CONFIGURATION)
    assert (DOCS / script).is_file()
