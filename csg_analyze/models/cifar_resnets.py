"""ResNets for 32x32 images as public repositories write them, under the names that their files use.

All begin with a 3x3 convolution of stride 1. The wide ones (64 to 512 channels) are the ImageNet networks of He et al.
2016, Table 1, with that stem; the thin ones (16 to 64 channels) are those of Sec. 4.2 with projections as shortcuts
(option B).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import torch.nn.functional as F
from torch import Tensor, nn

WIDE: dict[int, tuple[bool, tuple[int, ...]]] = {
    18: (False, (2, 2, 2, 2)),
    34: (False, (3, 4, 6, 3)),
    50: (True, (3, 4, 6, 3)),
    101: (True, (3, 4, 23, 3)),
    152: (True, (3, 8, 36, 3)),
}
"""Depth -> whether its blocks are bottlenecks, and the number of blocks of each stage."""
THIN: dict[int, tuple[bool, tuple[int, ...]]] = {
    **{depth: (False, ((depth - 2) // 6,) * 3) for depth in (20, 32, 44, 56, 110)},
    164: (True, (18, 18, 18)),
}


def convolution(in_channels: int, channels: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    """A convolution without bias that keeps the size of its maps, up to the stride."""
    return nn.Conv2d(in_channels, channels, kernel, stride, kernel // 2, bias=False)


def projection(in_channels: int, channels: int, stride: int) -> nn.Sequential:
    """Option B of He et al. 2016: a 1x1 convolution and batch norm, or nothing where maps stay as they are."""
    if stride == 1 and in_channels == channels:
        return nn.Sequential()
    return nn.Sequential(convolution(in_channels, channels, 1, stride), nn.BatchNorm2d(channels))


class Block(nn.Module):
    """A basic block (3x3, 3x3) or a bottleneck (1x1, 3x3, 1x1) with numbered layers: conv1, bn1, conv2, ...

    shortcut: the name of its projection.
    """

    def __init__(self, in_channels: int, width: int, stride: int, *, bottleneck: bool, shortcut: str) -> None:
        super().__init__()
        channels = width * (4 if bottleneck else 1)
        layers = (
            [(in_channels, width, 1, 1), (width, width, 3, stride), (width, channels, 1, 1)]
            if bottleneck
            else [(in_channels, width, 3, stride), (width, width, 3, 1)]
        )
        self.depth = len(layers)
        for number, layer in enumerate(layers, start=1):
            self.add_module(f"conv{number}", convolution(*layer))
            self.add_module(f"bn{number}", nn.BatchNorm2d(layer[1]))
        self.shortcut_name = shortcut
        self.add_module(shortcut, projection(in_channels, channels, stride))

    def forward(self, x: Tensor) -> Tensor:
        """(N, c_in, h, w) -> (N, c_out, h / stride, w / stride)."""
        out = x
        for number in range(1, self.depth + 1):
            out = F.relu(out) if number > 1 else out
            out = self.get_submodule(f"bn{number}")(self.get_submodule(f"conv{number}")(out))
        return F.relu(out + self.get_submodule(self.shortcut_name)(x))


class StemResNet(nn.Module):
    """A ResNet with a 3x3 stem: conv1, bn1, layer1 to layer3 or layer4, and one linear layer.

    stages: the number of blocks of each. width: channels of the first. shortcut, head: names of the projections and of
    the linear layer. max_pool: whether the stem halves its maps.
    """

    def __init__(
        self,
        n_classes: int,
        *,
        bottleneck: bool,
        stages: Sequence[int],
        width: int = 64,
        shortcut: str = "downsample",
        head: str = "fc",
        max_pool: bool = False,
    ) -> None:
        super().__init__()
        self.conv1 = convolution(3, width, 3)
        self.bn1 = nn.BatchNorm2d(width)
        self.maxpool = nn.MaxPool2d(3, 2, 1) if max_pool else nn.Identity()
        channels = width
        self.stages = [f"layer{number}" for number in range(1, len(stages) + 1)]
        for number, (stage, n_blocks) in enumerate(zip(self.stages, stages, strict=True)):
            blocks = []
            for block in range(n_blocks):
                stride = 2 if number and not block else 1
                blocks.append(Block(channels, width, stride, bottleneck=bottleneck, shortcut=shortcut))
                channels = width * (4 if bottleneck else 1)
            self.add_module(stage, nn.Sequential(*blocks))
            width *= 2
        self.head = head
        self.add_module(head, nn.Linear(channels, n_classes))
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) -> logits (N, C)."""
        out = self.maxpool(F.relu(self.bn1(self.conv1(x))))
        for stage in self.stages:
            out = self.get_submodule(stage)(out)
        logits: Tensor = self.get_submodule(self.head)(out.mean((2, 3)))
        return logits


class ResidualFunction(nn.Module):
    """A block whose layers stand in one sequence, `residual_function`."""

    def __init__(self, in_channels: int, width: int, stride: int, *, bottleneck: bool) -> None:
        super().__init__()
        channels = width * (4 if bottleneck else 1)
        if bottleneck:
            layers = [convolution(in_channels, width, 1), nn.BatchNorm2d(width), nn.ReLU()]
            layers += [convolution(width, width, 3, stride), nn.BatchNorm2d(width), nn.ReLU()]
            layers += [convolution(width, channels, 1), nn.BatchNorm2d(channels)]
        else:
            layers = [convolution(in_channels, width, 3, stride), nn.BatchNorm2d(width), nn.ReLU()]
            layers += [convolution(width, width, 3), nn.BatchNorm2d(width)]
        self.residual_function = nn.Sequential(*layers)
        self.shortcut = projection(in_channels, channels, stride)

    def forward(self, x: Tensor) -> Tensor:
        """(N, c_in, h, w) -> (N, c_out, h / stride, w / stride)."""
        return F.relu(self.residual_function(x) + self.shortcut(x))


class StagedResNet(nn.Module):
    """A wide ResNet with a 3x3 stem in the names of weiaicunzai/pytorch-cifar100: conv1.0, conv2_x to conv5_x, fc."""

    def __init__(self, n_classes: int, *, bottleneck: bool, stages: Sequence[int]) -> None:
        super().__init__()
        self.conv1 = nn.Sequential(convolution(3, 64, 3), nn.BatchNorm2d(64), nn.ReLU())
        channels, width = 64, 64
        for number, n_blocks in enumerate(stages, start=2):
            blocks = []
            for block in range(n_blocks):
                stride = 2 if number > 2 and not block else 1
                blocks.append(ResidualFunction(channels, width, stride, bottleneck=bottleneck))
                channels = width * (4 if bottleneck else 1)
            self.add_module(f"conv{number}_x", nn.Sequential(*blocks))
            width *= 2
        self.fc = nn.Linear(channels, n_classes)
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) -> logits (N, C)."""
        out = self.conv1(x)
        for number in range(2, 6):
            out = self.get_submodule(f"conv{number}_x")(out)
        logits: Tensor = self.fc(out.mean((2, 3)))
        return logits


def initialise(network: nn.Module) -> None:
    """He et al. 2015 for convolutions; the rest stays as torch initialises it."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")


def cifar_resnets() -> dict[str, Callable[[int], nn.Module]]:
    """Name -> network of so many classes. The names' endings say whose files have these tensors.

    `-cifar`: names as torchvision's (SimCLR, solo-learn; for the thin ones chenyaofo and bearpaw); `-cifar-maxpool`:
    the same with max pooling after the stem (huyvnphan); `-cifar-kuangliu`: with `shortcut` and `linear`, which the
    thin ones have in akamaster's files of option B, `-option-b`; `-cifar-weiaicunzai`: with `residual_function`.
    """
    networks: dict[str, Callable[[int], nn.Module]] = {}
    other = {"shortcut": "shortcut", "head": "linear"}
    for depth, (bottleneck, stages) in WIDE.items():
        name = f"resnet{depth}-cifar"
        wide = partial(StemResNet, bottleneck=bottleneck, stages=stages)
        networks |= {name: wide, f"{name}-maxpool": partial(wide, max_pool=True)}
        networks[f"{name}-kuangliu"] = partial(wide, **other)
        networks[f"{name}-weiaicunzai"] = partial(StagedResNet, bottleneck=bottleneck, stages=stages)
    for depth, (bottleneck, stages) in THIN.items():
        thin = partial(StemResNet, bottleneck=bottleneck, stages=stages, width=16)
        networks[f"resnet{depth}-cifar"] = thin
        if not bottleneck:
            networks[f"resnet{depth}-option-b"] = partial(thin, **other)
    return networks
