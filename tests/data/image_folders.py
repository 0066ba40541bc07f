"""A small folder of images, and archives of it."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

from PIL import Image


def png(value: int, side: int = 6) -> bytes:
    """A small image whose every pixel is (value, value + 1, value + 2)."""
    stream = io.BytesIO()
    Image.new("RGB", (side, side), (value, value + 1, value + 2)).save(stream, "png")
    return stream.getvalue()


TREE = {
    "train/cat/1.png": png(1),
    "train/dog/2.png": png(2),
    "test/cat/10.png": png(10),
    "test/cat/9.PNG": png(9),
    "test/dog/deep/er/3.png": png(3),
    "test/dog/.hidden.png": b"",
    "test/dog/Thumbs.db": b"thumbs",
    "test/dog/._3.png": b"",
    "test/.cache/x.png": b"",
    "__MACOSX/test/cat/._1.png": b"",
    "readme.txt": b"read me",
}


def write(root: Path, tree: Mapping[str, bytes]) -> Path:
    for name, data in tree.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return root


def archive(folder: Path, kind: str, path: Path, prefix: str = "") -> str:
    """Everything in `folder` in an archive at `path`.kind, below `prefix` there."""
    target = path.with_name(f"{path.name}.{kind}")
    if kind == "zip":
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as out:
            for file in sorted(folder.rglob("*")):
                out.write(file, prefix + file.relative_to(folder).as_posix())
    else:
        with tarfile.open(target, f"w:{kind[4:]}") as out:  # type: ignore[call-overload]
            out.add(folder, prefix or ".")
    return str(target)
