"""Order and augmentation of one epoch: functions of (seed, epoch) alone, so that twins and resumed runs see the same.

All random numbers of an epoch are drawn at once on the CPU (the same on every device); the images are moved, shifted
and mirrored where they lie, a batch at a time, every image differently.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from csg_analyze.data import Dataset, Images


@dataclass(frozen=True)
class EpochPlan:
    """What happens to N images in one epoch.

    order: int64 (N,), a permutation. shifts: int64 (N, 2), pixels down and right, by image (not by place in the
    order). flips: bool (N,), by image.
    """

    order: Tensor
    shifts: Tensor
    flips: Tensor


def plan_epoch(n: int, *, seed: int, epoch: int, shift: int, flip: bool) -> EpochPlan:
    """Draw the order of n images, a shift of at most `shift` pixels each way, and whether each is mirrored."""
    generator = torch.Generator().manual_seed(mixed_seed(seed, epoch))
    order = torch.randperm(n, generator=generator)
    shifts = torch.randint(-shift, shift + 1, (n, 2), generator=generator)
    flips = torch.rand(n, generator=generator) < 0.5
    return EpochPlan(order, shifts, flips if flip else torch.zeros_like(flips))


def mixed_seed(seed: int, epoch: int, use: int = 0) -> int:
    """A seed for one use in one epoch; neighbouring (seed, epoch) pairs give unrelated generators."""
    return int(np.random.SeedSequence([seed, epoch, use]).generate_state(1, np.uint32)[0])


def moved(images: Tensor, shifts: Tensor, flips: Tensor, fill: Literal["reflect", "black"]) -> Tensor:
    """Images (n, 3, H, W) shifted by (n, 2) pixels down and right, then mirrored where (n,) flips says so.

    fill: what comes in from outside, the image mirrored at its border pixels (shifts below H and W) or black.
    One gather for all: every output pixel is looked up in its own image. A new tensor of the same dtype.
    """
    n, _, height, width = images.shape
    rows = torch.arange(height, device=images.device) - shifts[:, :1]  # (n, H): where output rows come from
    columns = torch.arange(width, device=images.device) - shifts[:, 1:]  # (n, W)
    columns = torch.where(flips[:, None], columns.flip(1), columns)
    at = torch.arange(n, device=images.device)[:, None, None]
    picked = images[at, :, _inside(rows, height)[:, :, None], _inside(columns, width)[:, None, :]]  # (n, H, W, 3)
    if fill == "black":
        outside = (rows < 0) | (rows >= height), (columns < 0) | (columns >= width)
        picked[outside[0][:, :, None] | outside[1][:, None, :]] = 0
    return picked.permute(0, 3, 1, 2)  # channels_last in memory, as the network wants it


def _inside(index: Tensor, size: int) -> Tensor:
    """Indices mirrored at 0 and at size - 1 without repeating the border; farther out than that, the border."""
    return (size - 1 - (size - 1 - index.abs()).abs()).clamp(0, size - 1)


def resident(images: Images, device: torch.device) -> Images:
    """The images on the device if they are in memory and fill at most half of what is free there; else unchanged."""
    if not isinstance(images, Tensor) or device.type == "cpu":
        return images
    free = torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else 2**32
    return images.to(device) if images.nbytes <= free / 2 else images


def batches(
    dataset: Dataset,
    plan: EpochPlan,
    batch_size: int,
    device: torch.device,
    fill: Literal["reflect", "black"] = "reflect",
) -> Iterator[tuple[Tensor, Tensor]]:
    """Float pixels (n, 3, H, W) in [0, 1] and labels (n,) on the device, in the plan's order.

    Every batch has at most batch_size images and sizes differ by one at most: no runt for batch norm to stumble over.
    """
    labels = dataset.labels.to(device)
    at = dataset.images.device if isinstance(dataset.images, Tensor) else torch.device("cpu")
    plain = not plan.shifts.any() and not plan.flips.any()
    for index in plan.order.tensor_split(n_batches(len(plan.order), batch_size)):
        pixels = dataset.images[index.to(at)].to(device)
        if not plain:
            pixels = moved(pixels, plan.shifts[index].to(device), plan.flips[index].to(device), fill)
        pixels = pixels.contiguous(memory_format=torch.channels_last)
        yield pixels.float().div_(255), labels[index.to(device)]


def n_batches(n: int, batch_size: int) -> int:
    """How many batches `batches` gives."""
    return -(-n // batch_size)


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """torch's global generators start from `seed` within (dropout, initial weights) and are restored afterwards."""
    if device.type == "cpu":
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            yield
    else:
        with torch.random.fork_rng(devices=[device.index or 0], device_type=device.type):
            torch.manual_seed(seed)
            yield
