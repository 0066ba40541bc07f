"""In what an STD training differs, besides the gate and its loss, from a CSG training or a control that is its twin."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

from csg_analyze.checkpoints.origin import Origin


class Difference(NamedTuple):
    """What differs, as a recipe calls it, and what it was in STD and in the other training, in words."""

    field: str
    std: str
    csg: str


def besides_the_gate(std: Origin, csg: Origin) -> tuple[Difference, ...]:
    """All that was not the same in the two trainings, the gate and its loss aside; nothing where nothing else was.

    Only what had an effect: fields that a training ignores do not differ, nor does a CSG field that says the same as
    the STD field in its place. In the joint scheme every step of CSG is also one of STD, with the same optimizer. A
    record without the fields of the recipe tells nothing.
    """
    return tuple(_of_control(csg) if csg.training == "CONTROL" else _of_csg(std, csg))


def _of_control(control: Origin) -> Iterator[Difference]:
    """A control has its own head and the STD epochs of its CSG twin; in the others it rests, or trains that head."""
    prescribed, epochs = control.values("control"), control.values("optimisation").get("epochs")
    gated = csg_epochs(epochs, control.values("turns"))
    yield Difference("head", "as it was at the start", _words(prescribed.get("head")))
    if prescribed.get("head_norm") is not None:
        yield Difference("head_norm", "as it was at the start", _words(prescribed["head_norm"]))
    if isinstance(epochs, int):
        yield Difference("STD epochs", _words(epochs), _words(epochs - gated))
    if prescribed.get("head") == "dense":
        yield Difference("epochs of the head alone", "none", _words(gated))
        yield from _of_path(control)


def _of_csg(std: Origin, csg: Origin) -> Iterator[Difference]:
    optimisation, csg_path = csg.values("optimisation"), csg.values("csg_path")
    epochs: Any = optimisation.get("epochs")
    gated = csg_epochs(epochs, csg.values("turns"))
    if not gated:
        return
    yield Difference("STD epochs", _words(epochs), _words(epochs - gated))
    yield Difference("CSG epochs", "none", _words(gated))
    yield from _of_path(csg)
    std_trains, csg_trains = optimisation.get("std_trainable"), csg_path.get("csg_trainable")
    if std.head is None or not isinstance(std_trains, list) or not isinstance(csg_trains, list):
        return
    std_trains_head = trains(std_trains, std.head)
    if std_trains_head != (trains(csg_trains, std.head) or (std_trains_head and epochs > gated)):
        yield Difference(f"the head {std.head}", *_training_of_head(std_trains_head))


def _of_path(training: Origin) -> Iterator[Difference]:
    """How CSG epochs train the network, its head above all, where that is not how all other epochs train it."""
    optimisation = training.values("optimisation")
    for field, in_csg_epochs in training.values("csg_path").items():
        elsewhere = optimisation.get(counterpart(field, optimisation))
        if in_csg_epochs is not None and in_csg_epochs != elsewhere:  # None: as STD; no layers: all of them
            yield Difference(field, _words(elsewhere), _words(in_csg_epochs))


def counterpart(field: str, optimisation: Collection[str]) -> str:
    """The field that other epochs read in place of one of the CSG path: lr for csg_lr; std_trainable, csg_trainable."""
    plain = field.removeprefix("csg_")
    return plain if plain in optimisation else f"std_{plain}"


def csg_epochs(epochs: Any, turns: Mapping[str, Any]) -> int:
    """How many epochs of a CSG training take the CSG path alone: none in the joint scheme, or where it is not told.

    epochs: all epochs of the training. turns: that group of its recipe.
    """
    numbers = [epochs, *(turns.get(name) for name in ("warmup_epochs", "period", "csg_epochs"))]
    epochs, warmup, period, each = (number if isinstance(number, int) else 0 for number in numbers)
    if turns.get("scheme") != "alternate" or period < 1:
        return 0
    # the authors' way was the only one before there was a choice
    first_in_period = 0 if turns.get("csg_turn") == "first" else period - each

    def before(epoch: int) -> int:
        return epoch // period * each + min(max(epoch % period - first_in_period, 0), each)

    return max(0, before(epochs) - before(warmup))


def trains(prefixes: list[str], layer: str) -> bool:
    """Whether a path that trains the layers under `prefixes` (none: all) trains this one."""
    return not prefixes or any(f"{layer}.".startswith(f"{prefix}.") for prefix in prefixes)


def _training_of_head(by_std: bool) -> tuple[str, str]:
    """What STD and CSG did to the head, which only one of them trained."""
    never = "not trained, as it was at the start"
    return ("trained", never) if by_std else (never, "trained in CSG epochs")


def _words(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_words, value)) or "all layers"
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
