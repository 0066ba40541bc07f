"""Everything a training depends on besides its data and its seed, under a name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, fields, replace
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError
from pydantic.dataclasses import dataclass

from csg_analyze.errors import UsageError, unknown
from csg_analyze.flags import named
from training.fields import (
    CONFIG,
    ControlHead,
    CsgPath,
    Data,
    Evaluation,
    Gate,
    Network,
    Optimisation,
    Turns,
)

Training = Literal["std", "csg", "control"]

_INPUT, _OPTIMISATION = Field(description="network and data"), Field(description="optimisation")
_CONTROL = Field(description="the head of a control, which std and csg learn")
_CSG = Field(description="the CSG path (std takes these flags too and ignores them, so that twins differ in one word)")


@dataclass(frozen=True, config=CONFIG)
class Recipe:
    """How to train. One recipe serves all trainings: each ignores the groups of the others.

    A group is annotated with the title that its flags are shown under. Raises pydantic's ValidationError for values
    outside the bounds; `adjusted` turns that into a UsageError.
    """

    name: Annotated[str, Field(description="the recipe's name")]
    network: Annotated[Network, _INPUT]
    data: Annotated[Data, _INPUT] = field(default_factory=Data)
    optimisation: Annotated[Optimisation, _OPTIMISATION] = field(default_factory=Optimisation)
    evaluation: Annotated[Evaluation, _OPTIMISATION] = field(default_factory=Evaluation)
    control: Annotated[ControlHead, _CONTROL] = field(default_factory=ControlHead)
    turns: Annotated[Turns, _CSG] = field(default_factory=Turns)
    gate: Annotated[Gate, _CSG] = field(default_factory=Gate)
    csg_path: Annotated[CsgPath, _CSG] = field(default_factory=CsgPath)


def _names(group: type) -> set[str]:
    return {each.name for each in fields(group)}


ALTERNATE_ONLY = (_names(Turns) | _names(CsgPath)) - {"scheme", "warmup_epochs"}
"""Fields that the joint scheme, with one optimizer and no turns, does not read."""


def changed(recipe: Recipe, **values: Any) -> Recipe:
    """The recipe with other values of some fields, by the field's name alone, whichever group it is in.

    Raises pydantic's ValidationError for values outside the bounds and for a field that no recipe has.
    """
    groups: dict[str, Any] = {}
    for each in fields(Recipe):
        group = getattr(recipe, each.name)
        if each.name != "name":
            own = {name: values.pop(name) for name in [*values] if name in _names(type(group))}
            groups[each.name] = replace(group, **own)
    return replace(recipe, **groups, **values)


# one CSG epoch gives every class its filters and a head of small weights, then the trunk follows that head. The smaller
# the head, the more the filters must differ (docs/trials.md)
_FORK = Recipe(
    "fork",
    Network("resnet20"),
    optimisation=Optimisation(epochs=4, std_trainable=("conv1", "bn1", "layer1", "layer2", "layer3")),
    evaluation=Evaluation(eval_every=4),
    turns=Turns(period=4, csg_turn="first"),
    gate=Gate(lambda2=0.1),
    csg_path=CsgPath(csg_trainable=("linear",), csg_schedule="constant", csg_lr=0.1),
)
"""What recipes have in common that go on from a trained CIFAR ResNet (--start)."""

RECIPES = {
    recipe.name: recipe
    for recipe in (
        # joint: alternate epochs at a learning rate that trains this fast undo much of the STD epochs' work. A quick
        # gate decides while the filters are still forming: with rate .1 and lambda2 .05 classes keep .1-.3 of their
        # recall without their filters, with these at most .02, at the same accuracy
        Recipe(
            "scenes-resnet8",
            Network("resnet8"),
            Data(shift=2, flip=False),
            Optimisation(epochs=14, batch_size=64, lr=0.2),
            turns=Turns(scheme="joint"),
            gate=Gate(gate_rate=0.3, lambda2=0.1),
        ),
        Recipe(
            "cifar10-resnet20",
            Network("resnet20"),
            optimisation=Optimisation(epochs=30, lr=0.2),
            turns=Turns(scheme="joint"),
        ),
        changed(_FORK, name="cifar10-resnet20-fork", lr=0.1, csg_weight_decay=2e-2, gate_rate=0.2),
        Recipe(
            "cifar10-alexnet",
            Network("alexnet"),
            optimisation=Optimisation(epochs=30, lr=0.1),
            turns=Turns(scheme="joint"),
        ),
        Recipe(
            "imagenet-resnet18",
            Network("resnet18"),
            Data(size=224, resize=256, shift=32, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)),
            Optimisation(
                epochs=90, batch_size=256, lr=0.1, weight_decay=1e-4, schedule="step", milestones=(1 / 3, 2 / 3)
            ),
            turns=Turns(warmup_epochs=10),
            gate=Gate(gate_bound="0.1CK", lambda2=1e-3),
        ),
        # a twentieth of ImageNet's animals at 64x64: too few steps for a slow gate
        Recipe(
            "animals-resnet20",
            Network("resnet20"),
            Data(size=64),
            Optimisation(epochs=18, batch_size=64, lr=0.1),
            turns=Turns(scheme="joint"),
            gate=Gate(gate_rate=0.3, lambda2=0.1),
        ),
        # few steps, so small batches and a quicker gate
        changed(
            _FORK, name="animals-resnet20-fork", size=64, batch_size=32, lr=0.05, csg_weight_decay=3e-2, gate_rate=0.5
        ),
        # the authors' script; its ImageNet weights come through --start
        Recipe(
            "voc-resnet152",
            Network("resnet152"),
            Data(size=128, shift=16, shift_fill="black"),
            Optimisation(
                epochs=150, batch_size=32, optimizer="adam", lr=1e-5, weight_decay=0.0, schedule="step",
                milestones=(0.4, 0.6, 0.8), std_trainable=("layer2", "layer3", "layer4", "fc"),
            ),
            turns=Turns(warmup_epochs=10, period=3, csg_epochs=1),
            gate=Gate(gate_bound="0.2CK", lambda2=1e-3),
            csg_path=CsgPath(csg_lr=1e-3, csg_trainable=("layer3", "layer4", "fc")),
        ),
    )
}  # fmt: skip
"""The named recipes."""


def find_recipe(name: str | None, *, data: str, arch: str | None = None) -> Recipe:
    """The named recipe; without a name, the one for that data and network. Raises UsageError for an unknown name."""
    if name is None:
        by_kind = {"scenes": "scenes-resnet8", "voc": "animals-resnet20"}
        name = by_kind.get(data.partition(":")[0])
        if name is None:
            name = "cifar10-alexnet" if arch == "alexnet" else "cifar10-resnet20"
    if name not in RECIPES:
        raise unknown("recipe", name, RECIPES)
    return RECIPES[name]


def adjusted(recipe: Recipe, changes: Mapping[str, str | bool]) -> Recipe:
    """The recipe with some fields changed, each given as text: numbers, lists with commas, "none", "true".

    Raises UsageError, naming the flag, for what does not fit a field's type or bounds, and for a setting of the CSG
    path's own optimizer or turns where the scheme is joint and nothing would read it.
    """
    values = {
        name: None if isinstance(value, str) and value.strip().lower() == "none" else value
        for name, value in changes.items()
    }
    try:
        new = changed(recipe, **values)
    except ValidationError as error:
        first = error.errors()[0]
        name, why = str(first["loc"][0]), "too few values" if first["type"] == "missing" else first["msg"]
        raise UsageError(f"{named(name)} {changes.get(name)}: {why[0].lower()}{why[1:]}.") from None
    if new.turns.scheme == "joint":
        unread = [name for name in changes if name in ALTERNATE_ONLY]
        if unread:
            raise UsageError(
                f"{named(unread[0])} means nothing with --scheme joint; add --scheme alternate or drop it."
            )
    if new.turns.csg_epochs > new.turns.period:
        raise UsageError(f"--csg-epochs {new.turns.csg_epochs} do not fit into --period {new.turns.period}.")
    return new
