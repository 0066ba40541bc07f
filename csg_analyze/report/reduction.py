"""Matrices too large for a page, and axes with too many labels: what is drawn instead."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from csg_analyze.metrics.arrays import FloatArray, IntArray

Reduction: TypeAlias = Literal["maximum", "mean", "largest magnitude"]

LIMIT = 400
"""Rows or columns of a panel beyond which neighbours share a pixel: more than a printed panel resolves."""


def block_size(length: int, limit: int = LIMIT) -> int:
    """How many neighbours share a pixel so that at most `limit` pixels remain."""
    return max(1, -(-length // limit))


def blocks(matrix: FloatArray, rows: int, columns: int) -> FloatArray:
    """The cells of every block: (R, C) -> (ceil(R / rows), ceil(C / columns), rows * columns).

    Blocks at the lower and right edge are filled up with NaN.
    """
    height, width = matrix.shape
    padding = ((0, -height % rows), (0, -width % columns))
    padded = np.pad(np.asarray(matrix, dtype=np.float64), padding, constant_values=np.nan)
    tall, wide = padded.shape[0] // rows, padded.shape[1] // columns
    return padded.reshape(tall, rows, wide, columns).swapaxes(1, 2).reshape(tall, wide, rows * columns)


def reduced(matrix: FloatArray, rows: int, columns: int, reduction: Reduction = "maximum") -> FloatArray:
    """One value a block of `rows` x `columns` cells; NaN cells do not count, a block of NaN alone stays NaN."""
    if rows == columns == 1:
        return np.asarray(matrix, dtype=np.float64)
    cells = blocks(matrix, rows, columns)
    if reduction == "mean":
        count = np.isfinite(cells).sum(axis=-1)
        return np.where(count > 0, np.nansum(cells, axis=-1) / np.maximum(count, 1), np.nan)
    highest = np.fmax.reduce(cells, axis=-1)
    if reduction == "maximum":
        return highest
    lowest = np.fmin.reduce(cells, axis=-1)
    return np.where(-lowest > highest, lowest, highest)


def strongest_pairs(
    first: FloatArray, second: FloatArray, rows: int, columns: int
) -> tuple[FloatArray, FloatArray]:
    """Per block, both values of the one cell with the largest sum.

    Two separate maxima could come from different cells and would show an agreement that is not there.
    """
    a, b = blocks(first, rows, columns), blocks(second, rows, columns)
    strongest = np.argmax(np.nan_to_num(a + b, nan=-np.inf), axis=-1)[..., None]
    return (
        np.take_along_axis(a, strongest, axis=-1)[..., 0],
        np.take_along_axis(b, strongest, axis=-1)[..., 0],
    )


def filters_by_class(strength: FloatArray) -> IntArray:
    """The order of the filters (columns of (C, K)) by the class each is strongest for, the strongest first.

    Ties keep the filters' own order; a filter without any finite value comes last.
    """
    known = np.isfinite(strength).any(axis=0)
    filled = np.where(np.isfinite(strength), strength, -np.inf)
    owner = np.where(known, filled.argmax(axis=0), len(strength))
    order: NDArray[np.intp] = np.lexsort((-filled.max(axis=0), owner))
    return order


def tick_step(length: int, labels: int) -> int:
    """The round step (1, 2, 5, 10, 20, 50 ...) at which at most `labels` of `length` are named."""
    step = 1
    while -(-length // step) > labels:
        step = step * 5 // 2 if str(step)[0] == "2" else step * 2
    return step


def shortened(label: str, length: int = 16) -> str:
    """A label cut to `length` characters, with an ellipsis, on one line."""
    line = "".join(character if character.isprintable() else " " for character in label)
    return line if len(line) <= length else line[: length - 1].rstrip() + "…"


def block_note(length: int, size: int, things: str, reduction: str) -> str:
    """What an axis says: "64 filters", or "2,048 filters (maximum of every 6)"."""
    return f"{length:,} {things}" + (f" ({reduction} of every {size})" if size > 1 else "")


def named(labels: Sequence[str], most: int) -> tuple[list[int], list[str]]:
    """Positions and texts of the labels that fit on an axis with room for `most`."""
    step = tick_step(len(labels), most)
    positions = list(range(0, len(labels), step))
    return positions, [shortened(labels[position]) for position in positions]
