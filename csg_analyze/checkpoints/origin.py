"""Which training a checkpoint of csg-train came from: what makes seeds a group, and two checkpoints twins."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

GATE_FIELDS = frozenset(
    {"lambda1", "lambda2", "psi", "gate_bound", "gate_start", "gate_rate", "fixed_gate", "gated_loss_trains"}
)
"""The fields of a recipe that concern the gate and its loss."""
TURN_FIELDS = frozenset({"scheme", "warmup_epochs", "period", "csg_epochs", "csg_turn"})
"""The fields that say which epochs take the CSG path: in the alternate scheme it takes them from the STD path."""
PATH_FIELDS = {
    "csg_optimizer": "optimizer",
    "csg_lr": "lr",
    "csg_weight_decay": "weight_decay",
    "csg_schedule": "schedule",
    "csg_trainable": "std_trainable",
}
"""How CSG epochs train the network, its head above all, and the field that all other epochs read in its place."""
CSG_FIELDS = GATE_FIELDS | TURN_FIELDS | frozenset(PATH_FIELDS)
"""The fields of a recipe that only CSG training reads; an STD checkpoint records them too."""
CONTROL_FIELDS = frozenset({"head", "head_norm"})
"""The fields that only a control reads: the head it is given. Checkpoints from before there were controls lack them."""
WITHOUT_EFFECT = frozenset({"name", "eval_every"})
"""The fields that change no weight."""

OWN_FIELDS = {
    "STD": frozenset[str](),
    "CSG": CSG_FIELDS,
    "CONTROL": TURN_FIELDS | frozenset(PATH_FIELDS) | CONTROL_FIELDS,
}
"""What each training reads besides what all of them read."""

Fields = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Origin:
    """A training, as its checkpoint tells it.

    shared: (name, value) of all that every training reads, the data's fingerprints among them. own: of what CSG or a
    control reads besides; empty for STD. start: SHA-256 of the checkpoint that was fine-tuned; seeds may each have had
    their own. head: the name of the network's last layer, where known.
    """

    training: str
    seed: int
    shared: Fields
    own: Fields
    start: str | None
    head: str | None = None

    @property
    def group(self) -> tuple[str, Fields, Fields, bool]:
        """Alike for trainings that differ in nothing but the seed (and the checkpoint that was fine-tuned)."""
        return self.training, self.shared, self.own, self.start is None

    @property
    def twins(self) -> tuple[Fields, str | None]:
        """Alike, together with the seed, for an STD and a CSG training, or a control, of one recipe, data and start.

        They need not differ in the gate alone: checkpoints.twins tells in what else.
        """
        return self.shared, self.start

    @property
    def fields(self) -> dict[str, Any]:
        """Name -> value of all that the training read, as a recipe holds them (tuples as lists)."""
        return {name: json.loads(value) for name, value in (*self.shared, *self.own)}


def origin_of(training: str | None, record: Mapping[str, Any], head: str | None = None) -> Origin | None:
    """The origin that a checkpoint's record tells; None where it is not from csg-train or tells too little."""
    recipe, seed, fingerprints = record.get("recipe"), record.get("seed"), record.get("fingerprints")
    if training not in OWN_FIELDS or not isinstance(seed, int):
        return None
    if not isinstance(recipe, Mapping) or not isinstance(fingerprints, Mapping):
        return None
    start = fingerprints.get("start")
    data = {name: value for name, value in fingerprints.items() if name != "start"}
    apart = CSG_FIELDS | CONTROL_FIELDS | WITHOUT_EFFECT
    common = {name: value for name, value in recipe.items() if name not in apart}
    own = {name: value for name, value in recipe.items() if name in OWN_FIELDS[training]}
    began = None if start is None else str(start)
    return Origin(training, seed, _fields({**common, **data}), _fields(own), began, head)


def _fields(values: Mapping[str, Any]) -> Fields:
    # as text: values from a file may be lists, which cannot be compared by hash
    return tuple(sorted((str(name), json.dumps(value, default=str)) for name, value in values.items()))
