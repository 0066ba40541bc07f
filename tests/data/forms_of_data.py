"""One small set of images, written in every form that a data spec names: a row of docs/data.md each."""

from __future__ import annotations

import csv
import io
import json
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = ("cat", "dog", "owl")
SPLITS = {"train": 4, "test": 3}
"""Split -> its number of images of each class."""


def picture(split: str, label: int, i: int) -> bytes:
    """A PNG of noise, wider than high, other for every image."""
    rng = np.random.default_rng([len(split), label, i])
    stream = io.BytesIO()
    Image.fromarray(rng.integers(0, 256, (10, 12, 3), dtype=np.uint8)).save(stream, "png")
    return stream.getvalue()


Pictures = Mapping[str, list[tuple[str, int, bytes]]]
"""Split -> (name, label, PNG) of its images, in the order of an image folder."""


def pictures() -> Pictures:
    return {
        split: [(f"{i}", label, picture(split, label, i)) for label in range(len(CLASSES)) for i in range(count)]
        for split, count in SPLITS.items()
    }


def write_folder(root: Path, *, splits: bool = True) -> Path:
    """An image folder; without splits, that of the test images alone."""
    for split, images in pictures().items():
        for name, label, png in images if splits or split == "test" else ():
            folder = root / split / CLASSES[label] if splits else root / CLASSES[label]
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{name}.png").write_bytes(png)
    return root


def write_tar(path: Path, members: Mapping[str, bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as out:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            out.addfile(member, io.BytesIO(data))
    return path


@dataclass(frozen=True)
class Form:
    """name: in the table. write: into a folder, gives the spec. one_split: it holds the test images alone."""

    name: str
    write: Callable[[Path], str]
    says: str = ""
    one_split: bool = False
    indices: bool = False

    @property
    def row(self) -> str:
        """Its row in docs/data.md."""
        classes = "their indices" if self.indices else "their names"
        return f"| {self.name} | {'one' if self.one_split else 'train and test'} | {classes} |"


def folder(root: Path) -> str:
    return f"folder:{write_folder(root)}"


def flat_folder(root: Path) -> str:
    return f"folder:{write_folder(root, splits=False)}"


def shards(
    label: Callable[[int], tuple[str, bytes]], *, per_shard: int = 5, ending: str = "tar"
) -> Callable[[Path], str]:
    """Shards of a few samples each, `train-000000.tar` and so on."""

    def write(root: Path) -> str:
        for split, images in pictures().items():
            for start in range(0, len(images), per_shard):
                members: dict[str, bytes] = {}
                for i, (_, of_class, png) in enumerate(images[start : start + per_shard], start):
                    suffix, content = label(of_class)
                    members |= {f"{i:06d}.png": png, f"{i:06d}.{suffix}": content}
                write_tar(root / f"{split}-{start // per_shard:06d}.{ending}", members)
        return f"webdataset:{root}"

    return write


by_index = shards(lambda label: ("cls", f"{label}".encode()))
by_name = shards(lambda label: ("txt", CLASSES[label].encode()))
by_json = shards(lambda label: ("json", json.dumps({"label": CLASSES[label], "width": 12}).encode()))
zipped = shards(lambda label: ("cls", CLASSES[label].encode()), ending="tar.gz")


def pattern(root: Path) -> str:
    by_name(root)
    return f"webdataset:{root}/test-{{000000..000001}}.tar"


def named_beside(root: Path) -> str:
    by_index(root)
    (root / "classnames.txt").write_text("\n".join(CLASSES))
    return f"webdataset:{root}"


def table_of(root: Path, columns: tuple[str, ...], delimiter: str, *, names: bool, split: bool) -> str:
    write_folder(root)
    with (root / "images.csv").open("w", newline="") as stream:
        out = csv.writer(stream, delimiter=delimiter)
        out.writerow(columns)
        for of_split, images in pictures().items():
            for name, label, _ in images if split or of_split == "test" else ():
                row = [f"{of_split}/{CLASSES[label]}/{name}.png", CLASSES[label] if names else label]
                out.writerow([*row, of_split] if split else row)
    return f"csv:{root / 'images.csv'}"


def csv_with_splits(root: Path) -> str:
    return table_of(root, ("path", "label", "split"), ",", names=True, split=True)


def csv_without(root: Path) -> str:
    return table_of(root, ("filename", "class"), ";", names=True, split=False)


def csv_of_indices(root: Path) -> str:
    return table_of(root, ("Image", "Target", "subset"), "\t", names=False, split=True)


def hub_rows(split: str, *, names: bool = False) -> dict[str, list[object]]:
    images = pictures()[split]
    labels: list[object] = [CLASSES[label] if names else label for _, label, _ in images]
    return {"image": [{"bytes": png, "path": None} for _, _, png in images], "label": labels}


def hub_dataset(split: str) -> object:
    from datasets import ClassLabel, Dataset, Features
    from datasets import Image as HubImage

    return Dataset.from_dict(
        hub_rows(split), features=Features({"image": HubImage(), "label": ClassLabel(names=list(CLASSES))})
    )


def saved_splits(root: Path) -> str:
    from datasets import DatasetDict

    DatasetDict({split: hub_dataset(split) for split in SPLITS}).save_to_disk(root / "saved")
    return f"hf:{root / 'saved'}"


def saved_one(root: Path) -> str:
    hub_dataset("test").save_to_disk(root / "saved")  # type: ignore[attr-defined]
    return f"hf:{root / 'saved'}"


def parquet_of_the_hub(root: Path) -> str:
    (root / "data").mkdir()
    for split in SPLITS:
        path = root / "data" / f"{split}-00000-of-00001.parquet"
        hub_dataset(split).to_parquet(path, batch_size=4)  # type: ignore[attr-defined]
    return f"hf:{root}"


def parquet_plain(root: Path) -> str:
    """As pyarrow alone writes it, without the library's types, in row groups of four."""
    import pyarrow as pa
    from pyarrow import parquet

    parquet.write_table(pa.table(hub_rows("test", names=True)), root / "birds.parquet", row_group_size=4)
    return f"hf:{root / 'birds.parquet'}"


def parquet_bytes(root: Path) -> str:
    import pyarrow as pa
    from pyarrow import parquet

    for split in SPLITS:
        (root / split).mkdir()
        rows = hub_rows(split)
        table = {"png": [image["bytes"] for image in rows["image"]], "target": rows["label"], "id": rows["label"]}  # type: ignore[index]
        parquet.write_table(pa.table(table), root / split / "0000.parquet")
    return f"hf:{root}"


def idx(values: np.ndarray) -> bytes:
    """An array as MNIST's files hold it."""
    return bytes([0, 0, 8, values.ndim]) + b"".join(side.to_bytes(4, "big") for side in values.shape) + values.tobytes()


def eurosat(root: Path) -> str:
    write_folder(root / "eurosat" / "2750", splits=False)
    return f"torchvision:eurosat:{root}"


def country(root: Path) -> str:
    write_folder(root / "country211")
    return f"torchvision:Country211:{root}"


FORMS = (
    Form("`folder:PATH` with `train/` and `test/`", folder),
    Form("`folder:PATH` with class folders alone", flat_folder, "as the test split", one_split=True),
    Form("`csv:FILE` with path, label and split", csv_with_splits),
    Form("`csv:FILE` with filename and class, semicolons between", csv_without, "as the test split", one_split=True),
    Form("`csv:FILE` with indices, tabs between", csv_of_indices, indices=True),
    Form("`webdataset:FOLDER`, `.cls` with indices", by_index, indices=True),
    Form("`webdataset:FOLDER`, `.cls` with indices, `classnames.txt` beside", named_beside),
    Form("`webdataset:FOLDER`, `.txt` with names", by_name),
    Form("`webdataset:FOLDER`, `.json` with a label", by_json),
    Form("`webdataset:FOLDER`, `.tar.gz`", zipped),
    Form("`webdataset:test-{000000..000001}.tar`", pattern, "as the test split", one_split=True),
    Form("`hf:DIR`, a DatasetDict saved to disk", saved_splits),
    Form("`hf:DIR`, a Dataset saved to disk", saved_one, "as the test split", one_split=True),
    Form("`hf:DIR`, parquet as on the hub", parquet_of_the_hub),
    Form("`hf:DIR`, parquet with columns of bytes and indices", parquet_bytes, indices=True),
    Form("`hf:FILE.parquet`, names as labels", parquet_plain, "as the test split", one_split=True),
    Form("`torchvision:Country211:ROOT`, as one of torchvision's image folders", country),
    Form("`torchvision:EuroSAT:ROOT`, which has no splits", eurosat, "as the test split", one_split=True),
)
