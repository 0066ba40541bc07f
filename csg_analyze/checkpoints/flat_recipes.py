"""Recipes as checkpoints recorded them before a recipe had groups: all fields side by side, sorted into groups here.

Such checkpoints are kept and published, and must load, resume and pair with new ones. The fields are those of that
time: the table is closed, and a field that a recipe gets today belongs into a group of `training.fields` alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_GROUPS = {
    "network": ("arch", "layer"),
    "data": ("size", "resize", "limit", "mean", "std", "shift", "shift_fill", "flip"),
    "optimisation": (
        "epochs", "batch_size", "optimizer", "lr", "momentum", "weight_decay", "schedule", "ramp", "milestones",
        "step_factor", "std_trainable", "amp",
    ),
    "evaluation": ("eval_every",),
    "control": ("head", "head_norm"),
    "turns": ("scheme", "warmup_epochs", "period", "csg_epochs", "csg_turn"),
    "gate": (
        "lambda1", "gated_loss_trains", "lambda2", "psi", "gate_bound", "gate_start", "gate_rate", "fixed_gate",
    ),
    "csg_path": ("csg_optimizer", "csg_lr", "csg_weight_decay", "csg_schedule", "csg_trainable"),
}  # fmt: skip
_GROUP_OF = {field: group for group, fields in _GROUPS.items() for field in fields}


def grouped(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """A recorded recipe, group -> field -> value, beside its name; one that has groups already is left as it is.

    A field that the table does not know counts as one that all trainings read. Checkpoints from before there were
    controls lack the fields of a control's head: no head was prescribed.
    """
    if any(isinstance(value, Mapping) for value in recipe.values()):
        return dict(recipe)
    groups: dict[str, dict[str, Any]] = {group: {} for group in _GROUPS}
    groups["control"] = {"head": None, "head_norm": None}
    for field, value in recipe.items():
        if field != "name":
            groups[_GROUP_OF.get(field, "optimisation")][field] = value
    named = {"name": recipe["name"]} if "name" in recipe else {}
    return {**named, **groups}
