"""Objects cut out as squares, as the CSG authors prepare them, and a source of such crops."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from PIL import Image

from csg_analyze.data.decoding import opened_rgb
from csg_analyze.data.sources import Source
from csg_analyze.data.voc.annotations import Mask


@dataclass(frozen=True)
class Window:
    """A square in the pixels of an image; it may reach beyond the image."""

    left: int
    top: int
    side: int

    @property
    def corners(self) -> tuple[int, int, int, int]:
        """Left, top, right, bottom; right and bottom exclusive."""
        return self.left, self.top, self.left + self.side, self.top + self.side


def window_around(x0: float, y0: float, x1: float, y1: float) -> Window:
    """The square around a box's centre whose side is the box's longer one; x1 and y1 exclusive."""
    left, top, right, bottom = int(np.floor(x0)), int(np.floor(y0)), int(np.ceil(x1)), int(np.ceil(y1))
    side = max(right - left, bottom - top)
    return Window(left - (side - (right - left)) // 2, top - (side - (bottom - top)) // 2, side)


def cut_image(image: Image.Image, window: Window, size: int) -> Image.Image:
    """The window as size x size RGB pixels, interpolated by Lanczos; black outside the image."""
    return image.crop(window.corners).resize((size, size), Image.Resampling.LANCZOS)


def cut_mask(mask: Mask, window: Window, size: int) -> Mask:
    """The window as (size, size), by the nearest pixel; False outside the image."""
    image = Image.fromarray(mask.astype(np.uint8))
    cut = image.crop(window.corners).resize((size, size), Image.Resampling.NEAREST)
    return np.asarray(cut).astype(bool)


def cut_box(box: tuple[float, float, float, float], window: Window, size: int) -> tuple[float, float, float, float]:
    """A box in the pixels of the cut-out window."""
    scale = size / window.side
    x0, y0, x1, y1 = box
    left, top = window.left, window.top
    return (x0 - left) * scale, (y0 - top) * scale, (x1 - left) * scale, (y1 - top) * scale


@dataclass(frozen=True)
class Crops:
    """A source whose files are windows cut out of another source's images.

    windows: name -> (file of the image, window). `read` gives a .bmp of size x size pixels.
    """

    source: Source
    windows: Mapping[str, tuple[str, Window]]
    size: int

    def folders(self, under: str = "") -> list[str]:
        """See Source; there are none."""
        return []

    def files(self, under: str) -> list[str]:
        """See Source."""
        return sorted(self.windows)

    def read(self, name: str) -> bytes:
        """See Source."""
        file, window = self.windows[name]
        stream = io.BytesIO()
        cut_image(opened_rgb(self.source.read(file), file), window, self.size).save(stream, "bmp")
        return stream.getvalue()

    def close(self) -> None:
        """See Source."""
        self.source.close()
