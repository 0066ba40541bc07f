"""Encoded images -> RGB pixels: all at once into memory, or on access."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from csg_analyze.data.geometry import Placement, Progress, placement
from csg_analyze.data.sources import Readable
from csg_analyze.errors import UsageError

T = TypeVar("T")
Pixels = NDArray[np.uint8]

_ORIENTATION = 0x0112  # the EXIF tag
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_RUN = 32  # images per task: a small image takes less time than handing a task to a thread
_ROUND = 16  # tasks submitted together: their work is lost if the first image is broken


@dataclass(frozen=True)
class Decoded:
    """Images of one size. digests: one SHA-256 per file. placements: how each image was scaled and cropped.

    oriented: number of images that EXIF says to turn; none of them was turned.
    """

    images: Tensor | DecodedOnAccess
    digests: tuple[str, ...]
    placements: tuple[Placement, ...]
    oriented: int = 0

    @property
    def untouched(self) -> bool:
        """Whether no image was resized or cropped."""
        return all(place.untouched for place in self.placements)


class DecodedOnAccess:
    """Images that stay encoded in their source; indexing decodes them, in a few threads."""

    def __init__(
        self, source: Readable, names: Sequence[str], size: int | None, resize: int | None, shape: tuple[int, int]
    ) -> None:
        self._source, self._names, self._size, self._resize = source, tuple(names), size, resize
        self.shape = (len(self._names), 3, *shape)

    def __len__(self) -> int:
        return len(self._names)

    def __getitem__(self, index: slice | Tensor) -> Tensor:
        """Uint8 (n, 3, H, W). Raises UsageError for an image that is broken or of another size."""
        names = self._selected(index)
        pixels = np.empty((len(names), *self.shape[1:]), np.uint8)

        def decode(i: int) -> None:
            image, place = _opened(self._source.read(names[i]), names[i], self._size, self._resize)
            _check_size(place, names[i], self.shape, self._names[0])
            pixels[i] = rgb_pixels(image, place, names[i])

        for _ in _threaded(decode, len(names)):
            pass
        return torch.from_numpy(pixels)

    def subset(self, index: Tensor) -> DecodedOnAccess:
        """The images at `index`, still encoded."""
        height, width = self.shape[2:]
        return DecodedOnAccess(self._source, self._selected(index), self._size, self._resize, (height, width))

    def _selected(self, index: slice | Tensor) -> Sequence[str]:
        if isinstance(index, slice):
            return self._names[index]
        chosen = torch.arange(len(self))[index]  # torch's own rules: negative indices, masks, bounds
        return [self._names[i] for i in chosen.flatten().tolist()]


def decode_all(
    source: Readable,
    names: Sequence[str],
    size: int | None,
    resize: int | None,
    memory_budget: int,
    progress: Progress | None = None,
) -> Decoded:
    """Read all files once: into one tensor of at most `memory_budget` bytes, else to decode images on access.

    Raises UsageError for a broken image and for images that differ in size after resizing, naming them.
    """
    _, first = _opened(source.read(names[0]), names[0], size, resize)
    shape = (len(names), 3, first.height, first.width)
    pixels = np.empty(shape, np.uint8) if np.prod(shape, dtype=np.int64) <= memory_budget else None

    def examine(i: int) -> tuple[str, Placement, bool]:
        data = source.read(names[i])
        image, place = _opened(data, names[i], size, resize)
        _check_size(place, names[i], shape, names[0])
        if pixels is not None:
            pixels[i] = rgb_pixels(image, place, names[i])
        return hashlib.sha256(data).hexdigest(), place, _orientation(image) > 1

    digests, placements, oriented = [], [], 0
    for done, (digest, place, is_oriented) in enumerate(_threaded(examine, len(names)), 1):
        digests.append(digest)
        placements.append(place)
        oriented += is_oriented
        if progress is not None and (done % (_RUN * _ROUND) == 0 or done == len(names)):
            progress(done, len(names))
    if pixels is not None:
        return Decoded(torch.from_numpy(pixels), tuple(digests), tuple(placements), oriented)
    on_access = DecodedOnAccess(source, names, size, resize, (first.height, first.width))
    return Decoded(on_access, tuple(digests), tuple(placements), oriented)


def decode(data: bytes, name: str, size: int | None = None, resize: int | None = None) -> Pixels:
    """An encoded image of any kind as RGB (3, H, W), placed as `geometry.placement` says.

    As with torchvision's ImageFolder and Resize, transparency is dropped, 16 bits become 8, an animation gives its
    first image, and EXIF rotation is not applied. Raises UsageError, naming it, for a broken image.
    """
    return rgb_pixels(*_opened(data, name, size, resize), name)


def opened_rgb(data: bytes, name: str, *, upright: bool = False) -> Image.Image:
    """An encoded image of any kind as PIL's RGB, in its own size. Raises UsageError, naming it, for a broken one.

    upright: turned as EXIF says.
    """
    try:
        image = Image.open(io.BytesIO(data))
        turn = _TURNS.get(_orientation(image)) if upright else None
        return _eight_bits(image) if turn is None else _eight_bits(image).transpose(turn)
    except Exception as error:
        raise _broken(name, error) from error


def sides_and_orientation(data: bytes, name: str) -> tuple[tuple[int, int], int]:
    """Height and width as stored, and EXIF's orientation: 1 as stored, 2-4 turned, 5-8 turned with swapped sides.

    Raises UsageError, naming it, for data that is no image.
    """
    try:
        image = Image.open(io.BytesIO(data))
    except Exception as error:
        raise _broken(name, error) from error
    return (image.height, image.width), _orientation(image)


def _orientation(image: Image.Image) -> int:
    """EXIF's orientation of an opened image; 1 if it has none that can be read."""
    if image.format == "TIFF":  # PIL turns TIFFs by itself
        return 1
    try:
        orientation = image.getexif().get(_ORIENTATION, 1)
        return int(orientation) if orientation in _TURNS else 1
    except Exception:  # an image with damaged EXIF is readable
        return 1


def _opened(data: bytes, name: str, size: int | None, resize: int | None) -> tuple[Image.Image, Placement]:
    try:
        image = Image.open(io.BytesIO(data))
    except Exception as error:  # decoders raise all kinds of errors for garbage
        raise _broken(name, error) from error
    return image, placement(image.height, image.width, size, resize)


def rgb_pixels(image: Image.Image, place: Placement, name: str) -> Pixels:
    """A PIL image of any mode as RGB (3, H, W), scaled and cropped. Raises UsageError, naming it, for a broken one."""
    # PIL, not OpenCV, which returns half an image of a truncated file, without an error
    try:
        rgb = _eight_bits(image)
    except Exception as error:
        raise _broken(name, error) from error
    if place.scaled != place.source:
        rgb = rgb.resize((place.scaled[1], place.scaled[0]), Image.Resampling.BILINEAR)
    pixels = np.asarray(rgb)[place.top : place.top + place.height, place.left : place.left + place.width]
    return pixels.transpose(2, 0, 1)


def _eight_bits(image: Image.Image) -> Image.Image:
    """An image of any mode as RGB; `convert` alone would clip 16-bit grey at 255 instead of scaling it."""
    if image.mode.startswith("I"):
        values = np.asarray(image)
        if values.min() < 0 or values.max() > 0xFFFF:
            raise ValueError("its values take more than 16 bits")
        return Image.fromarray((values >> 8).astype(np.uint8)).convert("RGB")
    if image.mode == "F":
        raise ValueError("its values are floating-point numbers")
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")  # straight to RGB, PIL warns
    return image.convert("RGB")


def _broken(name: str, error: Exception) -> UsageError:
    # PIL's message names the stream in memory, not the file
    reason = "not an image" if isinstance(error, UnidentifiedImageError) else str(error) or type(error).__name__
    return UsageError(f"{name!r} is broken ({reason}); replace or remove it.")


def _check_size(place: Placement, name: str, shape: Sequence[int], first: str) -> None:
    if (place.height, place.width) != (shape[2], shape[3]):
        raise UsageError(
            f"images differ in size: {first!r} is {shape[3]}x{shape[2]}, {name!r} {place.width}x{place.height}; "
            "give one size with --size."
        )


def _threaded(work: Callable[[int], T], n: int) -> Iterator[T]:
    """work(0), work(1), ... in order, computed in a few threads. The first error ends it and is raised."""

    def run(start: int) -> list[T]:
        return [work(i) for i in range(start, min(start + _RUN, n))]

    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        for start in range(0, n, _RUN * _ROUND):
            for results in pool.map(run, range(start, min(start + _RUN * _ROUND, n), _RUN)):
                yield from results
