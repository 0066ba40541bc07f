"""Folders and archives of which a part cannot be read."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from csg_analyze.data import load_dataset
from csg_analyze.data.folders import load_folder
from csg_analyze.errors import UsageError
from tests.devkits import PICTURES, SPLITS, write_devkit


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for split in ("train", "test"):
        for name in ("cat", "dog/deep"):
            (tmp_path / "pets" / split / name).mkdir(parents=True)
            Image.new("RGB", (6, 6)).save(tmp_path / "pets" / split / name / "1.png")
            Image.new("RGB", (6, 6)).save(tmp_path / "pets" / split / name.partition("/")[0] / "2.png")
    return tmp_path / "pets"


@pytest.fixture
def locked(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Makes folders unreadable, as chmod 000 does for everybody but root."""
    folders: set[str] = set()

    def refusing(listing: Callable[..., Any]) -> Callable[..., Any]:
        def listed(path: Any = ".") -> Any:
            if os.path.realpath(path) in folders:
                raise PermissionError(13, "Permission denied", str(path))
            return listing(path)

        return listed

    for name in ("scandir", "listdir"):
        monkeypatch.setattr(os, name, refusing(getattr(os, name)))
    return lambda folder: folders.add(os.path.realpath(folder))


@pytest.mark.parametrize("folder", ["test/cat", "test/dog/deep", "test", "train"])
def test_a_folder_of_images_that_cannot_be_read(root: Path, locked: Callable[[Path], None], folder: str) -> None:
    locked(root / folder)
    with pytest.raises(UsageError, match=rf"cannot list '.*/{folder}': Permission denied") as raised:
        load_folder(str(root))
    assert "\n" not in str(raised.value)


def test_folders_whose_content_cannot_be_looked_at(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the right to enter a folder, its names can be listed and nothing more."""
    is_dir = Path.is_dir

    def denied(path: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "is_dir", lambda path: denied(path) if path.parent.name == "test" else is_dir(path))
    with pytest.raises(UsageError, match=r"cannot list '.*/test': Permission denied"):
        load_folder(str(root))


@pytest.mark.parametrize(
    "folder", ["JPEGImages", "Annotations", "SegmentationObject", "SegmentationClass", "ImageSets/Main"]
)
def test_a_folder_of_a_devkit_that_cannot_be_read(tmp_path: Path, locked: Callable[[Path], None], folder: str) -> None:
    root = write_devkit(tmp_path / "VOC2010", PICTURES, SPLITS, masks=True)
    (root / "SegmentationClass").mkdir()
    locked(root / folder)
    with pytest.raises(UsageError, match=rf"cannot list '.*/{folder}': Permission denied"):
        load_dataset(f"voc:{root}")


def test_parts_that_cannot_be_read(tmp_path: Path, locked: Callable[[Path], None]) -> None:
    from csg_analyze.data.voc.preparing import prepare_voc
    from csg_analyze.progress import untracked

    root = write_devkit(tmp_path / "VOC2010", PICTURES, SPLITS)
    (tmp_path / "parts" / "more").mkdir(parents=True)
    (tmp_path / "parts" / "p1.mat").write_bytes(b"")
    locked(tmp_path / "parts" / "more")
    with pytest.raises(UsageError, match=r"cannot list '.*/parts/more': Permission denied"):
        prepare_voc(str(root), tmp_path / "out", parts=tmp_path / "parts", track=untracked)


def tar_of(root: Path) -> Path:
    path = root.with_suffix(".tar")
    with tarfile.open(path, "w") as out:
        out.add(root, ".")
    return path


def test_a_tar_whose_list_of_members_breaks_off(root: Path) -> None:
    path = tar_of(root)
    data = bytearray(path.read_bytes())
    with tarfile.open(path) as archive:
        last = archive.getmembers()[-1].offset
    assert len(load_folder(str(path))) == 4
    for broken in (data[: last + 100], data[:last], data[:last] + bytes([255]) * 512 + data[last + 512 :]):
        path.write_bytes(broken)
        with pytest.raises(
            UsageError, match=r"nor an intact \.zip or \.tar archive \(a header in it is damaged, or it"
        ):
            load_folder(str(path))


def test_links_to_images_in_a_tar_are_followed(root: Path) -> None:
    path = tar_of(root)
    with tarfile.open(path, "a") as archive:
        for name, target in (("test/cat/9.png", "../dog/2.png"), ("test/cat/lost.png", "../nowhere.png")):
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, target
            archive.addfile(link, io.BytesIO())
    with pytest.raises(UsageError, match=r"cannot read 'test/cat/lost\.png' in .*linkname.*not found"):
        load_folder(str(path))
    assert "test/cat/9.png" in load_folder(str(path), limit=5).sample_ids
