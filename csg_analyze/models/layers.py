"""Which layer of a network gives the features, and which the logits: found by tracing one batch of noise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from csg_analyze.errors import UsageError, unknown
from csg_analyze.hooks import watched
from csg_analyze.models.heads import HeadInput, find_head, head_input, reads_class_token
from csg_analyze.models.layouts import Layout
from csg_analyze.models.tensors import first_tensor, with_first
from csg_analyze.models.tracing import Call, Trace, evaluating, is_convolution, noise, trace

LAST = 48
"""Of how many layers at most it is found out whether they reach the head; enough for the last two blocks."""


@dataclass(frozen=True)
class Layers:
    """The feature layer and the head of a network.

    layout: of the feature layer's output. turn, turns: which of its runs in a pass is meant, and how many there are.
    bare: whether its output is one tensor. head_input: what the head reads of it.
    """

    feature_layer: str
    head: str
    layout: Layout
    turn: int
    turns: int
    bare: bool
    head_input: HeadInput | None

    @property
    def n_filters(self) -> int:
        """K."""
        return self.layout.n_filters

    @property
    def plain(self) -> bool:
        """Whether the module's output is a map (N, K, h, w) itself, once a pass."""
        return self.layout.form == "maps" and self.turns == 1 and self.bare


NO_LAYERS = Layers("", "", Layout("maps", 0, (0, 0)), turn=0, turns=1, bare=True, head_input=None)
"""Those of a network that cannot be looked into."""


def find_layers(network: nn.Module, probe: Tensor) -> tuple[str, str]:
    """Names of the feature layer and of the head, see `examine`. probe: (N, 3, H, W) of a size that it takes."""
    layers = examine(network, probe.shape[2], probe.shape[3], device=probe.device)
    return layers.feature_layer, layers.head


def examine(
    network: nn.Module, height: int, width: int, *, layer: str | None = None, device: torch.device | str = "cpu"
) -> Layers:
    """The feature layer and the head of any network, by noise images (3, 3, H, W) in eval mode.

    The head is the layer that gives the logits. The feature layer is the last module before it that gives maps with
    channels and positions which reach the head's input, except pooling and dropout: the last stage of a ResNet,
    `features` of an AlexNet, the last norm of a network that averages its tokens. Where only a class token is read,
    it is the last layer of that shape whose other tokens reach the head: the first norm of a ViT's last block.
    layer: the feature layer to take instead. Raises UsageError if the network has no head or no maps, and for a layer
    that does not exist or has no channels and positions.
    """
    traced = trace(network, noise(height, width, device))
    head, whole = find_head(traced)
    token_of = None
    if layer is not None:
        features = _named(network, traced, layer)
    else:
        candidates = _candidates(network, traced, head)
        reached = _reaching(network, traced, head, candidates)
        features = reached[-1][0]
        if not reached[-1][1] and reads_class_token(traced, features, head):
            token_of = features
            features = _reached_as_maps(reached, features.shape)
    assert features.layout is not None
    return Layers(
        features.name,
        head.name,
        features.layout,
        features.turn,
        traced.turns(features.name),
        features.bare,
        head_input(traced, features, head, whole, token_of),
    )


def _named(network: nn.Module, traced: Trace, name: str) -> Call:
    modules = {path: module for path, module in network.named_modules() if path}
    if name not in modules:
        raise unknown("layer", name, modules)
    call = traced.last(name)
    if call is None or call.layout is None:
        examples = [each.name for each in traced.calls if each.layout is not None and each.layout.positions > 1][-3:]
        raise UsageError(
            f"layer {name!r} has no filters (its output is no map (N, K, h, w), nor tokens of a grid); choose one with "
            f"--layer, for example {', '.join(dict.fromkeys(examples))}."
        )
    return call


def _candidates(network: nn.Module, traced: Trace, head: Call) -> list[Call]:
    """Calls before the head with channels and positions, but for pooling and what gives its input as it is."""
    branch = _head_branch(network, head.name)

    def behind_pooling(call: Call) -> bool:
        assert call.layout is not None
        return call.layout.positions == 1 and (call.name == branch or call.name.startswith(branch + "."))

    found = [
        call
        for call in traced.calls
        if call.layout is not None
        and call.ended < head.begun
        and not (call.same or call.pooling or behind_pooling(call))
    ]
    if not found:
        raise UsageError("this network has no layer that gives maps (N, K, h, w); only CNNs can be analysed.")
    return found


def _reaching(network: nn.Module, traced: Trace, head: Call, candidates: Sequence[Call]) -> list[tuple[Call, bool]]:
    """The last candidates that reach the head's input, and whether their positions do, not only tokens beside them.

    All of them, where no gradient tells. By one pass with gradients from the first of these candidates on.
    """
    last = candidates[-LAST:]
    outputs = _gradients(network, traced, head, last)
    found = []
    for call, gradient in zip(last, outputs, strict=True):
        if gradient is not None and bool(gradient.any()):
            assert call.layout is not None
            found.append((call, bool(call.layout.maps(gradient).any())))
    return found or [(call, True) for call in last]


def _gradients(network: nn.Module, traced: Trace, head: Call, calls: Sequence[Call]) -> list[Tensor | None]:
    """Gradients of a random combination of the head's input with respect to the calls' outputs."""
    places = {(call.name, call.turn): place for place, call in enumerate(calls)}
    outputs: list[Tensor | None] = [None] * len(calls)
    turns: dict[str, int] = {}
    read: list[Tensor] = []

    def keep(name: str) -> Callable[[Any], Any]:
        def watch(output: Any) -> Any:
            turns[name] = turns.get(name, -1) + 1
            place = places.get((name, turns[name]))
            tensor = first_tensor(output)
            if place is None or tensor is None:
                return None
            # what goes on is a copy, so that only those count who read it behind this module, not inside it
            handed = tensor.clone() if tensor.requires_grad else tensor.detach().requires_grad_()
            outputs[place] = handed
            return with_first(output, handed.clone())  # another, as a later in-place ReLU would change it

        return watch

    def read_by(_module: nn.Module, inputs: Any, named: Any) -> None:
        tensor = first_tensor([*inputs, named])
        if tensor is not None:
            read.append(tensor)

    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    names = dict.fromkeys(call.name for call in calls)
    with ExitStack() as stack:
        stack.callback(lambda: [parameter.requires_grad_() for parameter in trained])
        for parameter in trained:  # the graph begins at the first of the calls
            parameter.requires_grad_(False)
        handle = head.module.register_forward_pre_hook(read_by, with_kwargs=True)
        stack.callback(handle.remove)
        stack.enter_context(watched((network.get_submodule(name), keep(name)) for name in names))
        stack.enter_context(evaluating(network))
        with torch.enable_grad():
            network(traced.images[:2])
            tensors = [output for output in outputs if output is not None]
            if not read or not tensors or not read[-1].requires_grad:
                return [None] * len(calls)
            weights = torch.randn(read[-1].shape, generator=torch.Generator().manual_seed(0))
            score = (read[-1] * weights.to(read[-1])).sum()
            gradients = iter(torch.autograd.grad(score, tensors, allow_unused=True))
    return [None if output is None else next(gradients) for output in outputs]


def _reached_as_maps(reached: Sequence[tuple[Call, bool]], shape: tuple[int, ...]) -> Call:
    """The last call whose positions reach the head: a norm of that shape, or any other of that shape if there is one.

    A block's norm comes before the layers inside its attention, which reach the head as well and may have other shapes.
    """
    any_shape = [call for call, positions in reached if positions]
    alike = [call for call in any_shape if call.shape == shape]
    norms = [call for call in alike if "Norm" in call.kind]
    return (norms or alike or any_shape or [reached[-1][0]])[-1]


def _head_branch(network: nn.Module, head: str) -> str:
    """The outermost module around the head without a convolution of its own: `classifier` of a ConvNeXt."""
    parts = head.split(".")
    for length in range(1, len(parts) + 1):
        branch = ".".join(parts[:length])
        inside = network.get_submodule(branch).named_modules(prefix=branch)
        if not any(is_convolution(module) and name != head for name, module in inside):
            return branch
    return head


class Executed(NamedTuple):
    """A module that ran, and the shape of its output."""

    name: str
    module: nn.Module
    shape: tuple[int, ...]


def execution_order(network: nn.Module, probe: Tensor) -> list[Executed]:
    """All modules that give a tensor, in the order in which they finish in one pass in eval mode.

    A module that runs twice is listed twice. The network keeps its mode and has no hooks afterwards.
    """
    order: list[Executed] = []

    def note(name: str, module: nn.Module) -> Callable[[object], None]:
        def append(output: object) -> None:
            tensor = first_tensor(output)
            if tensor is not None:
                order.append(Executed(name, module, tuple(tensor.shape)))

        return append

    modules = [(name, network.get_submodule(name)) for name, _ in network.named_modules() if name]
    with evaluating(network), torch.no_grad(), watched((module, note(name, module)) for name, module in modules):
        network(probe)
    return order
