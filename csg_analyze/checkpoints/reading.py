"""A checkpoint -> tensors and what is said of them: this project's own format, or a state dict in any wrapping."""

from __future__ import annotations

import numbers
from argparse import Namespace
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from csg_analyze.checkpoints.containers import Container, open_container
from csg_analyze.checkpoints.matching import AUTHORS_GATE
from csg_analyze.checkpoints.programs import Program
from csg_analyze.checkpoints.statements import said_in
from csg_analyze.checkpoints.unwrapping import default_prefix, dotted, outline, spelled, tensors_of
from csg_analyze.checkpoints.writing import FORMAT, VERSION
from csg_analyze.errors import UsageError

SETTINGS = ("config", "hyper_parameters", "args", "meta")
"""Where training programs keep their options in a checkpoint."""


@dataclass(frozen=True)
class Contents:
    """The content of a checkpoint.

    state_dict: the weights that are probably meant, under their own names. tensors: all there are, by place, for
    `best_match` to choose from. gate: (C, K), or None. about: plain values; those of other programs' files mean
    what their authors meant. own: whether this project wrote it. sha256: of the file, or of those of a folder.
    notes: remarks for a report. module: the whole network, if the file holds one, or its program. said: what a foreign
    file says of classes and pixels, by place (see `statements`). beside: settings in the same folder, by the name of
    their file.
    """

    state_dict: dict[str, Tensor]
    gate: Tensor | None = None
    about: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    tensors: Mapping[str, Tensor] = field(default_factory=dict)
    own: bool = False
    sha256: str = ""
    module: nn.Module | None = None
    said: Mapping[str, Any] = field(default_factory=dict)
    beside: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def read_contents(path: Path, *, allow_pickle: bool = False) -> Contents:
    """Read a file or folder: this project's own, or a state dict in any wrapping.

    Nothing in the file is executed unless `allow_pickle` is True. Raises UsageError for what `open_container` refuses,
    for a file without weights, and for one of this project's own whose values are not what they should be.
    """
    container = open_container(path, allow_pickle=allow_pickle)
    loaded = container.content
    if isinstance(loaded, Mapping) and loaded.get("format") == FORMAT:
        return _own(path, loaded, container)
    return _foreign(path, container)


def _foreign(path: Path, container: Container) -> Contents:
    program = container.content if isinstance(container.content, Program) else None
    places = tensors_of(container.content if program is None else program.network)
    if program is not None and not places:  # TorchScript with its weights frozen into the code
        return Contents({}, notes=container.notes, sha256=container.sha256, module=program)
    if not places:
        raise UsageError(f"{str(path)!r} holds no named weights; it holds {outline(container.content)}.")
    plain = {dotted(keys)[:-1]: tensor for keys, tensor in places.items()}
    tensors = {spelled(place): tensor for place, tensor in plain.items()}
    if len(tensors) < len(plain):  # two sets of weights would become one
        tensors = plain
    prefix = default_prefix(places)
    state_dict = {
        spelled(place.removeprefix(prefix)): tensor for place, tensor in plain.items() if place.startswith(prefix)
    }
    gate = state_dict.pop(AUTHORS_GATE, None)
    return Contents(
        state_dict,
        None if gate is None else gate.T.contiguous(),
        said_about(container.content, prefix),
        container.notes,
        tensors,
        sha256=container.sha256,
        module=_module_in(container.content),
        said=said_in(container.content),
        beside=container.beside,
    )


def _module_in(content: object) -> nn.Module | None:
    """The one module that a file holds, by itself or beside other things."""
    values = content.values() if isinstance(content, Mapping) else (content,)
    modules = [value for value in values if isinstance(value, nn.Module)]
    return modules[0] if len(modules) == 1 else None


def said_about(content: object, prefix: str) -> dict[str, Any]:
    """Plain values beside the weights, from the file's top down to them; first those of the training's settings."""
    about: dict[str, Any] = {}
    for key in (*prefix.split("."), ""):
        if not isinstance(content, Mapping):
            break
        for settings in SETTINGS:
            about |= _plain(content.get(settings))
        about |= _plain(content)
        content = content.get(key)
    return about


def _plain(content: object) -> dict[str, Any]:
    if isinstance(content, Namespace):
        content = vars(content)
    values = content.items() if isinstance(content, Mapping) else ()
    return {str(key): value for key, value in values if isinstance(value, str | int | float)}


_OWN_FIELDS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "state_dict": (
        lambda v: isinstance(v, Mapping) and all(isinstance(t, Tensor) for t in v.values()),
        "named tensors",
    ),
    "gate": (lambda v: v is None or (isinstance(v, Tensor) and v.ndim == 2), "a matrix of classes x filters"),
    "architecture": (lambda v: v is None or isinstance(v, str), "a name"),
    "class_names": (lambda v: v is None or _all(v, str), "a list of names"),
    "preprocessing": (lambda v: v is None or _is_preprocessing(v), "mean, std, size and resize"),
    "feature_layer": (lambda v: isinstance(v, str), "the name of a layer"),
    "data": (lambda v: v is None or isinstance(v, str), "a data spec"),
    "training": (lambda v: v is None or isinstance(v, str), "STD, CSG or CONTROL"),
    "record": (lambda v: isinstance(v, Mapping), "named values"),
}


def _own(path: Path, loaded: Mapping[str, Any], container: Container) -> Contents:
    version = loaded.get("version", 0)
    if isinstance(version, int) and version > VERSION:
        raise UsageError(f"{str(path)!r} was written by a newer csg-analyze; update this one to read it.")
    for name, (is_right, expected) in _OWN_FIELDS.items():
        if (name in loaded or name == "state_dict") and not is_right(loaded.get(name)):
            found = type(loaded.get(name)).__name__
            raise UsageError(
                f"{str(path)!r} says that csg-analyze wrote it, but its {name!r} is not {expected} (found {found}); "
                "save it again with csg_analyze.checkpoints.save_checkpoint."
            )
    weights = {str(name): tensor for name, tensor in loaded["state_dict"].items()}
    gate = loaded.get("gate")
    return Contents(weights, gate, loaded, container.notes, weights, own=True, sha256=container.sha256)


def _all(values: object, kind: type) -> bool:
    return isinstance(values, list | tuple) and all(isinstance(value, kind) for value in values)


def _is_preprocessing(value: object) -> bool:
    if not isinstance(value, Mapping) or not {"mean", "std"} <= value.keys():
        return False
    sizes = (value.get("size"), value.get("resize"))
    return (
        all(_all(value[name], numbers.Real) and len(value[name]) == 3 for name in ("mean", "std"))
        and min(value["std"]) > 0
        and all(size is None or (isinstance(size, int) and size > 0) for size in sizes)
        and value.get("channels") in (None, "rgb", "bgr")
    )
