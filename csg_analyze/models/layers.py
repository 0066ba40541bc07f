"""Which layer of a network gives the features, and which the logits: found by one forward pass."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from csg_analyze.errors import UsageError
from csg_analyze.hooks import watched


def find_layers(network: nn.Module, probe: Tensor) -> tuple[str, str]:
    """Names of the feature layer and of the head of any network, by one forward pass in eval mode.

    The head is the last linear layer (or, as in SqueezeNet, the last convolution of its branch). The feature layer
    is the last module before the head that gives maps (N, K, h, w), except pooling and dropout: the last stage of a
    ResNet, `features` of an AlexNet. probe: (N, 3, H, W), an input that the network takes.
    Raises UsageError if the network has no head or no maps.
    """
    order = execution_order(network, probe)
    head = _find_head(order)
    branch = _head_branch(network, head)
    for name, module, shape in reversed(order):
        holds_head = head == name or head.startswith(name + ".")
        in_branch = bool(branch) and (name == branch or name.startswith(branch + "."))
        passive = isinstance(module, nn.AdaptiveAvgPool2d | nn.AdaptiveMaxPool2d | nn.AvgPool2d | nn.MaxPool2d)
        passive = passive or isinstance(module, nn.Dropout | nn.Dropout2d | nn.Identity | nn.Flatten)
        if len(shape) == 4 and not (holds_head or in_branch or passive):
            return name, head
    raise UsageError("this network has no layer that gives maps (N, K, h, w); only CNNs can be analysed.")


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
            if isinstance(output, Tensor):
                order.append(Executed(name, module, tuple(output.shape)))

        return append

    modules = [(name, network.get_submodule(name)) for name, _ in network.named_modules() if name]
    was_training = network.training
    try:
        network.eval()
        with torch.no_grad(), watched((module, note(name, module)) for name, module in modules):
            network(probe)
    finally:
        network.train(was_training)
    return order


def _find_head(order: list[Executed]) -> str:
    linear = [name for name, module, _ in order if isinstance(module, nn.Linear)]
    convolutions = [name for name, module, _ in order if isinstance(module, nn.Conv2d)]
    if not linear and not convolutions:
        raise UsageError("this network has neither a linear layer nor a convolution; only CNNs can be analysed.")
    # squeeze-and-excitation blocks may hold linear layers: only one that comes after every convolution is a head
    names = [name for name, _, _ in order]
    if linear and (not convolutions or names.index(linear[-1]) > names.index(convolutions[-1])):
        return linear[-1]
    return convolutions[-1]


def _head_branch(network: nn.Module, head: str) -> str:
    """The outermost module around the head without a convolution of its own: `classifier` of a ConvNeXt."""
    parts = head.split(".")
    for length in range(1, len(parts) + 1):
        branch = ".".join(parts[:length])
        inside = network.get_submodule(branch).named_modules(prefix=branch)
        if not any(isinstance(module, nn.Conv2d) and name != head for name, module in inside):
            return branch
    return head
