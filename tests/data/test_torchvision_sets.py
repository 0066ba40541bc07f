"""torchvision's datasets by name, in the layouts in which torchvision keeps them; tiny and made here."""

from __future__ import annotations

import bz2
import json
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision.datasets
from scipy.io import savemat

from csg_analyze.data import load_dataset
from csg_analyze.data.torchvision_sets import SETS
from csg_analyze.errors import UsageError
from tests.data.forms_of_data import idx
from tests.data.image_folders import png, write

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (3, 28, 28), dtype=np.uint8)


def mnist(name: str) -> Callable[[Path], None]:
    def make(root: Path) -> None:
        for part in ("train", "t10k"):
            write(
                root / name / "raw",
                {
                    f"{part}-images-idx3-ubyte": idx(GREY),
                    f"{part}-labels-idx1-ubyte": idx(np.array([3, 0, 9], np.uint8)),
                },
            )

    return make


def cifar100(root: Path) -> None:
    data = {"data": RNG.integers(0, 256, (3, 3072), dtype=np.uint8), "fine_labels": [3, 0, 9]}
    names = {"fine_label_names": [f"fine {i}" for i in range(100)]}
    write(
        root / "cifar-100-python",
        {part: pickle.dumps(data) for part in ("train", "test")} | {"meta": pickle.dumps(names)},
    )


def svhn(root: Path) -> None:
    pixels = RNG.integers(0, 256, (32, 32, 3, 3), dtype=np.uint8)
    for part in ("train", "test"):
        savemat(root / f"{part}_32x32.mat", {"X": pixels, "y": np.array([[3], [10], [9]], np.uint8)})


def stl10(root: Path) -> None:
    names = ["airplane", "bird", "car", "cat", "deer", "dog", "horse", "monkey", "ship", "truck"]
    files = {"class_names.txt": "\n".join(names).encode()}
    for part in ("train", "test"):
        files[f"{part}_X.bin"] = RNG.integers(0, 256, 3 * 3 * 96 * 96, dtype=np.uint8).tobytes()
        files[f"{part}_y.bin"] = bytes([4, 1, 10])
    write(root / "stl10_binary", files)


def usps(root: Path) -> None:
    pixels = " ".join(f"{i}:0.5" for i in range(1, 257))
    for part in ("usps.bz2", "usps.t.bz2"):
        (root / part).write_bytes(bz2.compress(f"4 {pixels}\n1 {pixels}\n10 {pixels}\n".encode()))


def flowers(root: Path) -> None:
    write(root / "flowers-102" / "jpg", {f"image_{i:05d}.jpg": png(i) for i in (1, 2, 3)})
    savemat(root / "flowers-102" / "imagelabels.mat", {"labels": np.array([4, 1, 10])})
    savemat(root / "flowers-102" / "setid.mat", {part: np.array([1, 2, 3]) for part in ("trnid", "valid", "tstid")})


def food(root: Path) -> None:
    listed = {name: [f"{name}/1"] for name in ("apple_pie", "bibimbap", "waffles")}
    files = {f"meta/{part}.json": json.dumps(listed).encode() for part in ("train", "test")}
    write(root / "food-101", files | {f"images/{name}/1.jpg": png(1) for name in listed})


def pets(root: Path) -> None:
    lines = b"".join(
        f"{name}_1 {i} 1 1\n".encode() for i, name in enumerate(("Abyssinian", "beagle", "yorkshire_terrier"), 1)
    )
    files = {"annotations/trainval.txt": lines, "annotations/test.txt": lines}
    files |= {f"images/{name}_1.jpg": png(1) for name in ("Abyssinian", "beagle", "yorkshire_terrier")}
    write(root / "oxford-iiit-pet", files)


def signs(root: Path) -> None:
    base = root / "gtsrb" / "GTSRB"
    write(base / "Training", {f"{i:05d}/1.ppm": ppm(i) for i in range(3)})
    write(base / "Final_Test" / "Images", {f"{i}.ppm": ppm(i) for i in range(3)})
    table = "Filename;Width;ClassId\n0.ppm;6;3\n1.ppm;6;0\n2.ppm;6;42\n"
    write(root / "gtsrb", {"GT-final_test.csv": table.encode()})


def ppm(value: int) -> bytes:
    return b"P6 6 6 255\n" + bytes([value]) * 108


def textures(root: Path) -> None:
    lines = b"banded/1.jpg\nzigzagged/1.jpg\n"
    files = {f"labels/{part}1.txt": lines for part in ("train", "val", "test")}
    write(root / "dtd" / "dtd", files | {f"images/{name}/1.jpg": png(1) for name in ("banded", "zigzagged")})


def aircraft(root: Path) -> None:
    files = {"variants.txt": b"707-320\nA330\n", "images/1.jpg": png(1), "images/2.jpg": png(2)}
    files |= {f"images_variant_{part}.txt": b"1 A330\n2 707-320\n" for part in ("trainval", "test")}
    write(root / "fgvc-aircraft-2013b" / "data", files)


def imagenette(root: Path) -> None:
    write(root / "imagenette2-160", {f"{part}/{name}/1.JPEG": png(1) for part in ("train", "val") for name in WNIDS})


def imagenet(root: Path) -> None:
    write(root, {f"{part}/{name}/1.JPEG": png(1) for part in ("train", "val") for name in WNIDS})
    names = {WNIDS[0]: ("tench", "Tinca tinca"), WNIDS[1]: ("English springer", "English springer spaniel")}
    torch.save((names, ["1"]), root / "meta.bin")


WNIDS = ("n01440764", "n02102040")

LAYOUTS: dict[str, tuple[Callable[[Path], None], list[int], tuple[str, ...]]] = {
    "CIFAR100": (cifar100, [3, 0, 9], ("fine 0", "fine 99")),
    "DTD": (textures, [0, 1], ("banded", "zigzagged")),
    "FashionMNIST": (mnist("FashionMNIST"), [3, 0, 9], ("T-shirt/top", "Ankle boot")),
    "FGVCAircraft": (aircraft, [1, 0], ("707-320", "A330")),
    "Flowers102": (flowers, [3, 0, 9], ("pink primrose", "blackberry lily")),
    "Food101": (food, [0, 1, 2], ("apple_pie", "waffles")),
    "GTSRB": (signs, [3, 0, 42], ("0", "42")),
    "ImageNet": (imagenet, [0, 1], ("tench", "English springer")),
    "Imagenette": (imagenette, [0, 1], ("tench", "English springer")),
    "KMNIST": (mnist("KMNIST"), [3, 0, 9], ("o", "wo")),
    "MNIST": (mnist("MNIST"), [3, 0, 9], ("0 - zero", "9 - nine")),
    "OxfordIIITPet": (pets, [0, 1, 2], ("Abyssinian", "Yorkshire Terrier")),
    "STL10": (stl10, [3, 0, 9], ("airplane", "truck")),
    "SVHN": (svhn, [3, 0, 9], ("0", "9")),
    "USPS": (usps, [3, 0, 9], ("0", "9")),
}
"""Name -> how its files are made, labels of the test images, the first and the last class."""


@pytest.mark.parametrize("name", LAYOUTS)
def test_images_labels_and_classes_are_torchvisions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    make, labels, ends = LAYOUTS[name]
    make(tmp_path)
    for module in ("cifar", "svhn", "stl10", "flowers102"):  # checksums are those of the real files
        monkeypatch.setattr(f"torchvision.datasets.{module}.check_integrity", lambda *_: True)
    before = sorted(path for path in tmp_path.rglob("*"))
    dataset = load_dataset(f"torchvision:{name.lower()}:{tmp_path}")
    assert dataset.labels.tolist() == labels
    assert (dataset.class_names[0], dataset.class_names[-1]) == ends
    assert len(dataset.class_names) > max(labels)
    theirs = getattr(torchvision.datasets, name)(tmp_path, **_arguments(name))
    for i in range(len(labels)):
        expected = torch.from_numpy(np.array(theirs[i][0].convert("RGB"))).permute(2, 0, 1)
        assert torch.equal(dataset.images[:][i], expected)
    train = load_dataset(f"torchvision:{name}:{tmp_path}", "train", size=8, limit=2)
    assert train.images.shape == (2, 3, 8, 8)
    assert set(train.sample_ids).isdisjoint(dataset.sample_ids)
    assert train.class_names == dataset.class_names
    assert sorted(path for path in tmp_path.rglob("*")) == before  # nothing was unpacked or written


def _arguments(name: str) -> dict[str, object]:
    return {**SETS[name].of("test"), **({"size": "160px"} if name == "Imagenette" else {})}


@pytest.mark.parametrize("name", SETS)
def test_what_is_expected_is_said_of_an_empty_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError) as caught:
        load_dataset(f"torchvision:{name}:{tmp_path}")
    message = str(caught.value)
    assert message.startswith(f"no intact {name} in '{tmp_path}' (")
    assert f"; expected there: {SETS[name].expected}" in message
    assert "download=True" not in message
    assert "\n" not in message
    assert list(tmp_path.iterdir()) == []


def test_names_are_asked_for() -> None:
    for spec, words in (
        ("torchvision:", "write torchvision:NAME:ROOT"),
        ("torchvision:MNIST", "torchvision:MNIST names no folder"),
        ("torchvision:MNIS:x", "did you mean 'mnist'"),
        ("torchvision::x", "no dataset is named"),
    ):
        with pytest.raises(UsageError, match=words):
            load_dataset(spec)


def test_progress_is_told(tmp_path: Path) -> None:
    mnist("MNIST")(tmp_path)
    calls: list[tuple[int, int]] = []
    load_dataset(f"torchvision:MNIST:{tmp_path}", progress=lambda done, total: calls.append((done, total)))
    assert (3, 3) in calls
