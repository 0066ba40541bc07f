from __future__ import annotations

import cv2
import numpy as np
import pytest

from csg_analyze.plots.sprites import FADED, OUTLINE, PAPER, Sprite, at_least_half, halved, pictures, sprite

RNG = np.random.default_rng(0)


def decoded(sheet: Sprite) -> np.ndarray:
    image = cv2.imdecode(np.frombuffer(sheet.content, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    return np.asarray(image)[..., ::-1]


@pytest.mark.parametrize(("h", "w"), [(8, 8), (1, 1), (1, 5), (7, 4), (80, 3)])
def test_the_region_equals_opencvs_resizing(h: int, w: int) -> None:
    maps = RNG.normal(size=(5, h, w)).astype(np.float32)
    maps[0] = -1
    found = at_least_half(maps, 64, 48)
    assert not found[0].any()
    for map_, region in zip(maps[1:], found[1:], strict=True):
        resized = cv2.resize(map_, (48, 64), interpolation=cv2.INTER_LINEAR).reshape(64, 48)
        unsure = np.isclose(resized, map_.max() / 2, atol=1e-5)
        np.testing.assert_array_equal(region | unsure, (resized >= map_.max() / 2) & (map_.max() > 0) | unsure)


def test_a_picture_pixel_by_pixel() -> None:
    images = RNG.integers(0, 256, (3, 20, 32, 3), dtype=np.uint8)
    maps = RNG.random((3, 4, 5)).astype(np.float32)
    drawn = pictures(images, maps)
    assert drawn.shape == (3, 40, 64, 3)  # twice as large, every pixel four times
    active = at_least_half(maps, 40, 64)
    for p in range(3):
        for y in range(40):
            for x in range(64):
                pixel = images[p, y // 2, x // 2]
                around = [(y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)]
                inside = [active[p, j, i] for j, i in around if 0 <= j < 40 and 0 <= i < 64]
                if not active[p, y, x]:
                    expected = [round(float(v) * FADED + PAPER * (1 - FADED)) for v in pixel]
                elif all(inside):
                    expected = pixel.tolist()
                else:
                    expected = [OUTLINE] * 3
                assert drawn[p, y, x].tolist() == expected


def test_images_of_every_size_fit_and_small_ones_are_enlarged_by_whole_numbers() -> None:
    for side, drawn_side in ((8, 64), (28, 56), (32, 64), (33, 33), (64, 64)):
        images = np.full((1, side, side, 3), 7, np.uint8)
        assert pictures(images, np.ones((1, 2, 2), np.float32)).shape[1:3] == (drawn_side, drawn_side)


@pytest.mark.parametrize("count", [1, 2, 9, 26])
def test_every_picture_is_where_its_offset_says(count: int) -> None:
    drawn = np.repeat(np.repeat(RNG.integers(0, 256, (count, 1, 1, 3), dtype=np.uint8), 16, 1), 24, 2)
    sheet = sprite(drawn, 3000)
    assert sheet.suffix == ".png"  # plain colours: nothing is lost
    assert sheet.content[:4] == b"\x89PNG"
    pixels = decoded(sheet)
    places = [sheet.offset(index) for index in range(count)]
    assert len(set(places)) == count
    for (x, y), picture in zip(places, drawn, strict=True):
        np.testing.assert_array_equal(pixels[y : y + 16, x : x + 24], picture)


def test_many_pictures_are_content_with_fewer_bytes() -> None:
    noise = RNG.integers(0, 256, (50, 64, 64, 3), dtype=np.uint8)
    sizes = []
    for budget in (20_000, 3_000, 1_500):
        sheet = sprite(noise, budget)
        assert len(sheet.content) <= budget * 50
        sizes.append((sheet.suffix, len(sheet.content)))
    assert sizes[0][0] == ".png"
    assert sizes[1][0] == sizes[2][0] == ".jpg"
    assert sizes[1][1] > sizes[2][1]
    plain = np.broadcast_to(RNG.integers(0, 200, (50, 1, 1, 3)), noise.shape)
    smooth = (plain + np.stack([cv2.GaussianBlur(picture, (9, 9), 5) for picture in noise]) // 5).astype(np.uint8)
    lossy = sprite(smooth, 900)
    assert lossy.suffix == ".jpg"
    x, y = lossy.offset(17)
    found = decoded(lossy)[y : y + 64, x : x + 64].astype(float)
    assert np.abs(found - smooth[17]).mean() < 4
    assert np.abs(found - smooth[18]).mean() > 16


def test_halved() -> None:
    drawn = RNG.integers(0, 256, (3, 40, 64, 3), dtype=np.uint8)
    means = drawn.reshape(3, 20, 2, 32, 2, 3).astype(float).mean((2, 4))
    assert np.abs(halved(drawn) - means).max() <= 1
