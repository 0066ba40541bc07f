"""Arrays of images as users hold them -> uint8 (N, 3, H, W)."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch
from torch import Tensor

from csg_analyze.errors import UsageError

OVERSHOOT = 1e-3  # interpolation may leave [0, 1] by so much


def as_tensor(values: Any, what: str) -> Tensor:
    """A NumPy array or a tensor as a tensor, sharing its memory where that is possible.

    what: names it in errors. Raises UsageError for anything else, and for dtypes that torch does not have.
    """
    if isinstance(values, Tensor):
        return values.detach()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns of read-only arrays; nothing here writes into them
            array = np.asarray(values)
            return torch.from_numpy(array if min(array.strides, default=0) >= 0 else array.copy())
    except (TypeError, ValueError) as error:
        raise UsageError(f"{what}: {type(values).__name__} is no array of numbers; give NumPy or torch.") from error


def channels_first(images: Tensor, what: str) -> Tensor:
    """A view (..., 3, H, W) of images (..., 3, H, W) or (..., H, W, 3).

    Raises UsageError where neither or both could be meant.
    """
    shape = tuple(images.shape)
    first, last = (len(shape) >= 3 and shape[axis] == 3 for axis in (-3, -1))
    if first and last:
        raise UsageError(f"{what}: shape {shape} may be channels first or last; give images more than 3 pixels wide.")
    if not (first or last):
        raise UsageError(
            f"{what}: shape {shape} is not that of RGB images, (N, 3, H, W) or (N, H, W, 3); repeat a grey channel "
            "three times."
        )
    return images if first else images.movedim(-1, -3)


def eight_bits(images: Tensor, what: str) -> tuple[Tensor, bool]:
    """Pixels as uint8, and whether some lay between two of its steps and were rounded.

    images: uint8, or floats in [0, 1]. The result never shares memory with them and is contiguous, on the CPU.
    Raises UsageError for other types and values.
    """
    if images.dtype == torch.uint8:
        return images.cpu().clone(memory_format=torch.contiguous_format), False
    if not images.is_floating_point():
        raise UsageError(f"{what}: pixels of type {_dtype(images)}; give uint8 (0 to 255) or floats in [0, 1].")
    low, high = (float(value) for value in torch.aminmax(images)) if images.numel() else (0.0, 0.0)
    if not (low >= -OVERSHOOT and high <= 1 + OVERSHOOT):  # NaN, too
        raise UsageError(
            f"{what}: float pixels from {low:.3g} to {high:.3g}, not in [0, 1]; give them without normalisation (a "
            "classifier has its mean and std inside) and divided by 255."
        )
    scaled = images.cpu().to(torch.float32, memory_format=torch.contiguous_format) * 255
    rounded = scaled.round().clamp_(0, 255)
    step = max(1e-2, 255 * torch.finfo(images.dtype).eps)
    return rounded.to(torch.uint8), bool((scaled - rounded).abs().max() > step) if images.numel() else False


def class_indices(labels: Any, what: str = "labels") -> Tensor:
    """Labels (N,) or one label as int64. Raises UsageError for what is no whole number from 0 on."""
    values = as_tensor(labels, what)
    integers = not (values.is_floating_point() or values.is_complex() or values.dtype == torch.bool)
    if not integers or values.ndim > 1:
        raise UsageError(
            f"{what}: type {_dtype(values)}, shape {tuple(values.shape)}; give one class index (a whole number) for "
            "each image."
        )
    values = values.cpu().to(torch.int64)
    if values.numel() and values.min() < 0:
        raise UsageError(f"{what}: a label is {int(values.min())}; class indices count from 0.")
    return values


def _dtype(values: Tensor) -> str:
    return str(values.dtype).removeprefix("torch.")
