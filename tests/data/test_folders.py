"""Folders of images and archives of them as datasets."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from csg_analyze.data.dataset import Dataset
from csg_analyze.data.decoding import DecodedOnAccess
from csg_analyze.data.folders import load_folder
from csg_analyze.errors import UsageError
from tests.data.image_folders import TREE, archive, png, write

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

ARCHIVES = ["zip", "tar", "tar.gz", "tar.bz2", "tar.xz"]


def reds(dataset: Dataset) -> list[int]:
    """The red value of every image's first pixel."""
    values: list[int] = dataset.images[:][:, 0, 0, 0].tolist()
    return values


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write(tmp_path / "pets", TREE)


def test_classes_names_labels_and_pixels(root: Path) -> None:
    dataset = load_folder(str(root))
    assert dataset.class_names == ("cat", "dog")
    assert dataset.sample_ids == ("test/cat/10.png", "test/cat/9.PNG", "test/dog/deep/er/3.png")
    assert dataset.labels.tolist() == [0, 0, 1]
    assert dataset.images[:][:, :, 2, 3].tolist() == [[10, 11, 12], [9, 10, 11], [3, 4, 5]]
    assert (dataset.spec, dataset.split, dataset.notes) == (f"folder:{root}", "test", ())
    assert reds(load_folder(str(root), "train")) == [1, 2]


@pytest.mark.parametrize("prefix", ["", "pets/"])
@pytest.mark.parametrize("kind", ARCHIVES)
def test_an_archive_is_the_folder(root: Path, tmp_path: Path, kind: str, prefix: str) -> None:
    path = archive(root, kind, tmp_path / "other-name", prefix)
    before = sorted(tmp_path.rglob("*"))
    expected, archived = load_folder(str(root)), load_folder(path)
    assert archived.fingerprint == expected.fingerprint
    assert archived.sample_ids == expected.sample_ids
    assert torch.equal(archived.images[:], expected.images[:])
    assert sorted(tmp_path.rglob("*")) == before  # nothing unpacked


@pytest.mark.parametrize("kind", ARCHIVES)
def test_images_too_large_for_memory_are_decoded_on_access(root: Path, tmp_path: Path, kind: str) -> None:
    path = archive(root, kind, tmp_path / "pets")
    expected = load_folder(path, size=200)
    dataset = load_folder(path, size=200, memory_budget=100_000)  # of 3 * 120,000
    assert isinstance(dataset.images, DecodedOnAccess)
    assert torch.equal(dataset.images[:], expected.images[:])
    assert "images decoded on access: in memory they would take 0.4 MB" in dataset.notes
    assert dataset.fingerprint == expected.fingerprint
    limited = dataset.limited(2)
    assert isinstance(limited.images, DecodedOnAccess)
    assert reds(limited) == [10, 3]


@pytest.mark.parametrize("kind", ["tar.gz", "tar.bz2", "tar.xz"])
def test_a_compressed_tar_too_large_for_memory_is_refused(root: Path, tmp_path: Path, kind: str) -> None:
    with pytest.raises(UsageError, match=r"takes more than 0\.0 MB decompressed.*make a \.zip"):
        load_folder(archive(root, kind, tmp_path / "pets"), memory_budget=5000)


def test_a_folder_around_the_splits_is_found_unless_there_are_two(root: Path, tmp_path: Path) -> None:
    write(tmp_path / "docs", {"a/b.txt": b""})
    assert load_folder(str(tmp_path)).fingerprint == load_folder(str(root)).fingerprint
    shutil.copytree(root, tmp_path / "more")
    with pytest.raises(UsageError, match=r"several image folders \(more/, pets/\)"):
        load_folder(str(tmp_path))


@pytest.mark.parametrize("name", ["val", "valid", "validation", "Test", "VAL"])
def test_other_names_of_the_test_split(root: Path, name: str) -> None:
    (root / "test").rename(root / name)
    assert load_folder(str(root)).sample_ids[0] == f"{name}/cat/10.png"


def test_test_comes_before_val(root: Path) -> None:
    write(root, {"val/cat/1.png": png(77), "val/dog/1.png": png(78)})
    assert load_folder(str(root)).sample_ids[0] == "test/cat/10.png"


def test_home_and_environment_variables_are_expanded(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PETS_PARENT", str(root.parent))
    monkeypatch.setenv("HOME", str(root.parent))
    expected = load_folder(str(root)).fingerprint
    assert load_folder("$PETS_PARENT/pets").fingerprint == expected
    assert load_folder("~/pets").fingerprint == expected


def test_the_fingerprint_follows_content_names_labels_and_sizes(root: Path, tmp_path: Path) -> None:
    def changed(remove: str, **tree: bytes) -> str:
        copy = tmp_path / f"copy{len(list(tmp_path.iterdir()))}"
        shutil.copytree(root, copy)
        (copy / remove).unlink()
        return load_folder(str(write(copy, {name.replace("__", "/"): data for name, data in tree.items()}))).fingerprint

    seen = [load_folder(str(root)).fingerprint]
    seen.append(changed("test/cat/10.png", **{"test__cat__10.png": png(11)}))
    seen.append(changed("test/cat/10.png", **{"test__cat__11.png": png(10)}))
    seen.append(changed("test/cat/10.png", **{"test__dog__10.png": png(10)}))
    seen.append(changed("train/cat/1.png", **{"train__cow__1.png": png(1)}))  # one class more, though not in test
    seen.append(load_folder(str(root), size=4).fingerprint)
    seen.append(load_folder(str(root), size=4, resize=5).fingerprint)
    assert len(set(seen)) == len(seen)
    # what changes nothing about the images does not count
    assert changed("train/cat/1.png", **{"train__cat__1.png": png(5)}) == seen[0]
    assert changed("readme.txt") == seen[0]
    assert load_folder(str(root), size=6).fingerprint == seen[0]


def test_sizes(root: Path) -> None:
    write(root, {"test/dog/large.png": png(50, side=30)})
    with pytest.raises(UsageError, match=r"10\.png' is 6x6, 'test/dog/large\.png' 30x30"):
        load_folder(str(root))
    dataset = load_folder(str(root), size=6)
    assert dataset.image_size == (6, 6)
    assert reds(dataset) == [10, 9, 3, 50]
    assert dataset.notes == ("images resized and cropped to 6x6 pixels",)
    with pytest.raises(UsageError, match="does not fit"):
        load_folder(str(root), size=6, resize=5)


def test_only_the_limit_is_read(root: Path) -> None:
    (root / "test/cat/9.PNG").write_bytes(b"broken")
    dataset = load_folder(str(root), limit=2)
    assert dataset.sample_ids == ("test/cat/10.png", "test/dog/deep/er/3.png")
    assert dataset.notes == ("2 of 3 images, classes balanced (--limit)",)
    with pytest.raises(UsageError, match="not 0"):
        load_folder(str(root), limit=0)


def test_a_class_of_one_split_only_is_noted(root: Path) -> None:
    write(root, {"train/ant/1.png": png(4), "test/stray.png": png(5)})
    dataset = load_folder(str(root))
    assert dataset.class_names == ("ant", "cat", "dog")
    assert dataset.labels.tolist() == [1, 1, 2]
    assert dataset.notes == ("no image of 'ant' in test/", "1 images of test/ lie in no class folder and were left out")


def test_links_are_followed_but_not_for_ever(root: Path, tmp_path: Path) -> None:
    (root / "test/cat").rename(tmp_path / "elsewhere")
    (root / "test/cat").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere/up").symlink_to(tmp_path / "elsewhere")
    assert load_folder(str(root)).labels.tolist() == [0, 0, 1]


@pytest.mark.real_data
def test_cifar10_is_read_as_it_is(cifar10_zip: Path) -> None:
    dataset = load_folder(str(cifar10_zip))
    assert len(dataset) == 10_000
    assert dataset.image_size == (32, 32)
    assert dataset.class_names == CLASSES
    assert torch.bincount(dataset.labels).tolist() == [1000] * 10
    mean = dataset.images[:].double().mean((0, 2, 3)) / 255
    assert np.allclose(mean, [0.4914, 0.4822, 0.4465], atol=0.005)


@pytest.mark.parametrize("kind", ["", "zip", "tar"])
@pytest.mark.parametrize("prefix", ["", "pets/"])
def test_folders_of_classes_alone_are_one_split_which_is_said(tmp_path: Path, kind: str, prefix: str) -> None:
    tree = {"cat/b.png": png(2), "cat/a.png": png(1), "dog/2024/c.png": png(3), "readme.txt": b""}
    path = str(write(tmp_path / "all", {prefix + name: data for name, data in tree.items()}))
    if kind:
        path = archive(Path(path), kind, tmp_path / "packed")
    for split in ("train", "test"):
        dataset = load_folder(path, split)  # type: ignore[arg-type]
        assert (dataset.class_names, dataset.labels.tolist(), reds(dataset)) == (("cat", "dog"), [0, 0, 1], [1, 2, 3])
        assert dataset.sample_ids == ("cat/a.png", "cat/b.png", "dog/2024/c.png")
        assert dataset.split == split
        assert dataset.notes == (f"the data has no splits: all its images were taken as the {split} split",)


def test_a_split_named_by_itself_is_taken_as_the_one_that_is_asked_for_and_its_name_said(root: Path) -> None:
    (note,) = load_folder(str(root / "train")).notes
    assert note.endswith("all its images were taken as the test split, though 'train' sounds like the train split")
    (note,) = load_folder(str(root / "test")).notes
    assert "sounds" not in note
