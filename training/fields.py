"""The fields of a recipe, in groups; a field's type, bounds and help are written once, here.

Flags are made from these groups, a checkpoint records them as such, and who shares what is told by group: all
trainings read the network, the data and the optimisation, other groups belong to CSG or to a control. A new field needs
a place in a group, and a name that no other group has: its flag.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, ConfigDict, Field
from pydantic.dataclasses import dataclass

Head = Literal["random-blocks", "argmax-blocks", "scaled", "own", "dense"]
Optimizer = Literal["sgd", "adam", "adamw"]
Schedule = Literal["onecycle", "cosine", "step", "constant"]
Share = Annotated[float, Field(gt=0, lt=1)]
Unit = Annotated[float, Field(ge=0, le=1)]
Spread = Annotated[float, Field(gt=0, le=1)]

CONFIG = ConfigDict(extra="forbid", allow_inf_nan=False)


def _split(value: object) -> object:
    """`layer3,fc` as typed -> its parts."""
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


LISTED = BeforeValidator(_split)


@dataclass(frozen=True, config=CONFIG)
class Network:
    """Which network is trained."""

    arch: Annotated[str, Field(description="network, any name csg-analyze list shows")]
    layer: Annotated[str | None, Field(description="feature layer; none: the last whose maps reach the head")] = None


@dataclass(frozen=True, config=CONFIG)
class Data:
    """What is done to the images."""

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


@dataclass(frozen=True, config=CONFIG)
class Optimisation:
    """How the network is trained: STD epochs, and every epoch of the joint scheme."""

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


@dataclass(frozen=True, config=CONFIG)
class Evaluation:
    """What is measured on the way; no weight depends on it."""

    eval_every: Annotated[int, Field(ge=1, description="epochs between test accuracies; the last always")] = 1


@dataclass(frozen=True, config=CONFIG)
class ControlHead:
    """The head that a control is given; STD and CSG learn theirs."""

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


@dataclass(frozen=True, config=CONFIG)
class Turns:
    """Which epochs take the CSG path. In the alternate scheme it takes them from the STD path."""

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


@dataclass(frozen=True, config=CONFIG)
class Gate:
    """The gate and its loss."""

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


@dataclass(frozen=True, config=CONFIG)
class CsgPath:
    """How the CSG epochs of the alternate scheme train the network.

    csg_x stands in place of x, or of std_x, of `Optimisation`.
    """

    csg_optimizer: Annotated[Optimizer | None, Field(description="alternate: of the CSG path; none: as STD")] = None
    csg_lr: Annotated[float | None, Field(gt=0, description="alternate: of the CSG path; none: as STD")] = None
    csg_weight_decay: Annotated[float | None, Field(ge=0, description="alternate: of the CSG path")] = None
    csg_schedule: Annotated[Schedule | None, Field(description="alternate: of the CSG path; none: as STD")] = None
    csg_trainable: Annotated[
        tuple[str, ...], LISTED, Field(description="alternate: layers the CSG path trains, by prefix; empty: all")
    ] = ()
