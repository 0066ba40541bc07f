"""The first tensor of what a module gives: a tensor, or a tuple, list, mapping or object that holds some."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from torch import Tensor


def first_tensor(output: object) -> Tensor | None:
    """The tensor itself, or the first one inside; None where there is none."""
    if isinstance(output, Tensor):
        return output
    return next((found for part in _parts(output) if (found := first_tensor(part)) is not None), None)


def with_first(output: Any, tensor: Tensor) -> Any:
    """The same with another first tensor; what holds it is copied, the rest is shared."""
    if isinstance(output, Tensor):
        return tensor
    if isinstance(output, tuple | list):
        place = next(place for place, part in enumerate(output) if first_tensor(part) is not None)
        parts = [*output[:place], with_first(output[place], tensor), *output[place + 1 :]]
        # a named tuple takes its fields one by one
        return type(output)(*parts) if hasattr(output, "_fields") else type(output)(parts)
    copied = copy.copy(output)
    if isinstance(output, Mapping):  # transformers' outputs are mappings and dataclasses; items set fields, too
        name = next(name for name, part in output.items() if first_tensor(part) is not None)
        copied[name] = with_first(output[name], tensor)
        return copied
    name = next(field.name for field in fields(output) if first_tensor(getattr(output, field.name)) is not None)
    object.__setattr__(copied, name, with_first(getattr(output, name), tensor))
    return copied


def _parts(output: object) -> list[object]:
    if isinstance(output, Mapping):
        return list(output.values())
    if isinstance(output, tuple | list):
        return list(output)
    if is_dataclass(output) and not isinstance(output, type):
        return [getattr(output, field.name) for field in fields(output)]
    return []
