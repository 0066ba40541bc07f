"""`csg-analyze index`: the list of all reports of a folder."""

from __future__ import annotations

import json
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt

from csg_analyze.cli import main
from csg_analyze.errors import UsageError
from csg_analyze.overview.reports import reports_below
from csg_analyze.overview.writing import write_overview

HOSTILE = "a | <script>alert(1)</script> [x](http://elsewhere) & *b*"


def write(folder: Path, title: str, *, provenance: dict[str, Any] | None = None, **summary: Any) -> None:
    """A report folder, as far as it is read: two networks of an analysis, whatever it found."""
    folder.mkdir(parents=True)
    models = [{"name": name, "training": name.upper(), "results": {"mis": {"mis": 0.1}}} for name in ("std", "csg")]
    (folder / "summary.json").write_text(json.dumps({"schema": 1, "models": models, **summary}))
    (folder / "provenance.json").write_text(json.dumps(provenance or {"command": "csg-analyze report std.pt csg.pt"}))
    escaped = "".join(f"\\{character}" if character in r"\*[]<>|&" else character for character in title)
    (folder / "report.md").write_text(f"# {escaped}\n\ntext\n")
    (folder / "index.html").write_text("<p>a page</p>")


def answer(analyzer: str, text: str, verdict: str = "shown") -> dict[str, str]:
    return {"analyzer": analyzer, "text": text, "verdict": verdict}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    found = [answer("accuracy", "right"), answer("mis", "CSG raises MIS"), answer("mis", "again"), answer("x", "y")]
    write(Path("reports/a"), "First", answers=found, provenance={"settings": {}, "command": "long"})
    pair = {"label": "CSG - STD", "results": {"mis": {"mis": {"n": 1, "mean": 0.5, "low": None, "high": None}}}}
    write(Path("reports/b c/report"), HOSTILE, differences=[pair])
    return Path("reports")


def test_it_says_what_each_found_and_how_to_make_it_again(folder: Path) -> None:
    first, second = reports_below(folder)
    assert (first.title, second.title) == ("First", HOSTILE)
    assert first.found == ("CSG raises MIS (shown)", "y (shown)", "again (shown)")  # of accuracy only if alone
    assert second.found == ("mis: mis +0.5000 (CSG - STD; 1 seed)",)
    assert first.command == "csg-analyze report --from reports/a/provenance.json --out reports/a --force"
    assert second.command == "csg-analyze report std.pt csg.pt"
    assert first.networks == "1 STD, 1 CSG"
    assert first.size == sum(path.stat().st_size for path in (folder / "a").iterdir())


class Links(HTMLParser):
    """Gathers what a page links to, and its scripts."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag != "script"
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]


def test_titles_stay_texts_and_links_lead_to_files(folder: Path) -> None:
    write_overview(folder)
    markdown = MarkdownIt("commonmark").enable("table").render((folder / "README.md").read_text())
    for page in ((folder / "index.html").read_text(), markdown):
        links = Links()
        links.feed(page)
        assert links.links
        assert all((folder / link.replace("%20", " ")).is_file() for link in links.links)


def test_the_rest_of_the_readme_stays_and_a_second_call_changes_nothing(folder: Path) -> None:
    readme = folder / "README.md"
    readme.write_text("# Mine\n\nbefore\n")
    write_overview(folder)
    readme.write_text(f"{readme.read_text()}\nafter\n")
    before = {path: path.read_bytes() for path in (readme, folder / "index.html")}
    assert readme.read_text().startswith("# Mine\n\nbefore\n\n<!--")
    write_overview(folder)
    assert before == {path: path.read_bytes() for path in before}


def test_only_what_git_keeps(folder: Path) -> None:
    with pytest.raises(UsageError, match="--kept asks git"):
        reports_below(folder, kept=True)
    subprocess.run(["git", "init", "-q"], check=True)
    Path(".gitignore").write_text("/reports/a\nreport.md\n")
    (only,) = reports_below(folder, kept=True)
    assert (only.folder, only.pages) == ("b c/report", ("index.html",))


@pytest.mark.parametrize(
    ("place", "message"), [("reports/a", "is a report itself"), (".", "was not made by"), ("empty", "has no report")]
)
def test_what_it_refuses(folder: Path, capsys: pytest.CaptureFixture[str], place: str, message: str) -> None:
    Path("empty").mkdir()
    Path("index.html").write_text("mine")
    with pytest.raises(SystemExit) as caught:
        main(["index", place])
    assert caught.value.code == 2
    assert message in capsys.readouterr().err
    assert Path("index.html").read_text() == "mine"
    assert (folder / "a/index.html").read_text() == "<p>a page</p>"


def test_the_command_names_what_it_lists(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["index"])
    assert caught.value.code in (0, None)
    assert capsys.readouterr().out.splitlines() == ["a: First", f"b c/report: {HOSTILE}"]
