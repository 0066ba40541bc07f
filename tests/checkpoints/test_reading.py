from __future__ import annotations

import argparse
import pickle
import struct
import zipfile
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from csg_analyze.checkpoints import load_classifier
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


def flipped(path: Path, where: int, bit: int = 1) -> None:
    content = bytearray(path.read_bytes())
    content[where] ^= bit
    path.write_bytes(content)


def directory_entry(path: Path, name: str) -> int:
    """Where a member's entry in the table of contents begins."""
    return path.read_bytes().rindex(name.encode()) - 46


def data_of(path: Path, name: str) -> int:
    """Where a member's own bytes begin."""
    with zipfile.ZipFile(path) as archive:
        start = archive.getinfo(name).header_offset
    name_length, extra_length = struct.unpack("<HH", path.read_bytes()[start + 26 : start + 30])
    return start + 30 + int(name_length) + int(extra_length)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(draw=st.data())
def test_one_flipped_bit_in_any_member_is_found_and_the_member_named(
    tmp_path: Path, weights: dict[str, torch.Tensor], draw: st.DataObject
) -> None:
    path = tmp_path / "w.pt"
    torch.save(weights, path)
    with zipfile.ZipFile(path) as archive:
        member = draw.draw(st.sampled_from([member for member in archive.infolist() if member.file_size]))
    where = draw.draw(st.integers(0, member.file_size - 1))
    flipped(path, data_of(path, member.filename) + where, 1 << draw.draw(st.integers(0, 7)))
    with pytest.raises(UsageError, match="does not match its checksum") as caught:
        read_contents(path)
    assert repr(member.filename) in str(caught.value)


@pytest.mark.parametrize(
    ("offset", "value", "words"),
    [
        (8, b"\x01\x00", "'w/byteorder' is encrypted"),
        (10, b"\x63\x00", "'w/byteorder' is compressed in a way that cannot be read here"),
        (16, b"\x01\x02\x03\x04", "'w/byteorder' is damaged"),  # the checksum itself
        (42, b"\x00\x00\x00\x00", "'w/byteorder' is damaged"),  # points to another member
        (0, b"PKxx", "its table of contents is damaged"),
        (28, b"\xff\x7f", "its table of contents is damaged"),  # a name that ends behind the file
    ],
)
def test_a_member_that_cannot_be_read_is_named_in_one_sentence(
    tmp_path: Path, weights: dict[str, torch.Tensor], offset: int, value: bytes, words: str
) -> None:
    path = tmp_path / "w.pt"
    torch.save(weights, path)
    start = directory_entry(path, "w/byteorder") + offset
    content = bytearray(path.read_bytes())
    content[start : start + len(value)] = value
    path.write_bytes(content)
    with pytest.raises(UsageError, match=words) as caught:
        read_contents(path)
    assert str(path) in str(caught.value)
    assert str(caught.value).count(".") == str(path).count(".") + 1
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_checkpoint_that_another_program_packed_is_read_and_checked(
    tmp_path: Path, weights: dict[str, torch.Tensor], compression: int
) -> None:
    torch.save(weights, tmp_path / "w.pt")
    packed = tmp_path / "packed.pt"
    with zipfile.ZipFile(tmp_path / "w.pt") as source, zipfile.ZipFile(packed, "w", compression) as target:
        for name in source.namelist():
            target.writestr(name, source.read(name))
    contents = read_contents(packed)
    assert all(torch.equal(contents.state_dict[name], weights[name]) for name in weights)
    assert contents.notes == ()
    flipped(packed, data_of(packed, "w/data/0") + 5)
    with pytest.raises(UsageError, match="'w/data/0' is damaged"):
        read_contents(packed)


@pytest.mark.parametrize("kind", ["legacy", "without"])
def test_files_without_checksums_are_read_and_it_is_said(
    tmp_path: Path, weights: dict[str, torch.Tensor], kind: str
) -> None:
    path = tmp_path / "w.pt"
    if kind == "legacy":
        torch.save(weights, path, _use_new_zipfile_serialization=False)
    else:
        torch.serialization.set_crc32_options(False)
        try:
            torch.save(weights, path)
        finally:
            torch.serialization.set_crc32_options(True)
    contents = read_contents(path)
    assert all(torch.equal(contents.state_dict[name], weights[name]) for name in weights)
    (note,) = contents.notes
    assert "no checksums" in note
    assert note in load_classifier(path, architecture="resnet8").notes


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
        load_classifier(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
