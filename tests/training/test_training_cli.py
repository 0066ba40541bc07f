from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from dataclasses import fields
from pathlib import Path

import pytest
import torch

from csg_analyze.data import Dataset
from csg_analyze.flags import named
from training.cli import main
from training.recipes import RECIPES, Recipe
from training.state import state_path

TINY = ["--epochs", "1", "--limit", "30", "--batch-size", "15", "--lr", "0.01"]


@pytest.fixture(autouse=True)
def small_data(data: tuple[Dataset, Dataset], monkeypatch: pytest.MonkeyPatch) -> None:
    def load(spec: str, split: str, *, limit: int | None = None, **_: object) -> Dataset:
        return data[split == "test"].limited(limit)

    monkeypatch.setattr("training.setup.load_dataset", load)


def call(*arguments: str | Path) -> int:
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
    assert isinstance(stop.value.code, int)
    return stop.value.code


@pytest.mark.parametrize("training", ["std", "csg"])
def test_trains_and_says_how_it_ended(training: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "x.pt"
    assert call(training, *TINY, "--out", out, "--seed", "3", "--no-flip") == 0
    shown = capsys.readouterr()
    assert shown.out == ""
    assert re.search(r"epoch 1/1 \((std|joint), \d+ s\): loss \d+\.\d+, accuracy 0\.\d+", shown.err)
    assert f"{out}: test accuracy" in shown.err
    content = torch.load(out, weights_only=True)
    assert content["training"] == training.upper()
    assert content["record"]["seed"] == 3
    assert content["record"]["recipe"]["name"] == "scenes-resnet8"
    assert content["record"]["recipe"]["optimisation"]["epochs"] == 1
    assert content["record"]["recipe"]["data"]["flip"] is False


def test_seeds_train_a_group(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("csg", *TINY, "--out", tmp_path / "x-{seed}.pt", "--seeds", "1,3") == 0
    assert sorted(path.name for path in tmp_path.glob("*.pt")) == ["x-1.pt", "x-3.pt"]
    assert "seed 3 (2 of 2)" in capsys.readouterr().err
    assert torch.load(tmp_path / "x-3.pt", weights_only=True)["record"]["seed"] == 3
    assert call("csg", *TINY, "--out", tmp_path / "x-{seed}.pt", "--seeds", "1-3", "--resume", "--quiet") == 0
    assert sorted(path.name for path in tmp_path.glob("*.pt")) == ["x-1.pt", "x-2.pt", "x-3.pt"]


def test_quiet_says_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("std", *TINY, "--out", tmp_path / "x.pt", "--quiet") == 0
    shown = capsys.readouterr()
    assert shown.out + shown.err == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["std", "--recipe", "scene-resnet8"], "unknown recipe 'scene-resnet8'; did you mean 'scenes-resnet8'?"),
        (["std", "--epochs", "many"], "--epochs many: "),
        (["std", "--seeds", "2-0"], "--seeds takes whole numbers"),
        (["std", "--seeds", "0-1", "--seed", "3"], "--seed 3 and --seeds 0-1 contradict each other"),
        (["std", "--seeds", "0-1", "--tensorboard", "events"], "--tensorboard takes one training"),
        (["std", "--lrr", "1"], "No such option"),
        (["csg", "--gate-bound", "0.05CK"], "--gate-bound 0.05CK (here 9.6) is below K = 64"),
        (["csg", "--gate-bound", "big"], "--gate-bound takes a number"),
        (["csg", "--fixed-gate", "6,4"], "the feature layer has 64; 21,1 fits"),
        (["csg", "--csg-lr", "0.1"], "--csg-lr means nothing with --scheme joint"),
        (["csg", "--scheme", "sometimes"], "--scheme sometimes: input should be 'alternate' or 'joint'"),
        (["std", "--arch", "resnet9"], "unknown architecture 'resnet9'"),
        (["std", "--layer", "layer9"], "unknown layer 'layer9'"),
        (["std", "--device", "toaster"], "device 'toaster' cannot be used here"),
        (["std", "--start", "missing.pt"], "missing.pt"),
        (["std", "--std-trainable", "layer9"], "unknown layer 'layer9'"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(*arguments, "--out", tmp_path / "x.pt") == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("error: ")
    assert message in shown.err
    assert shown.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_missing_out_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("std") == 2
    assert capsys.readouterr().err.startswith("error: Missing option '--out'")


def test_tensorboard_that_is_not_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    assert call("std", *TINY, "--out", tmp_path / "x.pt", "--tensorboard", tmp_path / "tb") == 2
    assert "pip install tensorboard" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_every_field_of_a_recipe_has_a_flag(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("csg", "--help") == 0
    shown = capsys.readouterr().out
    assert named("name") not in shown
    for group in fields(Recipe)[1:]:
        for field in fields(getattr(RECIPES["scenes-resnet8"], group.name)):
            assert named(field.name) in shown


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="unknown recipe"):
        main(["std", "--recipe", "x", "--out", str(tmp_path / "x.pt"), "--debug"])


def test_importing_the_command_line_imports_no_torch() -> None:
    code = "import sys, training.cli as cli; cli.build_app(); sys.exit(bool({'torch', 'pandas'} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_sigterm_leaves_a_resumable_state(tmp_path: Path) -> None:
    out = tmp_path / "x.pt"
    command = [sys.executable, "-m", "training", "std", "--out", str(out), "--limit", "200", "--epochs", "5000"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not state_path(out).exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert re.search(
        r"interrupted; .*x\.pt\.resume holds the run after \d+ of 5000 epochs: go on with --resume\n$", said
    )
    assert "Traceback" not in said
    assert torch.load(state_path(out), weights_only=True)["identity"]["recipe"]["optimisation"]["epochs"] == 5000
    assert not out.exists()
