"""Images in blocks of one fixed size, so that the numbers of an image depend on no other image and no option."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from csg_analyze.data import Dataset
from csg_analyze.metrics.arrays import IntArray
from csg_analyze.progress import Track

BLOCK_PIXELS = {"cpu": 2**15, "mps": 2**19}
"""Pixels of a block by the kind of device; on a CPU 32 images of 32x32, the fastest."""
BLOCK_PIXELS_OF_GPUS = 2**21
"""Pixels of a block on all other devices."""


def block_size(device: torch.device, height: int, width: int) -> int:
    """Images in one block, by the device and the size of the images; users cannot change it.

    The last bits of a convolution depend on its algorithm, and that on the size of the batch and the number of threads.
    In batches of one size, an image has the same numbers at all places and beside any other images.
    """
    return max(8, BLOCK_PIXELS.get(device.type, BLOCK_PIXELS_OF_GPUS) // (height * width))


@dataclass(frozen=True)
class Block:
    """Some of the images, as the network sees them.

    places: their indices among the requested images. images: uint8 (n, 3, H, W). pixels: float32 in [0, 1] on the
    device, (B, 3, H, W) with B >= n: the first n are these images, the others only fill the block.
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
    """The dataset's images, or those at `chosen` (n,), in their order, in blocks of one size.

    images_at_once: images decoded and brought to the device together, in whole blocks; it changes no result.
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
    """The images (n, ...), and their first ones again up to a multiple of `size`."""
    missing = -len(images) % size
    if not missing:
        return images
    return torch.cat([images, images[torch.arange(missing) % len(images)]])


def to_pixels(images: Tensor, device: torch.device) -> Tensor:
    """uint8 (n, 3, H, W) -> float32 in [0, 1] on the device, channels last (the faster layout for convolutions)."""
    on_device = images.to(device, non_blocking=True)
    return on_device.to(torch.float32, memory_format=torch.channels_last).div_(255)
