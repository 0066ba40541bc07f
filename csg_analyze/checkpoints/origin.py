"""Which training a checkpoint of csg-train came from: the same run, seeds of one group, and twins.

A recipe is recorded in groups, and what trainings have in common is told by the groups that each of them reads.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from csg_analyze.checkpoints.flat_recipes import grouped

OWN_GROUPS: Mapping[str, tuple[str, ...]] = {
    "STD": (),
    "CSG": ("turns", "gate", "csg_path"),
    "CONTROL": ("turns", "csg_path", "control"),
}
"""The groups of a recipe that each training reads besides those that all of them read; every checkpoint records all."""
WITHOUT_EFFECT = ("name", "evaluation")
"""The parts of a recipe that change no weight."""

Fields = tuple[tuple[str, str], ...]
"""(name, value as JSON) of each field."""


@dataclass(frozen=True)
class Origin:
    """A training: all that its weights depend on, the machine aside.

    training: "STD", "CSG" or "CONTROL". recipe: all fields of the recipe, each named `group.field`, in the order of the
    record. data: fingerprints of the training and test data. start: SHA-256 of the checkpoint that was fine-tuned;
    seeds may each have had their own. head: the name of the network's last layer, where known.
    """

    training: str
    seed: int
    recipe: Fields
    data: Fields
    start: str | None
    head: str | None = None

    @classmethod
    def of(
        cls,
        training: str,
        recipe: Mapping[str, Any],
        seed: int,
        fingerprints: Mapping[str, Any],
        head: str | None = None,
    ) -> Origin:
        """From plain values as a checkpoint records them. fingerprints: of the data, and the start's SHA-256."""
        start = fingerprints.get("start")
        data = {name: value for name, value in fingerprints.items() if name != "start"}
        began = None if start is None else str(start)
        return cls(training, seed, _as_fields(_dotted(grouped(recipe))), _as_fields(data.items()), began, head)

    @property
    def shared(self) -> Fields:
        """Field -> value of all that every training reads, the data's fingerprints among them, in order of name."""
        apart = {*WITHOUT_EFFECT, *(group for groups in OWN_GROUPS.values() for group in groups)}
        groups = {_group(field) for field, _ in self.recipe} - apart
        return tuple(sorted((*self._fields_of(groups), *self.data)))

    @property
    def own(self) -> Fields:
        """Field -> value of what CSG or a control reads besides, in order of name; empty for STD."""
        return tuple(sorted(self._fields_of(OWN_GROUPS[self.training])))

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

    def values(self, group: str) -> dict[str, Any]:
        """Field -> value of one group of the recipe (tuples as lists), in the order of the record."""
        return {name: json.loads(value) for name, value in self._fields_of((group,))}

    def differences(self, other: Origin) -> Iterator[tuple[str, Any, Any]]:
        """(name, value, value in the other) of whatever keeps the two from being one run; nothing where they are one.

        Fields that have no effect on this training count too: a run is gone on with as it was begun. A field that only
        the other has does not count, and one that the other lacks counts as None there.
        """
        recorded = other._all_values()
        for name, value in self._all_values().items():
            if recorded.get(name) != value:
                yield name, value, recorded.get(name)

    def _fields_of(self, groups: Collection[str]) -> Fields:
        return tuple((_field(name), value) for name, value in self.recipe if _group(name) in groups)

    def _all_values(self) -> dict[str, Any]:
        fields = {_field(name): json.loads(value) for name, value in (*self.recipe, *self.data)}
        return {**fields, "training": self.training, "seed": self.seed, "start": self.start}


def origin_of(training: str | None, record: Mapping[str, Any], head: str | None = None) -> Origin | None:
    """The origin that a checkpoint's record tells; None where it is not from csg-train or tells too little."""
    recipe, seed, fingerprints = record.get("recipe"), record.get("seed"), record.get("fingerprints")
    if training is None or training not in OWN_GROUPS or not isinstance(seed, int):
        return None
    if not isinstance(recipe, Mapping) or not isinstance(fingerprints, Mapping):
        return None
    return Origin.of(training, recipe, seed, fingerprints, head)


def _dotted(recipe: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """(`group.field`, value) of every field; the recipe's name is in no group."""
    for name, value in recipe.items():
        if isinstance(value, Mapping):
            yield from ((f"{name}.{field}", each) for field, each in value.items())
        else:
            yield str(name), value


def _group(name: str) -> str:
    return name.partition(".")[0]


def _field(name: str) -> str:
    return name.rpartition(".")[2]


def _as_fields(values: Iterable[tuple[str, Any]]) -> Fields:
    # as text: values from a file may be lists, which cannot be compared by hash
    return tuple((str(name), json.dumps(value, default=str)) for name, value in values)
