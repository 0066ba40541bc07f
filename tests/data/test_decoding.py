from __future__ import annotations

import io
import warnings
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from csg_analyze.data.decoding import DecodedOnAccess, decode, decode_all
from csg_analyze.data.sources import Folder
from csg_analyze.errors import UsageError

RGB = np.random.default_rng(0).integers(0, 256, (9, 7, 3)).astype(np.uint8)
GREY = RGB[..., 0]


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def test_pixels_are_rgb_and_equal_opencvs() -> None:
    data = encoded(Image.fromarray(RGB), "png")
    assert np.array_equal(decode(data, "x"), RGB.transpose(2, 0, 1))
    bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert bgr is not None
    assert np.array_equal(decode(data, "x"), bgr[..., ::-1].transpose(2, 0, 1))


@pytest.mark.parametrize("kind", ["png", "bmp", "tiff", "webp", "gif", "ppm"])
def test_grey_is_the_same_in_every_channel(kind: str) -> None:
    options = {"lossless": True} if kind == "webp" else {}
    pixels = decode(encoded(Image.fromarray(GREY), kind, **options), "x")
    assert np.array_equal(pixels, np.stack([GREY] * 3))


@pytest.mark.parametrize("suffix", [".png", ".tiff", ".pgm"])
def test_sixteen_bits_become_the_upper_eight(suffix: str) -> None:
    deep = np.random.default_rng(1).integers(0, 2**16, (5, 6)).astype(np.uint16)
    ok, data = cv2.imencode(suffix, deep)
    assert ok
    assert np.array_equal(decode(data.tobytes(), "x"), np.stack([(deep >> 8).astype(np.uint8)] * 3))


def test_transparency_is_dropped() -> None:
    alpha = np.dstack([RGB, GREY])
    assert np.array_equal(decode(encoded(Image.fromarray(alpha), "png"), "x"), RGB.transpose(2, 0, 1))


def test_palettes_are_looked_up_without_a_warning() -> None:
    palette = Image.fromarray(GREY % 4).convert("P")
    palette.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110, 120])
    table = np.array([[10, 20, 30], [40, 50, 60], [70, 80, 90], [100, 110, 120]])
    expected = table[np.asarray(palette)].transpose(2, 0, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for transparency in (None, bytes([0, 255, 3])):
            options = {} if transparency is None else {"transparency": transparency}
            assert np.array_equal(decode(encoded(palette, "png", **options), "x"), expected)


def test_rotation_in_exif_is_not_applied() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    assert decode(encoded(Image.fromarray(RGB), "jpeg", exif=exif), "x").shape == (3, 9, 7)


@pytest.mark.parametrize("kind", ["png", "jpeg", "gif", "bmp"])
def test_a_truncated_image_is_named(kind: str) -> None:
    large = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    data = encoded(Image.fromarray(large), kind)
    with pytest.raises(UsageError, match=r"'a/b\.img' is broken"):
        decode(data[: len(data) // 2], "a/b.img")


@given(st.binary(max_size=60))
def test_garbage_is_a_broken_image(data: bytes) -> None:
    with pytest.raises(UsageError, match="'x' is broken"):
        decode(data, "x")


def test_floating_point_images_are_refused() -> None:
    with pytest.raises(UsageError, match="floating-point"):
        decode(encoded(Image.fromarray(GREY.astype(np.float32)), "tiff"), "x")


@pytest.fixture
def folder(tmp_path: Path) -> tuple[Folder, list[str]]:
    generator = np.random.default_rng(2)
    names = [f"{i:03d}.png" for i in range(70)]
    for name in names:
        (tmp_path / name).write_bytes(
            encoded(Image.fromarray(generator.integers(0, 256, (12, 16, 3), dtype=np.uint8)), "png")
        )
    return Folder(tmp_path), names


INDICES: list[slice | torch.Tensor] = [
    slice(3, 40),
    slice(None, None, 7),
    slice(5, 5),
    torch.tensor([69, 0, 33]),
    torch.arange(70) % 9 == 4,
]


@pytest.mark.parametrize(("size", "resize"), [(None, None), (8, 10), (20, None)])
def test_decoding_on_access_gives_identical_pixels(
    folder: tuple[Folder, list[str]], size: int | None, resize: int | None
) -> None:
    now = decode_all(*folder, size, resize, memory_budget=10**6)
    later = decode_all(*folder, size, resize, memory_budget=100)
    assert isinstance(now.images, torch.Tensor)
    assert isinstance(later.images, DecodedOnAccess)
    assert tuple(now.images.shape) == later.images.shape
    assert now.digests == later.digests
    assert now.untouched == later.untouched == (size is None)
    for index in INDICES:
        assert torch.equal(now.images[index], later.images[index])
    chosen = torch.tensor([8, 3, 60])
    assert torch.equal(later.images.subset(chosen)[:], now.images[chosen])
    with pytest.raises(IndexError):
        later.images[torch.tensor([70])]


def test_the_budget_is_what_the_pixels_take(folder: tuple[Folder, list[str]]) -> None:
    size = 70 * 3 * 12 * 16
    assert isinstance(decode_all(*folder, None, None, size).images, torch.Tensor)
    assert isinstance(decode_all(*folder, None, None, size - 1).images, DecodedOnAccess)


@pytest.mark.parametrize("budget", [10**6, 1])
def test_images_of_two_sizes_are_named(folder: tuple[Folder, list[str]], budget: int) -> None:
    (folder[0].root / "050.png").write_bytes(encoded(Image.fromarray(RGB), "png"))
    with pytest.raises(UsageError, match=r"'000\.png' is 16x12, '050\.png' 7x9; give one size with --size"):
        decode_all(*folder, None, None, budget)
    assert decode_all(*folder, 8, None, budget).images.shape == (70, 3, 8, 8)


def test_an_image_that_breaks_later_is_named_on_access(folder: tuple[Folder, list[str]]) -> None:
    later = decode_all(*folder, None, None, 1).images
    (folder[0].root / "007.png").write_bytes(b"gone")
    assert later[8:10].shape[0] == 2
    with pytest.raises(UsageError, match=r"'007\.png' is broken \(not an image\)"):
        later[:20]


def test_progress_ends_at_the_total(folder: tuple[Folder, list[str]]) -> None:
    calls: list[tuple[int, int]] = []
    decode_all(*folder, None, None, 10**6, lambda done, total: calls.append((done, total)))
    assert calls[-1] == (70, 70)
    assert [done for done, _ in calls] == sorted(done for done, _ in calls)
