"""Networks that no library ships, and one way to build any network by name.

CIFAR ResNets follow He et al. 2016, Sec. 4.2, with option-A shortcuts; their parameter names are those of the
public akamaster/pytorch_resnet_cifar10 files. Everything else comes from torchvision.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from csg_analyze.errors import UsageError, unknown
from csg_analyze.hooks import watched


class PaddedShortcut(nn.Module):
    """Option A of He et al. 2016: subsample, then fill the new channels with zeros; no parameters."""

    def __init__(self, stride: int, extra_channels: int) -> None:
        super().__init__()
        self.stride, self.extra_channels = stride, extra_channels

    def forward(self, x: Tensor) -> Tensor:
        """(N, c, h, w) -> (N, c + extra, h / stride, w / stride)."""
        before = self.extra_channels // 2
        padding = (0, 0, 0, 0, before, self.extra_channels - before)
        return F.pad(x[:, :, :: self.stride, :: self.stride], padding)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut; the last ReLU follows the sum."""

    def __init__(self, in_channels: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        same = stride == 1 and in_channels == channels
        self.shortcut = nn.Sequential() if same else PaddedShortcut(stride, channels - in_channels)

    def forward(self, x: Tensor) -> Tensor:
        """(N, c_in, h, w) -> (N, c_out, h / stride, w / stride)."""
        out = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(out)) + self.shortcut(x))


class CifarResNet(nn.Module):
    """ResNet of depth 6 * blocks + 2 for 32x32 images: 16, 32, 64 channels, average pooling, one linear layer."""

    def __init__(self, blocks: int, n_classes: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = self._stage(16, 16, blocks, stride=1)
        self.layer2 = self._stage(16, 32, blocks, stride=2)
        self.layer3 = self._stage(32, 64, blocks, stride=2)
        self.linear = nn.Linear(64, n_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight)

    @staticmethod
    def _stage(in_channels: int, channels: int, blocks: int, stride: int) -> nn.Sequential:
        first = BasicBlock(in_channels, channels, stride)
        return nn.Sequential(first, *(BasicBlock(channels, channels, 1) for _ in range(blocks - 1)))

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) -> logits (N, C)."""
        out = F.relu(self.bn1(self.conv1(x)))
        out = self.layer3(self.layer2(self.layer1(out)))
        return self.linear(out.mean((2, 3)))  # type: ignore[no-any-return]


class CifarAlexNet(nn.Module):
    """AlexNet for 32x32 images: its five convolutions with 256 filters in the last, 4x4 maps, one linear layer.

    Batch normalisation lets it train from scratch in few epochs; the three large linear layers of the original
    are one here, so that pooled activations reach the logits directly (as the paper's Fig. 3 draws it).
    """

    def __init__(self, n_classes: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for width, stride, pool in (
            (64, 2, True),
            (192, 1, True),
            (384, 1, False),
            (256, 1, False),
            (256, 1, False),
        ):
            layers += [nn.Conv2d(channels, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
            layers += [nn.MaxPool2d(2)] if pool else []
            channels = width
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Linear(channels, n_classes)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) -> logits (N, C)."""
        return self.classifier(self.features(x).mean((2, 3)))  # type: ignore[no-any-return]


NETWORKS: dict[str, Callable[[int], nn.Module]] = {
    "resnet8": partial(CifarResNet, 1),
    "resnet20": partial(CifarResNet, 3),
    "resnet32": partial(CifarResNet, 5),
    "resnet44": partial(CifarResNet, 7),
    "resnet56": partial(CifarResNet, 9),
    "alexnet": CifarAlexNet,
}
"""This project's own networks: from a number of classes to a freshly initialised network."""

TORCHVISION = "torchvision:"


def architectures() -> list[str]:
    """All names that `build` takes: the project's own networks, then torchvision's classification networks."""
    import torchvision.models
    from torchvision.models import list_models

    theirs = list_models(module=torchvision.models)
    return [*NETWORKS, *(name if name not in NETWORKS else TORCHVISION + name for name in theirs)]


def build(architecture: str, n_classes: int) -> nn.Module:
    """A freshly initialised network in train mode, drawing from torch's global generator.

    For a name of two networks (alexnet), `torchvision:NAME` is torchvision's, and NAME the project's own.
    Raises UsageError for an unknown name, suggesting the nearest, and for fewer than two classes.
    """
    if n_classes < 2:
        raise UsageError(f"a classifier needs at least 2 classes, not {n_classes}.")
    if architecture in NETWORKS:
        return NETWORKS[architecture](n_classes)
    if architecture not in architectures():
        raise unknown("architecture", architecture, architectures())
    from torchvision.models import get_model

    name = architecture.removeprefix(TORCHVISION)
    auxiliary = {"aux_logits": False, "init_weights": True} if name in ("googlenet", "inception_v3") else {}
    network: nn.Module = get_model(name, weights=None, num_classes=n_classes, **auxiliary)
    return network


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
