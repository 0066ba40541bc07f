from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import pytest

from csg_analyze import progress
from csg_analyze.cli import main
from csg_analyze.progress import Progress, printable
from csg_analyze.registry import ANALYZERS, registered
from csg_analyze.report.tables import Cell, ShownTable
from csg_analyze.report.terminal import plain_text
from tests.test_cli import LIMIT, call, here

__all__ = ["here"]  # the fixture


def table(columns: int, rows: int, text: str = "0.1234") -> ShownTable:
    names = tuple((f"column {i}", i > 0) for i in range(columns))
    return ShownTable(
        names, tuple(tuple(Cell(f"{text}{r}" if i else f"row {r}") for i in range(columns)) for r in range(rows))
    )


def test_a_narrow_table_is_printed_as_it_is() -> None:
    lines = plain_text(table(3, 2)).splitlines()
    assert lines[0].split("  ")[0].strip() == "column 0"
    assert len(lines) == 4


@pytest.mark.parametrize("turn", [False, True])
@pytest.mark.parametrize(("columns", "rows"), [(12, 1), (12, 2), (12, 9), (40, 6)])
def test_a_wide_table_fits_the_terminal_and_loses_nothing(columns: int, rows: int, turn: bool) -> None:
    text = plain_text(table(columns, rows), width=80, turn=turn)
    assert max(map(len, text.splitlines())) <= 80
    for row in range(rows):
        assert text.count(f"0.1234{row}") == columns - 1
        assert f"row {row}" in text
    assert "column 11" in text


def test_a_name_longer_than_the_terminal_is_folded() -> None:
    shown = ShownTable(
        (("Model", False), ("MIS", True)), ((Cell("n" * 300), Cell("0.5")), (Cell("名" * 100), Cell("0.6")))
    )
    text = plain_text(shown, width=80)
    assert text.count("n") == 300
    assert text.count("名") == 100
    assert "0.5" in text


def test_without_words_the_help_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert call() == 0
    output = capsys.readouterr()
    assert "Commands:" in output.out
    assert output.err == ""


def test_the_help_has_whole_sentences(capsys: pytest.CaptureFixture[str]) -> None:
    call("--help")
    text = capsys.readouterr().out
    assert not [line for line in text.splitlines() if line.endswith("...") and "Usage" not in line]
    assert "Where in the network filters become class-specific." in text


def complete(line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> list[str]:
    monkeypatch.setenv("_CSG_ANALYZE_COMPLETE", "complete_bash")
    monkeypatch.setenv("_TYPER_COMPLETE_ARGS", line)
    monkeypatch.setenv("COMP_WORDS", line)
    monkeypatch.setenv("COMP_CWORD", str(len(line.split(" ")) - 1))
    with pytest.raises(SystemExit):
        main([])
    return capsys.readouterr().out.split()


@pytest.mark.parametrize(
    ("line", "completed"),
    [("csg-analyze conf", "confusion"), ("csg-analyze mis --n-ne", "--n-neighbors"), ("csg-analyze li", "list")],
)
def test_the_shell_completes(
    line: str, completed: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert completed in complete(line, monkeypatch, capsys)


def test_list_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("list", "--json") == 0
    listed = json.loads(capsys.readouterr().out)
    assert [each["name"] for each in listed["analyzers"]] == list(registered(ANALYZERS))
    assert "resnet18" in listed["architectures"]
    assert {"scenes", "folder"} <= {each["name"] for each in listed["data"]}


def test_one_bad_file_does_not_stop_the_others(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("bad\x1b[31m.pt").write_text("no checkpoint")
    assert call("accuracy", "bad\x1b[31m.pt", "std.pt", "csg.pt", "--out", "run", *LIMIT) == 3
    output = capsys.readouterr()
    assert "\x1b" not in output.out + output.err
    assert "not analysed: bad\\x1b[31m.pt: 'bad\\x1b[31m.pt' is a text file" in output.err
    assert "not analysed" in output.out
    document = json.loads((here / "run" / "summary.json").read_text())
    assert [model["name"] for model in document["models"]] == ["std", "csg"]
    (refused,) = document["refused"]
    assert "is a text file" in refused["reason"]
    for page in ("index.html", "report.md"):
        text = (here / "run" / page).read_text()
        assert "not analysed" in text
        assert "is a text file" in text


def test_a_network_of_other_classes_does_not_stop_the_others(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import torch

    from csg_analyze.checkpoints import save_checkpoint
    from csg_analyze.models import build
    from tests.examples import HALF

    save_checkpoint(
        Path("five.pt"), build("resnet8", 5), architecture="resnet8", class_names=list("abcde"), preprocessing=HALF,
        feature_layer="layer3", data=None, training=None,
    )  # fmt: skip
    assert torch.load("five.pt", weights_only=True)["class_names"] == list("abcde")
    assert call("accuracy", "std.pt", "five.pt", "--data", "scenes", "--json", *LIMIT) == 3
    output = capsys.readouterr()
    document = json.loads(output.out)
    assert [model["name"] for model in document["models"]] == ["std"]
    assert [each["name"] for each in document["refused"]] == ["five.pt"]


def test_bad_files_alone_are_an_error(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("a.pt").write_text("no checkpoint")
    shutil.copy("a.pt", "b.pt")
    assert call("accuracy", "a.pt", "b.pt", *LIMIT) == 2
    assert capsys.readouterr().err.startswith("error: 'a.pt' is a text file")


def test_an_analysis_that_no_model_has_is_an_error(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("gate", "std.pt", "--out", "run", *LIMIT) == 2
    assert "no gate in this checkpoint" in capsys.readouterr().err
    assert not (here / "run").exists()


def test_times_stand_in_the_provenance(here: Path) -> None:
    assert call("accuracy", "std.pt", "--out", "run", *LIMIT) == 0
    seconds = json.loads((here / "run" / "provenance.json").read_text())["seconds"]["std"]
    assert {"forward_pass", "accuracy"} <= seconds.keys()
    assert all(value >= 0 for value in seconds.values())


def test_a_long_stage_gives_signs_of_life(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.1)
    monkeypatch.setattr(progress, "WORTH_A_LINE", 0.2)
    shown = Progress()
    with shown.working("csg: mis, 1 of 3", "mis"):
        time.sleep(0.35)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) >= 2
    assert lines[0].startswith("csg: mis, 1 of 3: mis, 0 s so far")
    assert lines[-1].startswith("csg: mis, 1 of 3: mis took 0.")


def test_a_counted_stage_names_its_share(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.0)
    shown = Progress()
    with shown.working("csg: mis, 1 of 3", "forward_pass"):
        assert list(shown(range(4), "csg: 40 images", 4)) == [0, 1, 2, 3]
    lines = capsys.readouterr().err.splitlines()
    assert "csg: mis, 1 of 3: csg: 40 images: 2 of 4 (50%), about 0 s left" in lines


def test_control_characters_are_written_out() -> None:
    assert printable("a\x1b[31mb\x07\n\tc") == "a\\x1b[31mb\\x07\n\tc"
    assert printable("naïve 名 🐈") == "naïve 名 🐈"
    assert printable("\u202eevil") == "\\u202eevil"
