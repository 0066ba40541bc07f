"""What an architecture's state dict looks like: names and shapes, without memory for weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from csg_analyze.models import build

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Skeleton:
    """Names and shapes of an architecture's state dict, for two classes.

    head: the tensors whose first dimension is the number of classes. floating: those that are no counts or indices.
    """

    shapes: Mapping[str, Shape]
    head: frozenset[str]
    floating: frozenset[str]

    @cached_property
    def parts(self) -> frozenset[str]:
        """The network's outermost modules and tensors."""
        return frozenset(name.partition(".")[0] for name in self.shapes)

    def takes(self, name: str, shape: Shape) -> bool:
        """Whether a tensor of that shape can be the network's tensor of that name."""
        return (
            shape[1:] == self.shapes[name][1:] and len(shape) > 0 if name in self.head else shape == self.shapes[name]
        )


def skeleton(architecture: str, options: Mapping[str, Any] | None = None) -> Skeleton:
    """The skeleton of an architecture that `build` knows, with options of it. Raises UsageError for an unknown one."""
    return skeleton_of(partial(build, architecture, **options)) if options else _plain(architecture)


@lru_cache(maxsize=256)
def _plain(architecture: str) -> Skeleton:
    return skeleton_of(partial(build, architecture))


def skeleton_of(make: Callable[[int], nn.Module]) -> Skeleton:
    """The skeleton of the networks that a function of the number of classes builds."""
    with torch.device("meta"), _NumbersOnTheCpu():
        two, three = (make(n_classes).state_dict() for n_classes in (2, 3))
    shapes = {name: tuple(tensor.shape) for name, tensor in two.items()}
    head = frozenset(name for name, tensor in three.items() if tuple(tensor.shape) != shapes[name])
    return Skeleton(shapes, head, frozenset(name for name, tensor in two.items() if tensor.is_floating_point()))


class _NumbersOnTheCpu(TorchFunctionMode):
    """Under `torch.device("meta")`: tensors made of given numbers keep them, as networks compute their widths so."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call the function, on the CPU if it makes such a tensor."""
        place = {"device": "cpu"} if func in (torch.arange, torch.linspace, torch.tensor) else {}
        return func(*args, **{**place, **(kwargs or {})})
