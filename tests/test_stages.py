from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import pytest
import torch

import csg_analyze
from csg_analyze.checkpoints import save_checkpoint
from csg_analyze.errors import UsageError
from csg_analyze.settings import Loading, Run
from csg_analyze.stages import STAGES, State
from tests.examples import HALF, random_classifier, random_gate

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


@pytest.fixture
def checkpoints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    monkeypatch.chdir(tmp_path)
    paths = [tmp_path / "std.pt", tmp_path / "csg.pt"]
    for path, gate in zip(paths, (None, torch.from_numpy(random_gate(10, 64))), strict=True):
        save_checkpoint(
            path, random_classifier().network.network, architecture="resnet8", class_names=DIGITS, preprocessing=HALF,
            feature_layer="layer3", data="scenes", training="CSG" if gate is not None else "STD", gate=gate, record={},
        )  # fmt: skip
    return paths


def test_every_stage_adds_its_own_part(checkpoints: list[Path], tmp_path: Path) -> None:
    """The program by hand, stage after stage: what each returns is what it was given, with one field more."""
    settings = Run(
        checkpoints, limit=30, analyzers=("accuracy",), out=tmp_path / "report", no_cache=True, quiet=True
    )  # fmt: skip
    state, added = State(settings), []
    for stage in STAGES:
        after = stage(state)
        added.append([f.name for f in fields(State) if getattr(after, f.name) is not getattr(state, f.name)])
        state = after
    assert added == [["plan"], ["classifiers"], ["datasets"], ["models"], ["report"], []]
    assert (tmp_path / "report" / "index.html").exists()


def test_the_api_runs_and_writes(checkpoints: list[Path], tmp_path: Path) -> None:
    report = csg_analyze.run(checkpoints, limit=30, analyzers=["accuracy", "gate"], no_cache=True, quiet=True)
    assert [model.name for model in report.models] == ["std", "csg"]
    assert report.models[0].skipped == {"gate": "no gate in this checkpoint"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["csg.pt", "std.pt"]  # nothing is written without out
    csg_analyze.write_report(report, tmp_path / "written")
    by_run = csg_analyze.run(
        csg_analyze.Run(checkpoints, limit=30, analyzers=["accuracy", "gate"], no_cache=True, quiet=True),
        out=tmp_path / "by-run",
    )  # fmt: skip
    assert [model.name for model in by_run.models] == ["std", "csg"]
    first, second = (json.loads((tmp_path / name / "summary.json").read_text()) for name in ("written", "by-run"))
    assert first["models"] == second["models"]


def test_what_cannot_work_is_said_before_anything_is_loaded(tmp_path: Path) -> None:
    nowhere = [tmp_path / "absent.pt"]
    with pytest.raises(UsageError, match="did you mean 'mis'"):
        csg_analyze.run(nowhere, analyzers=["miss"])
    with pytest.raises(UsageError, match="dataset of the paper"):
        csg_analyze.run(nowhere, paper="cifar")
    (tmp_path / "taken").mkdir()
    with pytest.raises(UsageError, match="--force"):
        csg_analyze.run(nowhere, analyzers=["mis"], out=tmp_path / "taken")
    with pytest.raises(UsageError, match="no checkpoint"):
        csg_analyze.run(nowhere, analyzers=["mis"])


@pytest.mark.parametrize("mean", [".1,.2,.3", (0.1, 0.2, 0.3)])
def test_loading_takes_means_as_typed_or_as_numbers(checkpoints: list[Path], mean: object) -> None:
    loading = Loading(mean=mean, std=".5,.5,.5", device="cpu")  # type: ignore[arg-type]
    assert loading.load(checkpoints[0]).preprocessing.mean == (0.1, 0.2, 0.3)
    with pytest.raises(UsageError, match="--mean needs three numbers"):
        Loading(mean="red").load(checkpoints[0])


def test_seeds_are_recorded_by_what_draws_with_them(checkpoints: list[Path]) -> None:
    settings = {"analyzers": ["mis", "accuracy"], "options": {"mis": {"seed": 5}}, "no_cache": True, "quiet": True}
    report = csg_analyze.run(checkpoints[:1], limit=30, **settings)
    assert report.provenance["seeds"] == {"mis": 5}
