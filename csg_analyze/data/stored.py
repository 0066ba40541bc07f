"""Images that their owner holds, as arrays or one by one: converted when they are used, never held twice."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from csg_analyze.data.decoding import rgb_pixels
from csg_analyze.data.geometry import place_images, placement
from csg_analyze.data.pixels import as_tensor, channels_first, class_indices, eight_bits
from csg_analyze.errors import UsageError

NOT_A_PAIR = "give pairs of an image and its class index"


class ArrayImages:
    """Images in an array of any layout and type; indexing converts some of them to uint8 (n, 3, H, W), a copy."""

    def __init__(self, pixels: Tensor, chosen: Tensor | None = None) -> None:
        """pixels: (N, 3, H, W), a view of the owner's array. chosen: indices into it (int64); None: all."""
        self._pixels = pixels
        self._chosen = torch.arange(len(pixels)) if chosen is None else chosen
        self.shape = (len(self._chosen), *pixels.shape[1:])

    def __getitem__(self, index: slice | Tensor) -> Tensor:
        return eight_bits(self._pixels[self._chosen[index].to(self._pixels.device)], "images")[0]

    def subset(self, index: Tensor) -> ArrayImages:
        """The images at `index`, not converted yet."""
        return ArrayImages(self._pixels, self._chosen[index])


class Items:
    """A map-style dataset of (image, class index), read item by item, each image scaled and cropped.

    size, resize: as in `geometry.placement`. rounded: how many images read so far had pixels between two of 256 steps.
    """

    def __init__(self, source: Any, size: int | None, resize: int | None) -> None:
        self.source, self.size, self.resize = source, size, resize
        self.rounded: set[int] = set()

    def __len__(self) -> int:
        return len(self.source)

    def targets(self) -> Tensor | None:
        """All labels without reading any image: the attribute `targets` of torchvision's datasets; None without one."""
        try:
            labels = class_indices(self.source.targets)
        except (AttributeError, UsageError):
            return None
        return labels if labels.shape == (len(self),) else None

    def read(self, i: int) -> tuple[Tensor, Tensor]:
        """Item i as uint8 (3, H, W) and int64 (). Raises UsageError, naming it, for one that cannot be used."""
        image, label = pair(self.source[i], f"item {i}")
        what = f"image {i}"
        if isinstance(image, Image.Image):
            place = placement(image.height, image.width, self.size, self.resize)
            pixels = torch.from_numpy(rgb_pixels(image, place, what).copy())
        else:
            pixels = self._placed(image, i, what)
        index = class_indices(label, f"label {i}")
        if index.numel() != 1:
            raise UsageError(f"label {i} has shape {tuple(index.shape)}; give one class index for each image.")
        return pixels, index.reshape(())

    def _placed(self, image: Any, i: int, what: str) -> Tensor:
        array = channels_first(as_tensor(image, what), what)
        if array.ndim != 3:
            raise UsageError(f"{what}: shape {tuple(array.shape)}; an item is one image, (3, H, W) or (H, W, 3).")
        pixels, was_rounded = eight_bits(array, what)
        if was_rounded:
            self.rounded.add(i)
        place = placement(pixels.shape[1], pixels.shape[2], self.size, self.resize)
        return pixels if place.untouched else place_images(pixels[None], place)[0]


def pair(item: Any, what: str) -> tuple[Any, Any]:
    """Image and label of an item or batch; what stands behind them is ignored. Raises UsageError for no pair."""
    if isinstance(item, tuple | list) and len(item) >= 2:
        return item[0], item[1]
    kind = f"a {type(item).__name__}" + (f" of {', '.join(map(str, item))}" if isinstance(item, dict) else "")
    raise UsageError(f"{what} of the data is {kind}; {NOT_A_PAIR}.")


class ItemImages:
    """Images of a map-style dataset that is too large for memory: indexing reads them again.

    digests: index of an item -> SHA-256 of its image at its first reading.
    """

    def __init__(self, items: Items, chosen: Tensor, size: tuple[int, int], digests: Mapping[int, bytes]) -> None:
        self._items, self._chosen, self._digests = items, chosen, digests
        self.shape = (len(chosen), 3, *size)

    def __getitem__(self, index: slice | Tensor) -> Tensor:
        """Uint8 (n, 3, H, W). Raises UsageError for an image that is another one than at its first reading."""
        rows = self._chosen[index].tolist()
        pixels = torch.empty((len(rows), *self.shape[1:]), dtype=torch.uint8)
        for place, row in enumerate(rows):
            image, _ = self._items.read(row)
            if digest_of(image) != self._digests[row]:
                raise UsageError(f"image {row} differs from one reading to the next; give data without random changes.")
            pixels[place] = image
        return pixels

    def subset(self, index: Tensor) -> ItemImages:
        """The images at `index`, not read yet."""
        height, width = self.shape[2:]
        return ItemImages(self._items, self._chosen[index], (height, width), self._digests)


def digest_of(pixels: Tensor) -> bytes:
    """SHA-256 of an image."""
    return hashlib.sha256(pixels.contiguous().numpy().data).digest()


def batches_of(loader: Any) -> Iterator[tuple[Tensor, Tensor, bool]]:
    """A loader's batches as uint8 (n, 3, H, W), int64 (n,), and whether pixels were rounded.

    Raises UsageError for what is no batch of images and labels.
    """
    for number, batch in enumerate(loader):
        images, labels = pair(batch, f"batch {number}")
        what = f"images of batch {number}"
        array = channels_first(as_tensor(images, what), what)
        indices = class_indices(labels, f"labels of batch {number}").reshape(-1)
        if array.ndim != 4 or len(array) != len(indices):
            raise UsageError(f"batch {number} holds images of shape {tuple(array.shape)} and {len(indices)} labels.")
        pixels, rounded = eight_bits(array, what)
        yield pixels, indices, rounded
