"""What an architecture's state dict looks like: names and shapes, without memory for weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from csg_analyze.models import build

Shape = tuple[int, ...]
_DRAWING = {
    "normal_", "uniform_", "trunc_normal_", "_no_grad_trunc_normal_", "kaiming_uniform_", "kaiming_normal_",
    "xavier_uniform_", "xavier_normal_",
}  # fmt: skip
_SETTING = {"fill_", "zero_", "constant_", "erfinv_", "mul_", "add_", "clamp_"}


@dataclass(frozen=True)
class Skeleton:
    """Names and shapes of an architecture's state dict, for two classes.

    head: the tensors whose first dimension is the number of classes. floating: those that are no counts or indices.
    """

    shapes: Mapping[str, Shape]
    head: frozenset[str]
    floating: frozenset[str]

    @classmethod
    def of(cls, network: nn.Module) -> Skeleton:
        """The skeleton of a network whose number of classes is settled."""
        state = {name: value for name, value in network.state_dict().items() if isinstance(value, Tensor)}
        shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
        return cls(shapes, frozenset(), frozenset(name for name, t in state.items() if t.is_floating_point()))

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
    with on_meta():
        two, three = (make(n_classes).state_dict() for n_classes in (2, 3))
    shapes = {name: tuple(tensor.shape) for name, tensor in two.items()}
    head = frozenset(name for name, tensor in three.items() if tuple(tensor.shape) != shapes[name])
    return Skeleton(shapes, head, frozenset(name for name, tensor in two.items() if tensor.is_floating_point()))


@contextmanager
def on_meta() -> Iterator[None]:
    """While open, networks are built without memory for their weights, and without the time to initialise them."""
    with torch.device("meta"), _NumbersOnTheCpu():
        yield


@contextmanager
def undrawn() -> Iterator[None]:
    """While open, networks are built with weights of any value, without the time to draw them."""
    with _Undrawn():
        yield


class _NumbersOnTheCpu(TorchFunctionMode):
    """Under `torch.device("meta")`: tensors made of given numbers keep them, as networks compute their widths so.

    Initial values are not set, which without memory would change nothing and take most of the time.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call the function, on the CPU if it makes such a tensor."""
        named = getattr(func, "__name__", "")
        if named in _DRAWING | _SETTING and args and isinstance(args[0], Tensor) and args[0].is_meta:
            return args[0]
        place = {"device": "cpu"} if func in (torch.arange, torch.linspace, torch.tensor) else {}
        return func(*args, **{**place, **(kwargs or {})})


class _Undrawn(TorchFunctionMode):
    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call the function, but if it fills a tensor with random numbers."""
        if getattr(func, "__name__", "") in _DRAWING and args and isinstance(args[0], Tensor):
            return args[0]
        return func(*args, **(kwargs or {}))
