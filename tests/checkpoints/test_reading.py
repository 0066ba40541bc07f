from __future__ import annotations

import argparse
import pickle
from pathlib import Path

import pytest
import torch
from torch import nn

from csg_analyze.checkpoints.reading import read_contents
from csg_analyze.errors import UsageError
from csg_analyze.models import build


@pytest.fixture(scope="module")
def weights() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return build("resnet8", 4).state_dict()


@pytest.mark.parametrize("wrapper", [None, "state_dict", "model", "model_state_dict", "net"])
@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.", "model.", "module._orig_mod.", "_orig_mod.module."])
def test_every_usual_wrapping_gives_the_same_weights(
    tmp_path: Path, weights: dict[str, torch.Tensor], wrapper: str | None, prefix: str
) -> None:
    wrapped: object = {prefix + name: value for name, value in weights.items()}
    if wrapper:
        wrapped = {wrapper: wrapped, "epoch": 3}
    torch.save(wrapped, tmp_path / "w.pt")
    contents = read_contents(tmp_path / "w.pt")
    assert contents.state_dict.keys() == weights.keys()
    assert all(torch.equal(contents.state_dict[name], weights[name]) for name in weights)
    assert contents.about.get("epoch") == (3 if wrapper else None)


def test_the_authors_gate_is_transposed(tmp_path: Path, weights: dict[str, torch.Tensor]) -> None:
    mask = torch.rand(64, 4)  # (K, C)
    torch.save({"model_state_dict": {"module." + k: v for k, v in {**weights, "lmask.mask": mask}.items()}},
               tmp_path / "w.pt")  # fmt: skip
    contents = read_contents(tmp_path / "w.pt")
    assert contents.gate is not None
    assert torch.equal(contents.gate, mask.T)
    assert "lmask.mask" not in contents.state_dict


class Recorder:
    """Unpickling this writes a file: the proof that nothing was executed is that the file is not there."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.write_text, (self.path, "executed"))


def test_pickled_code_is_not_executed_without_leave(tmp_path: Path, weights: dict[str, torch.Tensor]) -> None:
    trace = tmp_path / "trace"
    torch.save({"state_dict": weights, "trap": Recorder(trace)}, tmp_path / "w.pt")
    with pytest.raises(UsageError, match=r"Path.*--allow-pickle"):
        read_contents(tmp_path / "w.pt")
    assert not trace.exists()
    assert read_contents(tmp_path / "w.pt", allow_pickle=True).state_dict.keys() == weights.keys()
    assert trace.exists()


def test_whole_modules_and_arguments_need_leave(tmp_path: Path) -> None:
    torch.save({"model": nn.Linear(3, 2), "args": argparse.Namespace(lr=1)}, tmp_path / "w.pt")
    with pytest.raises(UsageError, match="--allow-pickle"):
        read_contents(tmp_path / "w.pt")
    assert set(read_contents(tmp_path / "w.pt", allow_pickle=True).state_dict) == {"weight", "bias"}


def damaged(kind: str, tmp_path: Path, weights: dict[str, torch.Tensor]) -> Path:
    path = tmp_path / "w.pt"
    match kind:
        case "missing":
            pass
        case "folder":
            path.mkdir()
        case "empty":
            path.touch()
        case "text":
            path.write_text("<!doctype html>\nnot found")
        case "random":
            path.write_bytes(bytes(range(128, 256)) * 50)
        case "pickle of a list":
            path.write_bytes(pickle.dumps([1, 2, 3]))
        case "truncated":
            torch.save(weights, path)
            path.write_bytes(path.read_bytes()[:5000])
        case "no weights":
            torch.save({"epoch": 3}, path)
        case "NaN":
            torch.save({**weights, "linear.bias": torch.full((4,), float("nan"))}, path)
        case "newer":
            torch.save({"format": "csg-analyze", "version": 99}, path)
    return path


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("missing", "no checkpoint"),
        ("folder", "is a folder"),
        ("empty", "is empty"),
        ("text", "text file"),
        ("random", "PyTorch checkpoint"),
        ("pickle of a list", "PyTorch checkpoint|no named weights"),
        ("truncated", "cut off or damaged"),
        ("no weights", "no named weights"),
        ("NaN", "linear.bias"),
        ("newer", "newer csg-analyze"),
    ],
)
def test_unusable_files_are_named_in_one_sentence(
    tmp_path: Path, weights: dict[str, torch.Tensor], kind: str, words: str
) -> None:
    path = damaged(kind, tmp_path, weights)
    with pytest.raises(UsageError, match=words) as caught:
        read_contents(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
