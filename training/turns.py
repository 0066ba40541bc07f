"""Which path an epoch takes: the turns of Algorithm 1, which a CSG network and its controls share."""

from __future__ import annotations

from training.optimisation import PathName
from training.recipes import Recipe


def turn_of(recipe: Recipe, epoch: int) -> PathName:
    """STD while warming up; then joint, or CSG in the last (the authors' `epoch % 3 >= 2`) or first of a period."""
    if epoch < recipe.warmup_epochs:
        return "std"
    if recipe.scheme == "joint":
        return "joint"
    begins = 0 if recipe.csg_turn == "first" else recipe.period - recipe.csg_epochs
    return "csg" if begins <= epoch % recipe.period < begins + recipe.csg_epochs else "std"
