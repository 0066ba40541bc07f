from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fastparquet import ParquetFile
from matplotlib.figure import Figure

from csg_analyze.about import About
from csg_analyze.errors import UsageError
from csg_analyze.report.document import ModelReport, Report, Section, json_text
from csg_analyze.report.folder import check_out, write_report
from csg_analyze.report.summary import summary_document
from csg_analyze.result import Result, Table
from tests.report.conftest import NASTY, PLAIN, draw_line, with_figure


def files_of(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def contents_of(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in files_of(folder)}


def test_every_file_is_there_and_none_else(report: Report, tmp_path: Path) -> None:
    write_report(report, tmp_path / "run")
    tables = ["table1", "accuracy_per_class", "mis_filters", "mis_huge"]
    figures = ["accuracy_recall", "mis_matrices"]
    assert files_of(tmp_path) == {
        *(f"run/{name}" for name in ("index.html", "report.md", "summary.json", "provenance.json")),
        *(f"run/tables/{name}.{suffix}" for name in tables for suffix in ("csv", "tex")),
        *(f"run/figures/{name}.{suffix}" for name in figures for suffix in ("png", "pdf", "svg")),
        "run/samples/accuracy.parquet",
    }
    assert os.listdir(tmp_path) == ["run"]  # noqa: PTH208
    for path in [tmp_path / "run", *(tmp_path / "run").rglob("*")]:
        assert path.stat().st_mode & stat.S_IRUSR
        assert path.stat().st_mode & 0o077 == (0o777 if path.is_dir() else 0o666) & ~umask() & 0o077


def umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_json_files_hold_the_documents(report: Report, tmp_path: Path) -> None:
    write_report(report, tmp_path / "run")
    assert (tmp_path / "run/summary.json").read_text() == json_text(summary_document(report))
    assert json.loads((tmp_path / "run/provenance.json").read_text()) == report.provenance


def test_tables_hold_every_row_of_every_model(report: Report, tmp_path: Path) -> None:
    write_report(report, tmp_path / "run")
    table = pd.read_csv(tmp_path / "run/tables/mis_huge.csv")
    assert list(table.columns) == ["model", "filter", "mi"]
    assert table["model"].tolist() == [PLAIN] * 1_500 + [NASTY] * 1_500
    np.testing.assert_array_equal(table["mi"], np.tile(np.linspace(0, 1, 1_500), 2))
    assert "the first 50 of 3000 rows" in (tmp_path / "run/tables/mis_huge.tex").read_text()
    first = pd.read_csv(tmp_path / "run/tables/table1.csv")
    assert first["accuracy"].tolist() == [0.91234567890123, 0.9]
    assert "0.9123" in (tmp_path / "run/tables/table1.tex").read_text()
    samples = ParquetFile(tmp_path / "run/samples/accuracy.parquet").to_pandas()
    assert list(samples.columns) == ["model", "sample_id", "correct"]
    assert len(samples) == 4


def test_comparisons_are_tables_of_all_models_together(report: Report, tmp_path: Path) -> None:
    def difference(results: Mapping[str, Result]) -> Table:
        first, second = (result.summary["accuracy"] for result in results.values())
        assert isinstance(first, float)
        assert isinstance(second, float)
        table = pd.DataFrame({"comparison": [" - ".join(results), "none"], "difference": [first - second, 0.0]})
        best = pd.DataFrame({"comparison": [False, False], "difference": [True, False]})
        return Table(table, "Over <both> models.", best)

    def compared(models: tuple[ModelReport, ...]) -> Report:
        changed = [replace(m.results["accuracy"], comparisons={"paired": difference}) for m in models]
        return replace(report, models=tuple(
            replace(m, results={"accuracy": result}) for m, result in zip(models, changed, strict=True)
        ))  # fmt: skip

    write_report(compared(report.models), tmp_path / "two")
    table = pd.read_csv(tmp_path / "two/tables/accuracy_paired.csv")
    assert list(table.columns) == ["comparison", "difference"]
    assert table["difference"].tolist() == [0.91234567890123 - 0.9, 0.0]
    assert r"\textbf{0.0123}" in (tmp_path / "two/tables/accuracy_paired.tex").read_text()
    page = (tmp_path / "two/index.html").read_text()
    assert "paired. Over &lt;both&gt; models." in page
    assert "<strong>0.0123</strong>" in page
    assert r"Over \<both\> models." in (tmp_path / "two/report.md").read_text()
    write_report(compared(report.models[:1]), tmp_path / "one")
    assert not list((tmp_path / "one/tables").glob("accuracy_paired*"))


def test_paired_comparisons_are_one_table_a_row_block_for_two_models(report: Report, tmp_path: Path) -> None:
    def difference(first: Result, second: Result) -> Table:
        change = float(str(second.summary["accuracy"])) - float(str(first.summary["accuracy"]))
        table = pd.DataFrame({"attack": ["fgsm", "pgd"], "difference": [change, 0.0]})
        return Table(table, "Paired.")

    models = [replace(m, results={"accuracy": replace(m.results["accuracy"], paired={"differences": difference})})
              for m in report.models]  # fmt: skip
    first, second = (model.name for model in models)
    write_report(replace(report, models=tuple(models)), tmp_path / "two")
    table = pd.read_csv(tmp_path / "two/tables/accuracy_differences.csv")
    assert list(table.columns) == ["comparison", "attack", "difference"]
    assert table["comparison"].tolist() == [f"{second} − {first}"] * 2
    assert table["difference"].tolist() == [0.9 - 0.91234567890123, 0.0]
    assert "differences. Paired." in (tmp_path / "two/index.html").read_text()
    write_report(replace(report, models=tuple(models[:1])), tmp_path / "one")
    assert not list((tmp_path / "one/tables").glob("accuracy_differences*"))


def test_the_same_report_is_the_same_bytes(report: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_report(report, tmp_path / "a")
    monkeypatch.setattr("time.time", lambda: 2_000_000_000.0)
    write_report(report, tmp_path / "b")
    assert contents_of(tmp_path / "a") == contents_of(tmp_path / "b")


def test_names_meant_as_paths_stay_inside_and_apart(report: Report, tmp_path: Path) -> None:
    model = report.models[0]
    tables = {"../../x": pd.DataFrame({"a": [1]}), "X": pd.DataFrame({"a": [2]}), "x": pd.DataFrame({"a": [3]})}
    results = {"../evil": replace(model.results["accuracy"], tables=tables, figures={})}
    nasty = replace(report, models=(replace(model, results=results),), sections=(Section("../evil", About("Evil")),))
    write_report(nasty, tmp_path / "run")
    assert os.listdir(tmp_path) == ["run"]  # noqa: PTH208
    written = [path for path in (tmp_path / "run/tables").glob("*.csv") if path.name != "table1.csv"]
    assert len({path.name.lower() for path in written}) == 3
    assert {pd.read_csv(path)["a"].item() for path in written} == {1, 2, 3}


def failing(_models: Mapping[str, Result]) -> Figure:
    raise ZeroDivisionError("in the middle of it")


def test_a_failure_while_drawing_leaves_nothing(report: Report, tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError) as failure:
        write_report(with_figure(report, failing), tmp_path / "new" / "run")
    assert failure.value.__notes__ == ["while drawing the figure 'recall' of the analyzer 'accuracy'"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("failure", [ZeroDivisionError, KeyboardInterrupt])
def test_a_failure_leaves_an_existing_report_as_it_was(
    report: Report, tmp_path: Path, failure: type[BaseException]
) -> None:
    def interrupted(_models: Mapping[str, Result]) -> Figure:
        raise failure

    write_report(report, tmp_path / "run")
    before = contents_of(tmp_path)
    with pytest.raises(failure):
        write_report(with_figure(report, interrupted), tmp_path / "run", force=True)
    assert contents_of(tmp_path) == before
    assert os.listdir(tmp_path) == ["run"]  # noqa: PTH208


def test_a_failing_swap_puts_the_old_report_back(
    report: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_report(report, tmp_path / "run")
    before = contents_of(tmp_path)
    rename = Path.rename

    def refuse_new(self: Path, target: Path) -> Path:
        if self.name == "new":
            raise OSError(28, "No space left on device", str(self))
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse_new)
    with pytest.raises(UsageError, match="No space left on device; choose another place"):
        write_report(report, tmp_path / "run", force=True)
    assert contents_of(tmp_path) == before
    assert os.listdir(tmp_path) == ["run"]  # noqa: PTH208


def test_force_replaces_a_report_whole(report: Report, tmp_path: Path) -> None:
    write_report(report, tmp_path / "run")
    (tmp_path / "run/tables/stale.csv").write_text("stale")
    with pytest.raises(UsageError, match="--force"):
        write_report(report, tmp_path / "run")
    assert (tmp_path / "run/tables/stale.csv").exists()
    write_report(replace(report, title="Second"), tmp_path / "run", force=True)
    assert not (tmp_path / "run/tables/stale.csv").exists()
    assert "# Second\n" in (tmp_path / "run/report.md").read_text()
    assert os.listdir(tmp_path) == ["run"]  # noqa: PTH208


def test_a_link_keeps_pointing_to_the_replaced_report(report: Report, tmp_path: Path) -> None:
    write_report(report, tmp_path / "run-1")
    (tmp_path / "latest").symlink_to("run-1")
    write_report(replace(report, title="Second"), tmp_path / "latest", force=True)
    assert (tmp_path / "latest").is_symlink()
    assert "# Second\n" in (tmp_path / "run-1/report.md").read_text()


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("name", ["holiday.jpg", "summary.json.bak"])
def test_other_peoples_files_are_never_deleted(tmp_path: Path, name: str, force: bool) -> None:
    out = tmp_path / "run"
    out.mkdir()
    (out / name).write_text("mine")
    with pytest.raises(UsageError, match=r"exists|delete other files"):
        check_out(out, force)
    assert (out / name).read_text() == "mine"


def test_a_report_with_somebodys_notes_in_it_is_not_replaced(report: Report, tmp_path: Path) -> None:
    write_report(report, tmp_path / "run")
    (tmp_path / "run/my notes.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"it has 'my notes\.txt'"):
        write_report(report, tmp_path / "run", force=True)
    assert (tmp_path / "run/my notes.txt").read_text() == "mine"


def test_a_folder_with_our_names_but_no_summary_is_no_report(tmp_path: Path) -> None:
    (tmp_path / "run/figures").mkdir(parents=True)
    with pytest.raises(UsageError, match=r"no summary\.json"):
        check_out(tmp_path / "run", force=True)


def test_an_empty_folder_needs_force_all_the_same(report: Report, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    with pytest.raises(UsageError, match="--force"):
        check_out(tmp_path / "run")
    write_report(report, tmp_path / "run", force=True)
    assert (tmp_path / "run/index.html").exists()


@pytest.mark.parametrize("force", [False, True])
def test_places_that_cannot_be_written_are_named_before_the_work(tmp_path: Path, force: bool) -> None:
    (tmp_path / "file").write_text("")
    for out in (tmp_path / "file", tmp_path / "file/run", tmp_path / ("x" * 300), Path("/proc/run"), Path("/")):
        with pytest.raises(UsageError) as refused:
            check_out(out, force)
        assert repr(str(out)) in str(refused.value)
        assert "\n" not in str(refused.value)
    assert os.listdir(tmp_path) == ["file"]  # noqa: PTH208


def test_missing_parents_are_made_only_on_success(report: Report, tmp_path: Path) -> None:
    check_out(tmp_path / "a/b/run")
    assert list(tmp_path.iterdir()) == []
    write_report(report, tmp_path / "a/b/run")
    assert (tmp_path / "a/b/run/index.html").exists()
    assert list(tmp_path.iterdir()) == [tmp_path / "a"]


def test_a_place_taken_meanwhile_is_not_overwritten(report: Report, tmp_path: Path) -> None:
    def slow(models: Mapping[str, Result]) -> Figure:
        (tmp_path / "run").mkdir()
        (tmp_path / "run/other").write_text("quicker")
        return draw_line(models)

    with pytest.raises(UsageError, match="exists"):
        write_report(with_figure(report, slow), tmp_path / "run")
    assert contents_of(tmp_path) == {"run/other": b"quicker"}


def test_an_analyzers_own_missing_file_is_not_blamed_on_the_folder(report: Report, tmp_path: Path) -> None:
    def reading(_models: Mapping[str, Result]) -> Figure:
        (tmp_path / "no such file").read_text()
        return Figure()

    with pytest.raises(FileNotFoundError):
        write_report(with_figure(report, reading), tmp_path / "run")
    assert list(tmp_path.iterdir()) == []
