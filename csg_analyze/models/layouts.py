"""Where the channels and the positions of a layer's output lie: maps, maps with their channels last, or tokens."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import isqrt
from typing import Literal, TypeAlias

import torch
from torch import Tensor

from csg_analyze.errors import UsageError

Form: TypeAlias = Literal["maps", "channels last", "tokens"]

MOST_BESIDE = 16
"""Largest number of tokens before the first position: a class token, distillation tokens, registers."""


@dataclass(frozen=True)
class Layout:
    """How an output is read as maps (N, K, h, w).

    form: (N, K, h, w), (N, h, w, K), or tokens (N, T, K). beside: of tokens, how many stand before the first position.
    grid: h and w for images of the size that was traced.
    """

    form: Form
    n_filters: int
    grid: tuple[int, int]
    beside: int = 0

    @property
    def text(self) -> str:
        """For people, of what is no plain map; empty for one."""
        height, width = self.grid
        tokens = f"{self.beside} token{'s' if self.beside > 1 else ''}"
        apart = f" ({tokens} beside them set apart)" if self.beside else ""
        return {
            "maps": "",
            "channels last": f"maps of {height}x{width} positions, channels last",
            "tokens": f"{height}x{width} tokens as positions{apart}",
        }[self.form]

    @property
    def positions(self) -> int:
        """h * w."""
        return self.grid[0] * self.grid[1]

    def maps(self, output: Tensor) -> Tensor:
        """(N, K, h, w). Raises UsageError for tokens that make no grid."""
        if self.form == "maps":
            return output
        if self.form == "channels last":
            return output.permute(0, 3, 1, 2)
        images, count, channels = output.shape
        grid = self._grid_of(count - self.beside)
        return output[:, self.beside :].transpose(1, 2).reshape(images, channels, *grid)

    def tokens_beside(self, output: Tensor) -> Tensor | None:
        """The tokens before the first position as a map (N, K, 1, beside); None where there is none."""
        return output[:, : self.beside].transpose(1, 2).unsqueeze(2) if self.beside else None

    def output(self, maps: Tensor, beside: Tensor | None) -> Tensor:
        """The output that these maps, and the tokens beside them, come from."""
        if self.form == "maps":
            return maps
        if self.form == "channels last":
            return maps.permute(0, 2, 3, 1)
        tokens = maps.flatten(2).transpose(1, 2)
        return tokens if beside is None else torch.cat([beside.squeeze(2).transpose(1, 2), tokens], dim=1)

    def _grid_of(self, count: int) -> tuple[int, int]:
        if count == self.positions:
            return self.grid
        if count < 1 or isqrt(count) ** 2 != count:
            raise UsageError(f"the feature layer gives {count} tokens, which make no square of positions; give --size.")
        return isqrt(count), isqrt(count)


def layout_of(output: Tensor, grids: Iterable[tuple[int, int]]) -> Layout | None:
    """The layout of what a module gives for square images; None where there are no positions and channels.

    grids: sizes of the maps that came before, the latest first, of which tokens were made.
    """
    if output.ndim == 4:
        _, first, second, last = output.shape
        # of square images: only an output with its channels last has its first two sizes alike
        if first == second != last:
            return Layout("channels last", last, (first, second))
        return Layout("maps", first, (second, last))
    if output.ndim != 3 or output.shape[1] < 2:
        return None
    tokens, channels = output.shape[1:]
    known = {height * width: (height, width) for height, width in reversed([*grids]) if height * width > 1}
    for beside in range(min(MOST_BESIDE, tokens - 2) + 1):
        if tokens - beside in known:
            return Layout("tokens", channels, known[tokens - beside], beside)
    for beside in range(min(MOST_BESIDE, tokens - 2) + 1):
        side = isqrt(tokens - beside)
        if side * side == tokens - beside:
            return Layout("tokens", channels, (side, side), beside)
    return None
