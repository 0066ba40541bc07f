"""Which path an epoch takes: the turns of Algorithm 1, which a CSG network and its controls share."""

from __future__ import annotations

from training.fields import Turns
from training.optimisation import PathName


def turn_of(turns: Turns, epoch: int) -> PathName:
    """STD while warming up; then joint, or CSG in the last (the authors' `epoch % 3 >= 2`) or first of a period."""
    if epoch < turns.warmup_epochs:
        return "std"
    if turns.scheme == "joint":
        return "joint"
    first = 0 if turns.csg_turn == "first" else turns.period - turns.csg_epochs
    return "csg" if first <= epoch % turns.period < first + turns.csg_epochs else "std"
