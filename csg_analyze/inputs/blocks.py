"""Images in blocks of one fixed size: what the network says of an image depends on no other image and no option."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from csg_analyze.data import Dataset
from csg_analyze.metrics.arrays import IntArray
from csg_analyze.progress import Track

PIXELS = {"cpu": 2**15, "mps": 2**19}
"""Pixels that the network sees at once, by the kind of device: at 32x32 a block of 32 images on a CPU, the quickest."""
MANY_PIXELS = 2**21


def block_size(device: torch.device, height: int, width: int) -> int:
    """Images in one block: fixed by the device and the size of the images, never by the user.

    A convolution's algorithm, and with it the last bits of its sums, depends on the size of its batch and on how many
    threads share it. In a batch of one size an image has the same numbers in every place and beside any others.
    """
    return max(8, PIXELS.get(device.type, MANY_PIXELS) // (height * width))


@dataclass(frozen=True)
class Block:
    """Some of the images, as the network sees them.

    places: where they stand among the images asked for. images: uint8 (n, 3, H, W). pixels: float32 in [0, 1] on the
    device, (B, 3, H, W) with B >= n: the first n are these images, the others fill the block and count for nothing.
    """

    places: slice
    images: Tensor
    pixels: Tensor

    def __len__(self) -> int:
        return len(self.images)


def blocks(
    dataset: Dataset,
    device: torch.device,
    images_at_once: int,
    track: Track[int],
    description: str,
    chosen: IntArray | None = None,
) -> Iterator[Block]:
    """The dataset's images, or those at `chosen` (n,), in order, in blocks that are all of one size.

    images_at_once: how many are decoded and brought to the device together, in whole blocks; it changes no number.
    """
    size, n = block_size(device, *dataset.image_size), len(dataset) if chosen is None else len(chosen)
    step = size * max(1, images_at_once // size)
    for start in track(range(0, n, step), description, -(-n // step)):
        part = slice(start, start + step)
        images = dataset.images[part if chosen is None else torch.from_numpy(np.array(chosen[part]))]
        on_device = filled(images, size).to(device, non_blocking=True)
        for first in range(0, len(images), size):
            block = images[first : first + size]
            where = slice(start + first, start + first + len(block))
            yield Block(where, block, to_pixels(on_device[first : first + size], device))


def filled(images: Tensor, size: int) -> Tensor:
    """The images (n, ...) and their first ones again, as often as it takes to a multiple of `size`."""
    missing = -len(images) % size
    if not missing:
        return images
    return torch.cat([images, images[torch.arange(missing) % len(images)]])


def to_pixels(images: Tensor, device: torch.device) -> Tensor:
    """uint8 (n, 3, H, W) -> float32 in [0, 1] on the device, channels last (the faster layout for convolutions)."""
    on_device = images.to(device, non_blocking=True)
    return on_device.to(torch.float32, memory_format=torch.channels_last).div_(255)
