"""Images that EXIF says to turn before they are seen."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps
from torchvision.datasets import ImageFolder
from torchvision.transforms import PILToTensor

from csg_analyze.data.decoding import decode_all, opened_rgb, sides_and_orientation
from csg_analyze.data.folders import load_folder
from csg_analyze.data.sources import Folder

RGB = np.random.default_rng(0).integers(0, 256, (9, 7, 3)).astype(np.uint8)


def exif(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_upright_image_is_pils(orientation: int) -> None:
    for kind in ("png", "jpeg", "webp", "tiff"):
        data = encoded(Image.fromarray(RGB), kind, exif=exif(orientation))
        expected = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")
        assert np.array_equal(np.asarray(opened_rgb(data, "x", upright=True)), np.asarray(expected))
        # of a .tiff, PIL shows nothing else
        stored, read = sides_and_orientation(data, "x")
        assert (stored, read) == ((expected.height, expected.width), 1) if kind == "tiff" else ((9, 7), orientation)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data", "ignore:Possibly corrupt EXIF data")
@pytest.mark.parametrize("value", [0, 9, 255])
def test_torn_exif_spoils_no_image(value: int) -> None:
    for torn in (exif(value), b"Exif\x00\x00garbage", b"Exif\x00\x00II*\x00\xff\xff\xff\xff"):
        data = encoded(Image.fromarray(RGB), "jpeg", exif=torn)
        assert sides_and_orientation(data, "x") == ((9, 7), 1)
        assert opened_rgb(data, "x", upright=True).size == (7, 9)


@pytest.mark.parametrize("budget", [10**6, 1])
def test_images_that_exif_says_to_turn_are_counted(tmp_path: Path, budget: int) -> None:
    for i, orientation in enumerate((1, 3, 6, 0)):
        for kind in ("png", "jpeg"):
            (tmp_path / f"{i}.{kind}").write_bytes(encoded(Image.fromarray(RGB), kind, exif=exif(orientation)))
    source = Folder(tmp_path)
    assert decode_all(source, source.files(""), None, None, budget).oriented == 4


def test_photographs_of_a_folder_are_read_as_torchvision_reads_them(tmp_path: Path) -> None:
    for i, (name, orientation) in enumerate((("cat", 3), ("cat", 1), ("dog", 6))):
        (tmp_path / "test" / name).mkdir(parents=True, exist_ok=True)
        (tmp_path / "test" / name / f"{i}.png").write_bytes(
            encoded(Image.fromarray(RGB), "png", exif=exif(orientation))
        )
    dataset = load_folder(str(tmp_path))
    expected = ImageFolder(str(tmp_path / "test"), transform=PILToTensor())
    assert torch.equal(dataset.images[:], torch.stack([image for image, _ in expected]))
    assert dataset.notes == (
        "images whose EXIF says to turn them, read as they are stored, as torchvision reads them: 2 (to have them "
        "upright, turn the files, e.g. with ImageMagick's mogrify -auto-orient)",
    )
