"""One pass of a few noise images through a network: which modules run, in which order, and what they give."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from csg_analyze.errors import UsageError
from csg_analyze.models.layouts import Layout, layout_of
from csg_analyze.models.tensors import first_tensor

IMAGES = 3
"""Images of a trace: more than one, so that values which happen to agree are told from values that are the same."""
PASSIVE = (nn.Dropout, nn.Dropout2d, nn.Identity, nn.Flatten)
MEAN, RECTIFIED, MAXIMUM, ALL_TOKENS = "mean", "rectified mean", "maximum", "mean of all tokens"


@dataclass(frozen=True, eq=False)
class Call:
    """One run of a module in a pass.

    turn: how many runs of the module came before. begun, ended: places among all beginnings and ends. shape: of its
    first tensor. bare: whether its output is that tensor alone. same: whether it gives its input as it is. pooling:
    whether it takes neighbouring positions together, without weights. leaf: whether it holds no other modules. given,
    gives: (N, F), its input and output where they have no positions. layout: of an output with positions. pooled: that
    output taken together over its positions, (N, K), by the way: the mean, the mean of its positive part, the maximum,
    and the mean of all tokens. beside: the first tokens, (N, T', K).
    """

    name: str
    module: nn.Module
    turn: int
    begun: int
    ended: int
    shape: tuple[int, ...]
    bare: bool
    same: bool
    pooling: bool
    leaf: bool
    given: Tensor | None
    gives: Tensor | None
    layout: Layout | None
    pooled: Mapping[str, Tensor]
    beside: Tensor | None

    @property
    def kind(self) -> str:
        """The name of the module's class."""
        return kind_of(self.module)

    @property
    def text(self) -> str:
        """Its name and class, for people."""
        return f"{self.name} ({self.kind})"


@dataclass(frozen=True)
class Trace:
    """All calls in the order in which they ended, and the network's logits (N, C) for the images (N, 3, H, W)."""

    calls: tuple[Call, ...]
    logits: Tensor
    images: Tensor

    def turns(self, name: str) -> int:
        """How often the module of that name ran."""
        return sum(call.name == name for call in self.calls)

    def last(self, name: str) -> Call | None:
        """The last run of the module of that name."""
        return next((call for call in reversed(self.calls) if call.name == name), None)


def noise(height: int, width: int, device: torch.device | str = "cpu") -> Tensor:
    """The same images (3, 3, H, W) always: coarse and fine noise, which networks tell apart better than fine noise."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.randn(IMAGES, 3, 4, 4, generator=generator)
    smooth = F.interpolate(coarse, size=(height, width), mode="bilinear")
    return (smooth + 0.5 * torch.randn(smooth.shape, generator=generator)).to(device)


def kind_of(module: nn.Module) -> str:
    """The name of the module's class; in an exported network, of the class it was exported from."""
    exported = getattr(module, "_ty", None)
    return exported.rpartition(".")[2] if isinstance(exported, str) else type(module).__name__


def is_leaf(module: nn.Module) -> bool:
    """Whether no other modules are inside, those that compute its weights (parametrizations) aside."""
    return all(name == "parametrizations" for name, _ in module.named_children())


def is_convolution(module: nn.Module) -> bool:
    """Whether it is a two-dimensional convolution, in an exported network too."""
    return isinstance(module, nn.Conv2d) or kind_of(module) == "Conv2d"


def trace(network: nn.Module, images: Tensor) -> Trace:
    """Run the network in eval mode over images (N, 3, H, W) and note every module that gives a tensor.

    The network keeps its modes and has no hooks of ours afterwards. Raises UsageError if it gives no tensor.
    """
    recorder = _Recorder(len(images))
    with evaluating(network), torch.no_grad(), recorder.watching(network):
        logits = first_tensor(network(images))
    if logits is None:
        raise UsageError("the network gives no tensor; it must give logits (N, C).")
    return Trace(tuple(recorder.calls), logits.detach().float(), images)


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """While open, the network and all its modules are in eval mode; afterwards each in its own again."""
    modes = [(module, module.training) for module in network.modules()]
    try:
        network.eval()
        yield
    finally:
        for module, training in modes:
            module.training = training


@dataclass
class _Recorder:
    """Hooks that note calls. open: of modules that run at the moment, the place of the beginning and the input."""

    n_images: int
    calls: list[Call] = field(default_factory=list)
    clock: int = 0
    open: list[tuple[nn.Module, int, Tensor | None, int, Tensor | None]] = field(default_factory=list)
    turns: Counter[str] = field(default_factory=Counter)
    grids: list[tuple[int, int]] = field(default_factory=list)

    @contextmanager
    def watching(self, network: nn.Module) -> Iterator[None]:
        with ExitStack() as stack:
            for name, module in network.named_modules():
                if name:
                    stack.callback(module.register_forward_pre_hook(self._begin, with_kwargs=True).remove)
                    stack.callback(module.register_forward_hook(self._ending(name)).remove)
            yield

    def _begin(self, module: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any]) -> None:
        given = first_tensor([*inputs, named])
        vector = self._vector(given)
        self.open.append((module, self.clock, given, _version(given), vector))
        self.clock += 1

    def _ending(self, name: str) -> Any:
        def end(module: nn.Module, _: Any, output: Any) -> None:
            while self.open and self.open[-1][0] is not module:  # one that raised, and whose error was caught
                self.open.pop()
            _, begun, given, version, vector = self.open.pop()
            tensor = first_tensor(output)
            if tensor is not None and tensor.ndim > 0:
                self.calls.append(self._call(name, module, begun, output, tensor, given, version, vector))
                self.turns[name] += 1
            self.clock += 1

        return end

    def _call(
        self, name: str, module: nn.Module, begun: int, output: object, tensor: Tensor, given: Tensor | None,
        version: int, vector: Tensor | None,
    ) -> Call:  # fmt: skip
        ours = len(tensor) == self.n_images and tensor.is_floating_point()
        layout = layout_of(tensor, self.grids) if ours else None
        pooled, beside = ({}, None) if layout is None else _pooled(tensor, layout)
        if layout is not None and layout.form != "tokens" and layout.grid not in self.grids[:1]:
            self.grids.insert(0, layout.grid)
        return Call(
            name=name,
            module=module,
            turn=self.turns[name],
            begun=begun,
            ended=self.clock,
            shape=tuple(tensor.shape),
            bare=isinstance(output, Tensor),
            same=isinstance(module, PASSIVE) or _same(tensor, given, version),
            pooling="Pool" in kind_of(module) and next(module.parameters(), None) is None,
            leaf=is_leaf(module),
            given=vector,
            gives=self._vector(tensor),
            layout=layout,
            pooled=pooled,
            beside=beside,
        )

    def _vector(self, tensor: Tensor | None) -> Tensor | None:
        """(N, F) of a tensor without positions; None with positions."""
        if tensor is None or tensor.ndim not in (2, 4) or len(tensor) != self.n_images:
            return None
        without = tensor.ndim == 2 or sum(side > 1 for side in tensor.shape[1:]) <= 1
        return tensor.detach().flatten(1).float().clone() if without else None


def _pooled(tensor: Tensor, layout: Layout) -> tuple[dict[str, Tensor], Tensor | None]:
    maps = layout.maps(tensor.detach()).float()
    pooled = {MEAN: maps.mean((2, 3)), RECTIFIED: maps.clamp(min=0).mean((2, 3)), MAXIMUM: maps.amax((2, 3))}
    if layout.form != "tokens":
        return pooled, None
    if layout.beside:
        pooled[ALL_TOKENS] = tensor.detach().float().mean(1)
    return pooled, tensor.detach()[:, : layout.beside + 1].float().clone()


def _same(tensor: Tensor, given: Tensor | None, version: int) -> bool:
    """Whether a module gave its input as it is, perhaps in another shape."""
    if given is None or tensor.data_ptr() != given.data_ptr() or tensor.numel() != given.numel():
        return False
    return _version(given) == version and torch.equal(tensor.reshape(-1), given.reshape(-1))


def _version(tensor: Tensor | None) -> int:
    """How often a tensor was changed in place; -1 where torch does not count."""
    return -1 if tensor is None or tensor.is_inference() else tensor._version
