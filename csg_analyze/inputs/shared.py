"""Protection of the arrays, tensors and networks that analyzers share: read-only flags, and undoing of changes."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import is_dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from csg_analyze.errors import Overwritten

PARTS = ("_parameters", "_buffers", "_modules", "_forward_hooks", "_forward_pre_hooks")
"""Attributes of a module that determine its output, besides its mode."""

Thing: TypeAlias = np.ndarray | Tensor | nn.Module | dict[Any, Any]

Undo = Callable[[], bool]
"""Undoes changes of one shared object, and returns whether there were any."""


def read_only(value: Any) -> Any:
    """The value with all its NumPy arrays (also in dataclasses, mappings and sequences) marked read-only."""
    for thing in _things(value, set()):
        if isinstance(thing, np.ndarray):
            thing.flags.writeable = False
    return value


@contextmanager
def guarded(who: str, shared: Sequence[object]) -> Iterator[None]:
    """While a plugin's code runs, and afterwards undo its changes to the arrays, tensors and networks in `shared`.

    NumPy's read-only flag does not protect tensors, networks and results of torch.from_numpy; these are compared with
    copies. Arrays in files are too large for copies and have the flag alone. Raises Overwritten, naming `who`, if the
    code wrote or tried to.
    """
    undos = [_keep(thing) for thing in _things(shared, set())]
    try:
        yield
    except ValueError as error:
        if "read-only" not in str(error):
            raise
        raise Overwritten(_sentence(who, "tried to write into")) from error
    finally:
        changed = [undo() for undo in undos]
    if any(changed):
        raise Overwritten(_sentence(who, "changed"))


def _sentence(who: str, did: str) -> str:
    return f"{who} {did} what all analyzers share; let it work on copies (array.copy(), tensor.clone(), copy.deepcopy)"


def _things(value: object, seen: set[int]) -> Iterator[Thing]:
    """All arrays, tensors, modules and dicts that can be reached from a value, without repetitions."""
    if id(value) in seen or isinstance(value, str | bytes | type):
        return
    seen.add(id(value))
    inner: list[object] = []
    if isinstance(value, np.ndarray | Tensor):
        yield value
    elif isinstance(value, nn.Module):
        yield value
        inner = [getattr(value, name) for name in PARTS]
    elif isinstance(value, Mapping):
        if isinstance(value, dict):
            yield value
        inner = list(value.values())
    elif isinstance(value, list | tuple | set | frozenset):
        inner = list(value)
    elif is_dataclass(value):
        inner = list(vars(value).values()) if hasattr(value, "__dict__") else []
    for part in inner:
        yield from _things(part, seen)


def _keep(thing: Thing) -> Undo:
    if isinstance(thing, nn.Module):
        return _keep_mode(thing)
    if isinstance(thing, dict):
        return _keep_entries(thing)
    if isinstance(thing, Tensor):
        return _keep_tensor(thing)
    in_a_file_or_of_objects = isinstance(thing, np.memmap) or thing.dtype.kind not in "biufc"
    return (lambda: False) if in_a_file_or_of_objects else _keep_array(thing)


def _keep_array(array: np.ndarray) -> Undo:
    copy = array.copy()

    def undo() -> bool:
        if array.tobytes() == copy.tobytes():
            return False
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns that the array is read-only
            torch.from_numpy(array).copy_(torch.from_numpy(copy))
        return True

    return undo


def _keep_tensor(tensor: Tensor) -> Undo:
    copy = tensor.detach().clone()

    def undo() -> bool:
        now = tensor.detach()
        alike = (now.shape, now.dtype, now.device) == (copy.shape, copy.dtype, copy.device)
        if alike and torch.equal(_bits(now), _bits(copy)):
            return False
        if alike:
            now.copy_(copy)  # in place: other tensors may share the memory
        else:
            tensor.data = copy
        return True

    return undo


def _bits(tensor: Tensor) -> Tensor:
    # as bits, NaN equals itself
    return tensor.contiguous().reshape(-1).view(torch.uint8)


def _keep_mode(module: nn.Module) -> Undo:
    training = module.training

    def undo() -> bool:
        changed = module.training != training
        module.training = training
        return changed

    return undo


def _keep_entries(entries: dict[Any, Any]) -> Undo:
    copy = entries.copy()

    def undo() -> bool:
        if [*entries] == [*copy] and all(entries[key] is copy[key] for key in copy):
            return False
        entries.clear()
        entries.update(copy)
        return True

    return undo
