"""Matrices too large for a page, and axes with too many labels: what is drawn instead."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Literal, TypeAlias

import numpy as np

from csg_analyze.metrics.arrays import FloatArray
from csg_analyze.wording import shortened

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
    cells = blocks(matrix, rows, columns)
    if reduction == "mean":
        count = (~np.isnan(cells)).sum(axis=-1)
        return np.where(count > 0, np.nansum(cells, axis=-1) / np.maximum(count, 1), np.nan)
    highest: FloatArray = np.fmax.reduce(cells, axis=-1)
    if reduction == "maximum":
        return highest
    lowest: FloatArray = np.fmin.reduce(cells, axis=-1)
    return np.where(-lowest > highest, lowest, highest)


def strongest_pairs(first: FloatArray, second: FloatArray, rows: int, columns: int) -> tuple[FloatArray, FloatArray]:
    """Per block, both values of the one cell with the largest sum.

    Two separate maxima could come from different cells and would show an agreement that is not there.
    """
    a, b = blocks(first, rows, columns), blocks(second, rows, columns)
    strongest = np.argmax(np.where(np.isnan(a + b), -np.inf, a + b), axis=-1)[..., None]
    return np.take_along_axis(a, strongest, axis=-1)[..., 0], np.take_along_axis(b, strongest, axis=-1)[..., 0]


def tick_step(length: int, most: int) -> int:
    """The smallest round step (1, 2, 5, 10, 20, 50 ...) at which at most `most` of `length` are named."""
    step = 1
    while -(-length // step) > most:
        step = step * 5 // 2 if str(step)[0] == "2" else step * 2
    return step


def thinned(labels: Sequence[str], most: int) -> tuple[list[int], list[str]]:
    """Positions and texts of the labels that fit on an axis with room for `most`."""
    positions = list(range(0, len(labels), tick_step(len(labels), max(1, most))))
    return positions, [shortened(labels[position]) for position in positions]


def wrapped(label: str, inches: float) -> str:
    """A title of 8 pt in at most two lines of that width."""
    letters = max(8, int(inches * 15))
    long = any(len(word) > letters for word in label.split())
    return "\n".join(textwrap.wrap(shortened(label, 2 * letters - 8), letters, break_on_hyphens=long)[:2])


def counted(axis: str, length: int, reduction: str) -> str:
    """What an axis without all its names says: "filter; n = 64", or "class; n = 1,000 / maximum of every 3"."""
    size = block_size(length)
    return f"{axis}; n = {length:,}" + (f"\n{reduction} of every {size}" if size > 1 else "")
