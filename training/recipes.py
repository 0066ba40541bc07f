"""Everything a training depends on besides its data and its seed, under a name.

A field's type, bounds and help are written once, here; the command line is made from them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError
from pydantic.dataclasses import dataclass

from csg_analyze.errors import UsageError, unknown
from csg_analyze.flags import named

Training = Literal["std", "csg", "control"]
Head = Literal["random-blocks", "argmax-blocks", "scaled", "own", "dense"]
Optimizer = Literal["sgd", "adam", "adamw"]
Schedule = Literal["onecycle", "cosine", "step", "constant"]
Share = Annotated[float, Field(gt=0, lt=1)]
Unit = Annotated[float, Field(ge=0, le=1)]
Spread = Annotated[float, Field(gt=0, le=1)]


def _split(value: object) -> object:
    """`layer3,fc` as typed -> its parts."""
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


LISTED = BeforeValidator(_split)

GATE_FIELDS = "the CSG path (std takes these flags too and ignores them, so that twins differ in one word)"
CONTROL_FIELDS = "the head of a control, which std and csg learn"
PANELS = {"arch": "network and data", "epochs": "optimisation", "head": CONTROL_FIELDS, "scheme": GATE_FIELDS}
"""Titles of the groups that flags are shown in, by the first field of each group."""


@dataclass(frozen=True, config={"extra": "forbid", "allow_inf_nan": False})
class Recipe:
    """How to train. One recipe serves both trainings: STD ignores the fields of the CSG path.

    Raises pydantic's ValidationError for values outside the bounds; `adjusted` turns that into a UsageError.
    """

    name: Annotated[str, Field(description="the recipe's name")]

    arch: Annotated[str, Field(description="network, any name csg-analyze list shows")]
    layer: Annotated[str | None, Field(description="feature layer; none: the last convolutional stage")] = None
    size: Annotated[int | None, Field(ge=1, description="image side in pixels; none: as stored")] = None
    resize: Annotated[int | None, Field(ge=1, description="shorter side before cropping to size, pixels")] = None
    limit: Annotated[int | None, Field(ge=1, description="train on so many images, classes balanced")] = None
    mean: Annotated[
        tuple[Unit, Unit, Unit] | None,
        LISTED,
        Field(description="RGB means; none: those of --start, else of the training images"),
    ] = None
    std: Annotated[
        tuple[Spread, Spread, Spread] | None, LISTED, Field(description="RGB standard deviations; none: as for means")
    ] = None
    shift: Annotated[int, Field(ge=0, description="every image moves by up to so many pixels in x and in y")] = 4
    shift_fill: Annotated[Literal["reflect", "black"], Field(description="what a move uncovers")] = "reflect"
    flip: Annotated[bool, Field(description="mirror each image with probability 1/2")] = True

    epochs: Annotated[int, Field(ge=1, description="passes over the training images")] = 30
    batch_size: Annotated[int, Field(ge=2, description="images a step, at most; steps are of equal size")] = 128
    optimizer: Annotated[Optimizer, Field(description="sgd has Nesterov momentum")] = "sgd"
    lr: Annotated[float, Field(gt=0, description="peak learning rate")] = 0.2
    momentum: Annotated[float, Field(ge=0, lt=1, description="of sgd; adam keeps torch's betas")] = 0.9
    weight_decay: Annotated[float, Field(ge=0, description="on the network, never on the gate")] = 5e-4
    schedule: Annotated[Schedule, Field(description="of the learning rate, over all steps of the training")] = (
        "onecycle"
    )
    ramp: Annotated[Share, Field(description="onecycle: share of the steps before the peak")] = 0.25
    milestones: Annotated[tuple[Share, ...], LISTED, Field(description="step: shares of the training")] = (0.5, 0.75)
    step_factor: Annotated[float, Field(gt=0, le=1, description="step: what each milestone multiplies by")] = 0.1
    std_trainable: Annotated[
        tuple[str, ...], LISTED, Field(description="STD and joint path: layers to train, by prefix; empty: all")
    ] = ()
    amp: Annotated[bool, Field(description="automatic mixed precision, on CUDA")] = True
    eval_every: Annotated[int, Field(ge=1, description="epochs between test accuracies; the last always")] = 1

    head: Annotated[
        Head | None,
        Field(
            description="control: +.5 for a filter's class, drawn or of its largest weight, -.5/(C-1) for the others; "
            "the head it starts with, scaled or as it is; or one trained with the plain loss on the CSG path"
        ),
    ] = None
    head_norm: Annotated[
        float | None, Field(gt=0, description="control: Frobenius norm of the head; none: of such blocks")
    ] = None

    scheme: Annotated[
        Literal["alternate", "joint"],
        Field(description="the two paths in turns of epochs (Algorithm 1), or both in every step (Eq. 3)"),
    ] = "alternate"
    warmup_epochs: Annotated[int, Field(ge=0, description="STD epochs before the first that uses the gate")] = 0
    period: Annotated[int, Field(ge=1, description="alternate: epochs in a turn of both paths")] = 3
    csg_epochs: Annotated[int, Field(ge=1, description="alternate: CSG epochs in every period")] = 1
    csg_turn: Annotated[
        Literal["last", "first"], Field(description="alternate: CSG epochs end a period (the authors' way) or begin it")
    ] = "last"
    lambda1: Annotated[float, Field(ge=0, description="weight of the gated cross-entropy")] = 1.0
    gated_loss_trains: Annotated[
        Literal["network", "head"],
        Field(description="besides the gate: all, or only what comes behind it, which the trunk then follows"),
    ] = "network"
    lambda2: Annotated[float, Field(ge=0, description="weight of the penalty d(||G||_1, g), on the raw norm")] = 0.05
    psi: Annotated[Literal["l1", "l2", "smooth-l1"], Field(description="of the penalty")] = "l1"
    gate_bound: Annotated[
        str, Field(description="g: a number, or a multiple of K or of CK, e.g. K, 1.5K, 0.1CK; at least K")
    ] = "K"
    gate_start: Annotated[float, Field(gt=0, le=1, description="every gate at the start")] = 0.5
    gate_rate: Annotated[float, Field(gt=0, description="learning rate of the gate's plain gradient steps")] = 0.1
    fixed_gate: Annotated[
        tuple[int, int] | None,
        LISTED,
        Field(description="m1,m2: a binary gate never updated; a class owns m1 filters, all share m2"),
    ] = None
    csg_optimizer: Annotated[Optimizer | None, Field(description="alternate: of the CSG path; none: as STD")] = None
    csg_lr: Annotated[float | None, Field(gt=0, description="alternate: of the CSG path; none: as STD")] = None
    csg_weight_decay: Annotated[float | None, Field(ge=0, description="alternate: of the CSG path")] = None
    csg_schedule: Annotated[Schedule | None, Field(description="alternate: of the CSG path; none: as STD")] = None
    csg_trainable: Annotated[
        tuple[str, ...], LISTED, Field(description="alternate: layers the CSG path trains, by prefix; empty: all")
    ] = ()


ALTERNATE_ONLY = ("period", *(name for name in Recipe.__dataclass_fields__ if name.startswith("csg_")))
"""Fields that the joint scheme, with one optimizer and no turns, does not read."""

# one CSG epoch gives every class its filters and a head of small weights, then the trunk follows that head. The smaller
# the head, the more the filters must differ (docs/trials.md)
FORK: Mapping[str, Any] = {
    "arch": "resnet20", "epochs": 4, "eval_every": 4, "std_trainable": ("conv1", "bn1", "layer1", "layer2", "layer3"),
    "period": 4, "csg_turn": "first", "csg_trainable": ("linear",), "csg_schedule": "constant", "csg_lr": 0.1,
    "lambda2": 0.1,
}  # fmt: skip
"""What recipes have in common that go on from a trained CIFAR ResNet (--start)."""

RECIPES = {
    recipe.name: recipe
    for recipe in (
        # joint: alternate epochs at a learning rate that trains this fast undo much of the STD epochs' work. A quick
        # gate decides while the filters are still forming: with rate .1 and lambda2 .05 classes keep .1-.3 of their
        # recall without their filters, with these at most .02, at the same accuracy
        Recipe(
            "scenes-resnet8", "resnet8", shift=2, flip=False, epochs=14, batch_size=64, lr=0.2, scheme="joint",
            gate_rate=0.3, lambda2=0.1,
        ),
        Recipe("cifar10-resnet20", "resnet20", epochs=30, lr=0.2, scheme="joint"),
        Recipe("cifar10-resnet20-fork", lr=0.1, csg_weight_decay=2e-2, gate_rate=0.2, **FORK),
        Recipe("cifar10-alexnet", "alexnet", epochs=30, lr=0.1, scheme="joint"),
        Recipe(
            "imagenet-resnet18", "resnet18", size=224, resize=256, shift=32, epochs=90, batch_size=256, lr=0.1,
            weight_decay=1e-4, schedule="step", milestones=(1 / 3, 2 / 3), gate_bound="0.1CK", warmup_epochs=10,
            mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225), lambda2=1e-3,
        ),
        # a twentieth of ImageNet's animals at 64x64: too few steps for a slow gate
        Recipe(
            "animals-resnet20", "resnet20", size=64, epochs=18, batch_size=64, lr=0.1, scheme="joint", gate_rate=0.3,
            lambda2=0.1,
        ),
        # few steps, so small batches and a quicker gate
        Recipe(
            "animals-resnet20-fork", size=64, batch_size=32, lr=0.05, csg_weight_decay=3e-2, gate_rate=0.5, **FORK
        ),
        # the authors' script; its ImageNet weights come through --start
        Recipe(
            "voc-resnet152", "resnet152", size=128, shift=16, shift_fill="black", epochs=150, batch_size=32,
            optimizer="adam", lr=1e-5, csg_lr=1e-3, weight_decay=0.0, schedule="step", milestones=(0.4, 0.6, 0.8),
            gate_bound="0.2CK", lambda2=1e-3, warmup_epochs=10, period=3, csg_epochs=1,
            std_trainable=("layer2", "layer3", "layer4", "fc"), csg_trainable=("layer3", "layer4", "fc"),
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
    given: dict[str, Any] = {
        name: None if isinstance(value, str) and value.strip().lower() == "none" else value
        for name, value in changes.items()
    }
    try:
        changed = replace(recipe, **given)
    except ValidationError as error:
        first = error.errors()[0]
        name, why = str(first["loc"][0]), "too few values" if first["type"] == "missing" else first["msg"]
        raise UsageError(f"{named(name)} {changes.get(name)}: {why[0].lower()}{why[1:]}.") from None
    if changed.scheme == "joint":
        unread = [name for name in changes if name in ALTERNATE_ONLY]
        if unread:
            raise UsageError(
                f"{named(unread[0])} means nothing with --scheme joint; add --scheme alternate or drop it."
            )
    if changed.csg_epochs > changed.period:
        raise UsageError(f"--csg-epochs {changed.csg_epochs} do not fit into --period {changed.period}.")
    return changed


def bound_of(gate_bound: str, n_classes: int, n_filters: int) -> float:
    """The bound g that `K`, `1.5K`, `0.1CK` or `128` stands for.

    Raises UsageError for other text, and for g < K: every filter belongs to a class, so ||G||_1 >= K (Sec. 3.2).
    """
    match = re.fullmatch(r"(\d*\.?\d*)\s*\*?\s*(C?\s*\*?\s*K)?", gate_bound.strip(), re.IGNORECASE)
    number, unit = match.groups() if match else ("", None)
    if not match or not (number or unit) or number == ".":
        raise UsageError(f"--gate-bound takes a number, or a multiple of K or CK (K, 1.5K, 0.1CK), not {gate_bound!r}.")
    per_unit = 1 if unit is None else n_filters * (n_classes if unit[0] in "cC" else 1)
    bound = float(number or 1) * per_unit
    if bound < n_filters * (1 - 1e-9):  # 0.1CK may round to just below K
        raise UsageError(
            f"--gate-bound {gate_bound} (here {bound:g}) is below K = {n_filters}, but every filter keeps one gate at "
            f"1 and the norm never falls under K; give at least K."
        )
    return bound
