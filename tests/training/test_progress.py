from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from rich.console import Console

from training.progress import Bar, Lines, Row, clock, log_path, write_log

ROW = Row(1, "joint", 1.25, 0.5, 0.75, 0.125, 0.1, 12.0)


def test_log_has_every_column_and_nothing_for_what_was_not_measured(tmp_path: Path) -> None:
    path = log_path(tmp_path / "a.pt")
    assert path.name == "a.pt.log.csv"
    write_log(path, [ROW, Row(2, "std", 1.0, 0.5, None, None, 0.05, 11.0)])
    with path.open(newline="") as stream:
        first, second = csv.DictReader(stream)
    assert first == {
        "epoch": "1", "path": "joint", "train_loss": "1.25", "train_accuracy": "0.5", "test_accuracy": "0.75",
        "l1_density": "0.125", "lr": "0.1", "seconds": "12.0",
    }  # fmt: skip
    assert (second["test_accuracy"], second["l1_density"]) == ("", "")


def test_lines_come_every_epoch_and_now_and_then_within(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = 0.0
    monkeypatch.setattr("training.progress.time.monotonic", lambda: now)
    lines = Lines()
    with lines as reporter:
        reporter.begin(10, 60, 6)
        for step in range(11, 21):
            now += 5.0
            reporter.step(2, step, 1.5, 0.25, 0.5)
        reporter.epoch(Row(2, "std", 1.25, 0.5, 0.75, None, 0.1, 50.0))
    assert capsys.readouterr().err.splitlines() == [
        "epoch 2/6: loss 1.500, accuracy 0.2500, density 0.5000, 4 min left",  # 46 steps at 5 s
        "epoch 2/6: loss 1.500, accuracy 0.2500, density 0.5000, 4 min left",
        "epoch 2/6 (std, 50 s): loss 1.250, accuracy 0.5000, test accuracy 0.7500, 3 min left",
    ]


def test_epochs_of_rest_tell_nothing_of_the_time_left(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = 0.0
    monkeypatch.setattr("training.progress.time.monotonic", lambda: now)
    with Lines() as reporter:
        reporter.begin(0, 40, 4)
        reporter.epoch(Row(1, "rest", None, None, None, None, 0.0, 0.0))
        for step in range(11, 21):
            now += 1.0
            reporter.step(2, step, 1.5, 0.25, None)
        reporter.epoch(Row(2, "std", 1.25, 0.5, None, None, 0.1, 10.0))
    assert capsys.readouterr().err.splitlines() == [
        "epoch 1/4 (rest, 0 s): nothing trained",
        "epoch 2/4 (std, 10 s): loss 1.250, accuracy 0.5000, 20 s left",
    ]


def test_bar_shows_loss_accuracy_density_and_test_accuracy() -> None:
    bar = Bar()
    screen = io.StringIO()
    bar.bar.live.console = Console(file=screen, force_terminal=True, width=160)
    with bar as reporter:
        reporter.begin(0, 20, 2)
        reporter.step(1, 5, 1.5, 0.25, 0.5)
        reporter.epoch(ROW)
        reporter.step(2, 11, 1.0, 0.5, 0.25)
    assert "epoch 2/2" in screen.getvalue()
    assert "loss 1.000  acc 0.500  density 0.250  test 0.750" in screen.getvalue()


@pytest.mark.parametrize(("seconds", "words"), [(45, "45 s"), (720, "12 min"), (12600, "3.5 h")])
def test_clock(seconds: float, words: str) -> None:
    assert clock(seconds) == words
