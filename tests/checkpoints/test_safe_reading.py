"""Nothing in a file is executed, however it is wrapped; what is admitted arrives as plain values."""

from __future__ import annotations

import argparse
import json
import pickle
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed.checkpoint as dcp
from safetensors.torch import save_file

from csg_analyze.checkpoints import load_classifier
from csg_analyze.checkpoints.containers import open_container
from csg_analyze.checkpoints.reading import read_contents
from csg_analyze.checkpoints.unwrapping import tensors_of
from csg_analyze.errors import UsageError
from csg_analyze.files import sha256_of
from csg_analyze.models import build


class Trap:
    """Unpickling this writes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.write_text, (self.path, "executed"))


class Call:
    """Unpickling this calls a function."""

    def __init__(self, function: object, *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[object, ...]:
        return self.call


def distributed(folder: Path, **more: object) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dcp.save({"model": build("resnet8", 4).state_dict(), **more}, checkpoint_id=folder, no_dist=True)
    return folder


def test_values_of_a_distributed_checkpoint_stay_unread(tmp_path: Path) -> None:
    folder = distributed(tmp_path / "folder", epoch=Trap(tmp_path / "trace"))
    assert load_classifier(folder).architecture == "resnet8"
    assert not (tmp_path / "trace").exists()


@pytest.mark.parametrize("allow_pickle", [False, True])
def test_metadata_of_a_distributed_checkpoint_is_not_executed(tmp_path: Path, allow_pickle: bool) -> None:
    folder = distributed(tmp_path / "folder")
    (folder / ".metadata").write_bytes(pickle.dumps(Trap(tmp_path / "trace")))
    with pytest.raises(UsageError, match=r"builtins.getattr|pathlib"):
        open_container(folder, allow_pickle=allow_pickle)
    assert not (tmp_path / "trace").exists()


@pytest.mark.parametrize("damage", ["lost", "short", "metadata"])
def test_a_damaged_distributed_checkpoint_is_named(tmp_path: Path, damage: str) -> None:
    folder = distributed(tmp_path)
    (part,) = folder.glob("*.distcp")
    match damage:
        case "lost":
            part.unlink()
        case "short":
            part.write_bytes(part.read_bytes()[:9999])
        case "metadata":
            (folder / ".metadata").write_bytes((folder / ".metadata").read_bytes()[:500])
    with pytest.raises(UsageError, match=r"lacks 1 of its 1 files|damaged") as caught:
        open_container(folder)
    assert str(folder) in str(caught.value)


def test_metadata_of_more_than_the_files_hold_asks_for_no_memory(tmp_path: Path) -> None:
    folder = distributed(tmp_path)
    found = pickle.loads((folder / ".metadata").read_bytes())
    found.state_dict_metadata["model.conv1.weight"].size = torch.Size([2**40, 2**20])
    (folder / ".metadata").write_bytes(pickle.dumps(found))
    with pytest.raises(UsageError, match="more than its files hold"):
        open_container(folder)
    (folder / ".metadata").write_bytes(pickle.dumps(torch.Size([2])))
    with pytest.raises(UsageError, match="is not the metadata"):
        open_container(folder)
    found.storage_data = {0: torch.Size([2])}
    (folder / ".metadata").write_bytes(pickle.dumps(found))
    with pytest.raises(UsageError, match="cannot be read: a file in it is damaged"):
        open_container(folder)


def test_what_is_admitted_is_plain(tmp_path: Path) -> None:
    arrays = {"small": np.arange(6.0).reshape(2, 3), "big_endian": np.arange(3, dtype=">f4"), "none": np.zeros((0, 2))}
    content = {
        "args": argparse.Namespace(out=tmp_path), "best": np.float32(0.5), "flag": np.bool_(True), "arrays": arrays
    }  # fmt: skip
    torch.save(content, tmp_path / "w.pt")
    loaded = open_container(tmp_path / "w.pt").content
    assert isinstance(loaded, dict)
    assert str(loaded["args"].out) == str(tmp_path)
    assert (loaded["best"], loaded["flag"]) == (0.5, True)
    assert (type(loaded["best"]), type(loaded["flag"])) == (float, bool)
    tensors = tensors_of(loaded)
    for name, array in arrays.items():
        np.testing.assert_array_equal(tensors["arrays", name].numpy(), array)


@pytest.mark.parametrize(
    "crafted",
    [
        Call(np.float64(0).__reduce__()[0], np.dtype("O"), b"12345678"),
        Call(np.float64(0).__reduce__()[0], np.dtype("f8"), b"1"),
        Call(np.float64(0).__reduce__()[0], np.dtype([("a", "f8")]), b"12345678"),
        Call(Path, "x"),
        Call(eval, "1"),
    ],
    ids=["object", "short", "fields", "path", "eval"],
)
def test_crafted_objects_are_refused(tmp_path: Path, crafted: object) -> None:
    torch.save({"state_dict": build("resnet8", 4).state_dict(), "best": crafted}, tmp_path / "w.pt")
    with pytest.raises(UsageError, match=r"w\.pt") as caught:
        open_container(tmp_path / "w.pt")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["../w.safetensors", "/etc/passwd", "", "w.safetensors.index.json", None])
def test_an_index_names_files_beside_it_alone(tmp_path: Path, name: str | None) -> None:
    index = tmp_path / "w.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"conv1.weight": name} if name is not None else 5}))
    with pytest.raises(UsageError, match=r"index"):
        open_container(index)


def test_code_that_is_not_here_is_named(tmp_path: Path) -> None:
    torch.save({"model": Trap(tmp_path)}, tmp_path / "w.pt")
    content = (tmp_path / "w.pt").read_bytes()
    assert b"pathlib" in content
    torch.save({"model": Trap(tmp_path)}, tmp_path / "w.pt", _use_new_zipfile_serialization=False)
    (tmp_path / "w.pt").write_bytes((tmp_path / "w.pt").read_bytes().replace(b"cpathlib", b"cpathlob"))
    with pytest.raises(UsageError, match=r"code is not here \(No module named 'pathlob'\)"):
        open_container(tmp_path / "w.pt", allow_pickle=True)


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("record", 5, "'record' is not named values (found int)"),
        ("preprocessing", "imagenet", "'preprocessing' is not mean, std, size and resize (found str)"),
        ("preprocessing", {"mean": [0, 0, 0], "std": [1, 1]}, "'preprocessing' is not"),
        ("class_names", 4, "'class_names' is not a list of names"),
        ("gate", "no", "'gate' is not a matrix"),
        ("architecture", 18, "'architecture' is not a name"),
        ("feature_layer", None, "'feature_layer' is not the name of a layer"),
        ("training", 1, "'training' is not STD, CSG or CONTROL"),
        ("data", [], "'data' is not a data spec"),
        ("state_dict", [1], "'state_dict' is not named tensors"),
    ],
)
def test_values_of_a_wrong_kind_in_an_own_file_are_named(tmp_path: Path, field: str, value: object, words: str) -> None:
    own = {"format": "csg-analyze", "version": 1, "state_dict": build("resnet8", 4).state_dict()}
    torch.save(own | {field: value}, tmp_path / "w.pt")
    with pytest.raises(UsageError) as caught:
        read_contents(tmp_path / "w.pt")
    assert words in str(caught.value)


def test_the_digest_of_a_file_is_its_own_and_that_of_a_folder_follows_its_files(tmp_path: Path) -> None:
    torch.save(build("resnet8", 4).state_dict(), tmp_path / "w.pt")
    digest = sha256_of(tmp_path / "w.pt")
    assert open_container(tmp_path / "w.pt").sha256 == open_container(tmp_path).sha256 == digest
    first = open_container(distributed(tmp_path / "a")).sha256
    assert len(first) == len(digest)
    assert open_container(distributed(tmp_path / "b")).sha256 != first


def test_a_safetensors_file_whose_length_looks_like_a_zip_s_mark_is_read(tmp_path: Path) -> None:
    weights = {"a.weight": torch.ones(2)}
    save_file(weights, tmp_path / "w.safetensors")
    content = (tmp_path / "w.safetensors").read_bytes()
    length = int.from_bytes(content[:8], "little")
    padded = int.from_bytes(b"PK", "little")  # the header may end in spaces
    header = content[8 : 8 + length].ljust(padded)
    (tmp_path / "w.bin").write_bytes(padded.to_bytes(8, "little") + header + content[8 + length :])
    assert (tmp_path / "w.bin").read_bytes()[:2] == b"PK"
    loaded = open_container(tmp_path / "w.bin").content
    assert isinstance(loaded, dict)
    assert torch.equal(loaded["a.weight"], weights["a.weight"])


def test_a_file_of_torch_s_named_safetensors_is_read_by_what_it_is(tmp_path: Path) -> None:
    torch.save(build("resnet8", 4).state_dict(), tmp_path / "w.safetensors")
    assert load_classifier(tmp_path / "w.safetensors").architecture == "resnet8"


def test_leave_to_unpickle_is_no_cure_for_damage(tmp_path: Path) -> None:
    torch.save(build("resnet8", 4).state_dict(), tmp_path / "w.pt", _use_new_zipfile_serialization=False)
    (tmp_path / "w.pt").write_bytes((tmp_path / "w.pt").read_bytes()[:-9])
    with pytest.raises(UsageError, match="cut off or damaged"):
        open_container(tmp_path / "w.pt", allow_pickle=True)


def test_shards_that_lack_a_tensor_are_refused(tmp_path: Path) -> None:
    save_file({"a.weight": torch.ones(2)}, tmp_path / "w.safetensors")
    (tmp_path / "m.safetensors.index.json").write_text(json.dumps({"weight_map": {"b.weight": "w.safetensors"}}))
    with pytest.raises(UsageError, match=r"expects 'b.weight' in 'w.safetensors', which does not hold it"):
        open_container(tmp_path)


def test_an_exported_program_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "w.pt2", "w") as archive:
        archive.writestr("w/archive_format", "pt2")
    with pytest.raises(UsageError, match=r"cannot be read as a PyTorch checkpoint \(.+\); save its state_dict\(\)"):
        open_container(tmp_path / "w.pt2", allow_pickle=True)
