"""Reports that stay small: what is left out, and that nothing links to it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from csg_analyze.report.document import Report
from csg_analyze.report.folder import write_report
from csg_analyze.report.ledger import FIGURES, LIGHT_BYTES, Ledger


def files_of(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def linked(folder: Path) -> set[str]:
    """The files that the two pages name in a link or an image."""
    page, plain = (folder / "index.html").read_text(), (folder / "report.md").read_text()
    in_page = re.findall(r'(?:href|src)="(?!#|data:)([^"]+)"', page)
    return {*in_page, *re.findall(r"\]\(([^)]+)\)", plain)}


@pytest.fixture
def heavy(report: Report) -> Report:
    """One model with pages of its own, and a table and samples of more than a megabyte."""

    def pages(_model: str) -> Iterator[tuple[str, bytes]]:
        yield "index.html", b"of its own"

    large = pd.DataFrame({"number": np.random.default_rng(0).random(150_000)})
    first = report.models[0]
    mis = replace(first.results["mis"], tables={"large": large}, samples=large, pages=pages)
    return replace(report, models=(replace(first, results={**first.results, "mis": mis}), report.models[1]))


def test_nothing_links_to_what_a_light_report_leaves_out(heavy: Report, tmp_path: Path) -> None:
    whole, light = tmp_path / "whole", tmp_path / "light"
    write_report(heavy, whole)
    write_report(heavy, light, light=True)
    pages = {file for file in files_of(whole) if file.startswith("pages/")}
    figures = {file for file in files_of(whole) if file.startswith("figures/")}
    assert (len(pages), len(figures)) == (1, 6)
    left_out = {"tables/mis_large.csv", "samples/mis.parquet", *pages, *figures}
    assert files_of(whole) - files_of(light) == left_out
    assert not (light / "figures").exists()
    for folder in (whole, light):
        # every link leads somewhere, and every file is linked
        assert linked(folder) - {"index.html"} == files_of(folder) - {"index.html"}
    assert max((light / file).stat().st_size for file in files_of(light)) <= LIGHT_BYTES


def test_a_light_report_says_what_it_leaves_out(heavy: Report, tmp_path: Path) -> None:
    write_report(heavy, tmp_path / "light", light=True)
    write_report(heavy, tmp_path / "light", light=True, force=True)
    write_report(heavy, tmp_path / "whole")
    size = (tmp_path / "whole/tables/mis_large.csv").stat().st_size / 1e6
    for file in ("index.html", "report.md"):
        text = (tmp_path / "light" / file).read_text().replace("\\", "")
        assert (
            f"left out of this light report: {FIGURES}, tables/mis_large.csv ({size:.1f} MB), samples/mis.parquet"
            in text
        )
        assert "pages/mis-std_plain; without --light the command makes them." in text
        assert re.search(r"of 150,?000 rows shown\.", text)
        assert "left out" not in (tmp_path / "whole" / file).read_text()


def test_a_light_page_shows_every_figure_all_the_same(report: Report, tmp_path: Path) -> None:
    write_report(report, tmp_path / "whole")
    write_report(report, tmp_path / "light", light=True)
    inside = [re.findall(r'src="data:[^"]+"', (tmp_path / n / "index.html").read_text()) for n in ("whole", "light")]
    assert len(inside[0]) == 2
    assert inside[0] == inside[1]
    assert (tmp_path / "light" / "report.md").read_text().count("(Shown in [index.html](index.html).)") == 2


def test_a_light_report_without_figures_that_is_small_is_the_whole_report(report: Report, tmp_path: Path) -> None:
    bare = [{n: replace(result, figures={}) for n, result in model.results.items()} for model in report.models]
    models = tuple(replace(model, results=results) for model, results in zip(report.models, bare, strict=True))
    write_report(replace(report, models=models), tmp_path / "whole")
    write_report(replace(report, models=models), tmp_path / "light", light=True)
    assert files_of(tmp_path / "light") == files_of(tmp_path / "whole")
    for file in ("index.html", "report.md"):
        assert (tmp_path / "light" / file).read_bytes() == (tmp_path / "whole" / file).read_bytes()


def test_a_megabyte_is_kept_and_a_byte_more_is_not(tmp_path: Path) -> None:
    for name, size in (("just", LIGHT_BYTES), ("over", LIGHT_BYTES + 1)):
        (tmp_path / name).write_bytes(b"." * size)
    assert Ledger(tmp_path).kept("just", "over") == ("just", "over")
    ledger = Ledger(tmp_path, light=True)
    assert ledger.kept("just", "over") == ("just",)
    assert ledger.left_out == ["over (1.0 MB)"]
    assert files_of(tmp_path) == {"just"}
