"""Training STD and CSG networks: one loop, a small strategy for what differs.

    from training import RECIPES, train
    train(RECIPES["scenes-resnet8"], training="csg", data="scenes", out=Path("csg.pt"))

Names are imported when first used, so that `csg-train --help` does not wait for torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from training.loop import train
    from training.recipes import RECIPES, Recipe

_HOMES = {"train": "training.loop", "RECIPES": "training.recipes", "Recipe": "training.recipes"}

__all__ = ["RECIPES", "Recipe", "train"]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'training' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
