"""What is said about folders and archives that are no data."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import pytest

from csg_analyze.data.folders import load_folder
from csg_analyze.errors import UsageError
from tests.data.image_folders import TREE, archive, png, write


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write(tmp_path / "pets", TREE)


def missing(_root: Path) -> str:
    return "nowhere.zip"


def text_file(root: Path) -> str:
    return str(root / "readme.txt")


def truncated(root: Path) -> str:
    path = Path(archive(root, "zip", root.parent / "cut"))
    path.write_bytes(path.read_bytes()[:-40])
    return str(path)


def truncated_gzip(root: Path) -> str:
    path = Path(archive(root, "tar.gz", root.parent / "cut"))
    path.write_bytes(path.read_bytes()[:-40])
    return str(path)


def damaged(root: Path) -> str:
    path = Path(archive(root, "zip", root.parent / "cut"))
    data = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as content:
        start = content.getinfo("test/cat/10.png").header_offset
    data[start + 30 + len("test/cat/10.png") + 5] ^= 255
    path.write_bytes(data)
    return str(path)


def empty(root: Path) -> str:
    (root.parent / "empty").mkdir()
    return str(root.parent / "empty")


def empty_zip(root: Path) -> str:
    with zipfile.ZipFile(root.parent / "empty.zip", "w"):
        return str(root.parent / "empty.zip")


def splits_of_other_names(root: Path) -> str:
    tree = {f"{split}/{name}/x.png": png(1) for split in ("training", "testing") for name in ("cat", "dog")}
    return str(write(root.parent / "others", tree))


def no_images(root: Path) -> str:
    return str(write(root.parent / "texts", {"test/a/x.txt": b"", "test/b/x.txt": b""}))


def no_class_folders(root: Path) -> str:
    return str(write(root.parent / "flat", {"test/x.png": png(1), "train/x.png": png(1)}))


def one_class(root: Path) -> str:
    return str(write(root.parent / "single", {"test/a/x.png": png(1), "train/a/x.png": png(1)}))


def empty_class(root: Path) -> str:
    (root / "test/yak").mkdir()
    return str(root)


def no_test(root: Path) -> str:
    shutil.rmtree(root / "test")
    return str(root)


def broken_image(root: Path) -> str:
    (root / "test/cat/10.png").write_bytes(png(10)[:50])
    return str(root)


def only_one_class_folder(root: Path) -> str:
    return str(write(root.parent / "lonely", {"cat/x.png": png(1), "cat/y.png": png(2)}))


def empty_class_of_one_split(root: Path) -> str:
    return str(write(root.parent / "yolo", {"images/x.png": png(1), "labels/x.txt": b""}))


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (missing, "nothing at 'nowhere.zip'"),
        (text_file, "neither a folder nor an intact .zip or .tar"),
        (truncated, "neither a folder nor an intact .zip or .tar"),
        (truncated_gzip, "neither a folder nor an intact .zip or .tar"),
        (damaged, r"cannot read 'test/cat/10.png' in .*cut\.zip'"),
        (empty, "has no folders; expected train/ and test/"),
        (empty_zip, "has no folders; expected train/ and test/"),
        (splits_of_other_names, r"no split folders, only testing/, training/ with folders of the same names in each"),
        (only_one_class_folder, "only one class, 'cat'"),
        (empty_class_of_one_split, "no images of class 'labels'"),
        (no_images, "no images in test/"),
        (no_class_folders, "no class folders in train/, test/"),
        (one_class, "only one class, 'a'"),
        (empty_class, "no images of class 'yak'"),
        (no_test, "has no test/ or val/ or valid/ or validation/, only train/"),
        (broken_image, r"'test/cat/10.png' is broken"),
    ],
)
def test_what_cannot_be_read_is_said_in_one_sentence(root: Path, make: object, match: str) -> None:
    with pytest.raises(UsageError, match=match) as raised:
        load_folder(make(root))  # type: ignore[operator]
    assert "\n" not in str(raised.value)
