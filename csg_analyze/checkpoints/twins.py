"""In what an STD training differs, besides the gate and its loss, from a CSG training or a control that is its twin."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from csg_analyze.checkpoints.origin import PATH_FIELDS, Origin


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
    return tuple(_of_control(csg.fields) if csg.training == "CONTROL" else _differences(std, csg.fields))


def _of_control(control: Mapping[str, Any]) -> Iterator[Difference]:
    """A control has its own head and the STD epochs of its CSG twin; in the others it rests, or trains that head."""
    gated, epochs = csg_epochs(control), control["epochs"]
    yield Difference("head", "as it was at the start", _words(control.get("head")))
    if control.get("head_norm") is not None:
        yield Difference("head_norm", "as it was at the start", _words(control["head_norm"]))
    yield Difference("STD epochs", _words(epochs), _words(epochs - gated))
    if control.get("head") == "dense":
        yield Difference("epochs of the head alone", "none", _words(gated))
        yield from _path_differences(control)


def _differences(std: Origin, csg: Mapping[str, Any]) -> Iterator[Difference]:
    gated = csg_epochs(csg)
    if not gated:
        return
    epochs: int = csg["epochs"]
    yield Difference("STD epochs", _words(epochs), _words(epochs - gated))
    yield Difference("CSG epochs", "none", _words(gated))
    yield from _path_differences(csg)
    trained, gated_trains = csg.get("std_trainable"), csg.get("csg_trainable")
    if std.head is None or not isinstance(trained, list) or not isinstance(gated_trains, list):
        return
    plainly = trains(trained, std.head)
    if plainly != (trains(gated_trains, std.head) or (plainly and epochs > gated)):
        yield Difference(f"the head {std.head}", *_told(plainly))


def _path_differences(recipe: Mapping[str, Any]) -> Iterator[Difference]:
    for field, instead in PATH_FIELDS.items():
        ours, theirs = recipe.get(field), recipe.get(instead)
        if ours is not None and ours != theirs:  # None: as STD; no layers: all of them
            yield Difference(field, _words(theirs), _words(ours))


def csg_epochs(recipe: Mapping[str, Any]) -> int:
    """How many epochs of a CSG training take the CSG path alone: none in the joint scheme, or where it is not told."""
    numbers = [recipe.get(name) for name in ("epochs", "warmup_epochs", "period", "csg_epochs")]
    epochs, warmup, period, each = (number if isinstance(number, int) else 0 for number in numbers)
    if recipe.get("scheme") != "alternate" or period < 1:
        return 0
    # the authors' way was the only one before there was a choice
    begins = 0 if recipe.get("csg_turn") == "first" else period - each

    def before(epoch: int) -> int:
        return epoch // period * each + min(max(epoch % period - begins, 0), each)

    return max(0, before(epochs) - before(warmup))


def trains(prefixes: list[str], layer: str) -> bool:
    """Whether a path that trains the layers under `prefixes` (none: all) trains this one."""
    return not prefixes or any(f"{layer}.".startswith(f"{prefix}.") for prefix in prefixes)


def _told(plainly: bool) -> tuple[str, str]:
    never = "not trained, as it was at the start"
    return ("trained", never) if plainly else (never, "trained in CSG epochs")


def _words(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_words, value)) or "all layers"
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
