"""Many small pictures in one file: images with their activation maps, side by side on a sheet."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from csg_analyze.metrics.arrays import BoolArray, FloatArray
from csg_analyze.metrics.resizing import upsampled

PICTURE_SIDE = 64
"""Pixels that the longer side of a picture has at most; images of half that size and less are enlarged."""

FADED = 0.42
PAPER, OUTLINE = 246, 30
"""Outside the outline a picture is mixed with paper: it can be told from the inside without seeing colours."""

PIECE = 512
"""Pictures drawn at once: as floats they take eight times the room of the sheet."""

QUALITIES = (88, 80, 72, 64, 56, 48, 40, 32, 24, 16)


@dataclass(frozen=True)
class Sprite:
    """A sheet of equally large pictures as the bytes of a file.

    suffix: ".png" or ".jpg". columns: pictures in a row of the sheet. height, width: of one picture, in pixels.
    """

    content: bytes
    suffix: str
    columns: int
    height: int
    width: int

    def offset(self, index: int) -> tuple[int, int]:
        """(x, y) of the upper left corner of a picture on the sheet, in pixels."""
        row, column = divmod(index, self.columns)
        return column * self.width, row * self.height


def pictures(images: np.ndarray, maps: FloatArray) -> np.ndarray:
    """Images uint8 (P, t, s, 3), each with its activation map of (P, h, w) on it, uint8 (P, T, S, 3).

    The region where the map, bilinear to the size of the picture, is at least half its maximum stands out: it is
    outlined, and the rest faded. Where nothing is positive, everything is faded.
    """
    height, width = images.shape[1:3]
    times = max(1, PICTURE_SIDE // max(height, width))
    drawn = np.empty((len(images), height * times, width * times, 3), np.uint8)
    for start in range(0, len(images), PIECE):
        piece = slice(start, start + PIECE)
        large = images[piece].repeat(times, axis=1).repeat(times, axis=2)
        active = at_least_half(maps[piece], height * times, width * times)
        faded = np.rint(large * FADED + PAPER * (1 - FADED)).astype(np.uint8)
        drawn[piece] = np.where(active[..., None], large, faded)
        drawn[piece][active & ~_interior(active)] = OUTLINE
    return drawn


def at_least_half(maps: FloatArray, height: int, width: int) -> BoolArray:
    """(P, h, w) -> (P, height, width), True where the bilinearly resized map is at least half the map's maximum."""
    peaks = maps.max(axis=(1, 2))[:, None, None]
    active: BoolArray = (upsampled(maps, height, width) >= peaks / 2) & (peaks > 0)
    return active


def _interior(active: BoolArray) -> BoolArray:
    """Pixels whose four neighbours are active too; beyond the border of the picture everything goes on."""
    padded = np.pad(active, ((0, 0), (1, 1), (1, 1)), mode="edge")
    inside: BoolArray = padded[:, :-2, 1:-1] & padded[:, 2:, 1:-1] & padded[:, 1:-1, :-2] & padded[:, 1:-1, 2:]
    return inside


def halved(drawn: np.ndarray) -> np.ndarray:
    """Pictures (P, T, S, 3) at half their size."""
    _, height, width, _ = drawn.shape
    size = (max(1, width // 2), max(1, height // 2))
    return np.stack([cv2.resize(picture, size, interpolation=cv2.INTER_AREA) for picture in drawn])


def sprite(drawn: np.ndarray, budget: float) -> Sprite:
    """All pictures (P, T, S, 3), P > 0, on one sheet of about `budget` bytes a picture.

    Without loss (PNG) where that fits, else JPEG of the best quality that fits.
    """
    count, height, width, _ = drawn.shape
    columns = math.ceil(math.sqrt(count))
    rows = -(-count // columns)
    sheet = np.full((rows * columns, height, width, 3), 255, np.uint8)
    sheet[:count] = drawn[..., ::-1]  # OpenCV writes blue first
    sheet = sheet.reshape(rows, columns, height, width, 3).swapaxes(1, 2).reshape(rows * height, columns * width, 3)
    suffix, content = _encoded(sheet, budget * count)
    return Sprite(content, suffix, columns, height, width)


def _encoded(sheet: np.ndarray, budget: float) -> tuple[str, bytes]:
    content = cv2.imencode(".jpg", sheet, _jpeg(QUALITIES[0]))[1]
    if len(content) * 2 <= budget:  # else lossless, which takes long, would be tried in vain
        lossless = cv2.imencode(".png", sheet, [cv2.IMWRITE_PNG_COMPRESSION, 9])[1]
        if len(lossless) <= budget:
            return ".png", lossless.tobytes()
    for quality in QUALITIES[1:]:
        if len(content) <= budget:
            break
        content = cv2.imencode(".jpg", sheet, _jpeg(quality))[1]
    return ".jpg", content.tobytes()


def _jpeg(quality: int) -> list[int]:
    return [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_OPTIMIZE, 1]
