from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.datasets import CIFAR10

from csg_analyze.data import load_dataset
from csg_analyze.data.scenes import make_scenes
from csg_analyze.data.specs import DATA_KINDS
from csg_analyze.errors import UsageError


def test_scenes_with_and_without_a_seed() -> None:
    calls: list[tuple[int, int]] = []
    dataset = load_dataset("scenes:3", limit=20, size=16, progress=lambda done, total: calls.append((done, total)))
    assert dataset.spec == "scenes:3"
    assert dataset.image_size == (16, 16)
    assert torch.bincount(dataset.labels).tolist() == [2] * 10
    assert dataset.masks is not None
    assert dataset.masks.shape == (20, 16, 16)
    assert calls == [(20, 20)]
    assert load_dataset("scenes", size=32).fingerprint == make_scenes("test").fingerprint
    assert len(load_dataset("scenes", "train")) == 4000


def test_folder_passes_everything_on(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / "test" / name).mkdir(parents=True)
        for i in range(3):
            Image.new("RGB", (10, 8 + i), (i, 0, 0)).save(tmp_path / "test" / name / f"{i}.png")
    calls: list[tuple[int, int]] = []
    dataset = load_dataset(
        f"folder:{tmp_path}", size=4, resize=5, limit=4, progress=lambda done, total: calls.append((done, total))
    )
    assert dataset.images.shape == (4, 3, 4, 4)
    assert calls == [(4, 4)]


@pytest.fixture
def fake_cifar10(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two images a batch in the layout of CIFAR-10's python version, whose checksums are not asked for."""
    folder = tmp_path / CIFAR10.base_folder
    folder.mkdir()
    for i, (name, _) in enumerate([*CIFAR10.train_list, *CIFAR10.test_list]):
        data = np.full((2, 3 * 32 * 32), i, np.uint8)
        data[:, 0] = 200  # the first row's first red pixel
        (folder / name).write_bytes(pickle.dumps({"data": data, "labels": [i, i + 1]}))
    classes = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
    (folder / CIFAR10.meta["filename"]).write_bytes(pickle.dumps({"label_names": classes}))
    monkeypatch.setattr(CIFAR10, "_check_integrity", lambda self: True)
    monkeypatch.setattr("torchvision.datasets.cifar.check_integrity", lambda path, md5: True)
    return tmp_path


def test_cifar10_as_torchvision_keeps_it(fake_cifar10: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_CIFAR10", str(fake_cifar10))
    train, test = load_dataset("cifar10:$FAKE_CIFAR10", "train"), load_dataset(f"cifar10:{fake_cifar10}")
    assert train.images.shape == (10, 3, 32, 32)
    assert train.labels.tolist() == [0, 1, 1, 2, 2, 3, 3, 4, 4, 5]
    assert test.labels.tolist() == [5, 6]
    assert test.class_names[5] == "dog"
    assert test.sample_ids == ("test-00000", "test-00001")
    images = test.images[:]
    assert images[0, 0, 0, 0] == 200
    assert (images[0] == 5).sum() == 3 * 32 * 32 - 1
    assert load_dataset(f"cifar10:{fake_cifar10}", size=24).image_size == (24, 24)


def test_changed_cifar10_files_are_not_opened(fake_cifar10: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()  # torchvision compares the checksums again
    with pytest.raises(UsageError, match="no intact CIFAR-10"):
        load_dataset(f"cifar10:{fake_cifar10}")
    with pytest.raises(UsageError, match="looked for cifar-10-batches-py/"):
        load_dataset(f"cifar10:{fake_cifar10 / 'nowhere'}")


@pytest.mark.parametrize(
    ("spec", "match"),
    [
        ("scnes", "unknown data spec 'scnes'; did you mean 'scenes'?"),
        ("foldr:x", "unknown data spec 'foldr'; did you mean 'folder'?"),
        ("imagenet", "known: cifar10, csv, folder, hf, scenes, torchvision, voc, webdataset"),
        ("", "known: cifar10, csv, folder, hf, scenes, torchvision, voc, webdataset"),
        ("hf:", "write hf:PATH with a path for PATH"),
        ("webdataset", "write webdataset:PATH with a path for PATH"),
        ("scenes:x", "seed of 'scenes:x' must be a whole number"),
        ("scenes:-1", "seed of 'scenes:-1' must be a whole number"),
        ("folder", "write folder:PATH"),
        ("folder:", "write folder:PATH"),
        ("cifar10:", "write cifar10:ROOT"),
    ],
)
def test_specs_that_name_nothing(spec: str, match: str) -> None:
    with pytest.raises(UsageError) as raised:
        load_dataset(spec)
    assert match in str(raised.value)


def test_a_bare_path_is_told_to_be_a_folder(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as raised:
        load_dataset(str(tmp_path))
    assert f"did you mean 'folder:{tmp_path}'?" in str(raised.value)


def test_sizes_limits_and_splits_are_checked() -> None:
    with pytest.raises(UsageError, match="size of images must be at least 1"):
        load_dataset("scenes", size=0)
    with pytest.raises(UsageError, match="--limit must be at least 1"):
        load_dataset("scenes", limit=0)
    with pytest.raises(UsageError, match="unknown split 'tset'; did you mean 'test'"):
        load_dataset("scenes", "tset")  # type: ignore[arg-type]


def test_every_kind_is_explained_in_one_line() -> None:
    for kind, line in DATA_KINDS.items():
        assert line.startswith(kind)
        assert "\n" not in line
