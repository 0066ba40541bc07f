"""Small networks, one for each way from the maps to the head."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SIZE = 32


def seeded(make: Callable[[], nn.Module]) -> nn.Module:
    """The network with weights of seed 0, heads of zeros (as some libraries start with) drawn as well."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = make()
        for parameter in network.parameters():
            if not parameter.any():
                nn.init.normal_(parameter, std=0.1)
    return network.eval()


def stem(channels: int = 8) -> list[nn.Module]:
    """Two convolutions that give maps of 8x8 positions."""
    return [nn.Conv2d(3, 6, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(6, channels, 3, stride=2, padding=1)]


class Functional(nn.Module):
    """Maps, some function of them, and a linear head: what lies between is in no module."""

    def __init__(self, between: Callable[[Tensor], Tensor], n_features: int = 8) -> None:
        super().__init__()
        self.body, self.between, self.fc = nn.Sequential(*stem()), between, nn.Linear(n_features, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.between(self.body(x)))


class Shared(nn.Module):
    """One activation module for all layers; the last map that is pooled is that of its last run."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.act = nn.Conv2d(3, 8, 3, stride=2), nn.ReLU()
        self.second, self.fc = nn.Conv2d(8, 8, 3, stride=2), nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.act(self.second(self.act(self.first(x)))).mean((2, 3)))


class SharedInStages(nn.Module):
    """As Shared, in stages that run once each."""

    def __init__(self) -> None:
        super().__init__()
        act = nn.ReLU()
        self.one = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2), act)
        self.two, self.fc = nn.Sequential(nn.Conv2d(8, 8, 3, stride=2), act), nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.two(self.one(x)).mean((2, 3)))


class Decoy(nn.Module):
    """Runs a convolution last whose maps go nowhere, and pools inside a module that gives the maps as well."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.aside, self.fc = nn.Sequential(*stem()), nn.Conv2d(8, 8, 1), nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        maps = self.body(x)
        self.aside(maps)
        return self.fc(maps.mean((2, 3)))


class InATuple(nn.Module):
    """A body that gives its maps in a dictionary in a tuple."""

    class Body(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.Sequential(*stem())

        def forward(self, x: Tensor) -> Any:
            return None, {"maps": self.layers(x) * 2, "more": x}

    def __init__(self) -> None:
        super().__init__()
        self.body, self.fc = self.Body(), nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.body(x)[1]["maps"].mean((2, 3)))


class ChannelsLast(nn.Module):
    """Ends with a norm over channels last, as Swin does."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.norm, self.fc = nn.Sequential(*stem(10)), nn.LayerNorm(10), nn.Linear(10, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.norm(self.body(x).permute(0, 2, 3, 1)).mean((1, 2)))


class Mixer(nn.Module):
    """Tokens without a class token, made without a convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.mix, self.norm = nn.Linear(3 * 64, 12), nn.Linear(16, 16), nn.LayerNorm(12)
        self.fc = nn.Linear(12, 4)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.embed(F.unfold(x, 8, stride=8).mT)
        return self.fc(self.norm(tokens + self.mix(tokens.mT).mT).mean(1))


def vit() -> nn.Module:
    """torchvision's vision transformer, of two blocks: the head reads the class token."""
    from torchvision.models import VisionTransformer

    return VisionTransformer(SIZE, 8, 2, 2, 12, 24, num_classes=4)


def swin() -> nn.Module:
    """torchvision's Swin, of two small stages."""
    from torchvision.models import SwinTransformer

    return SwinTransformer([4, 4], 8, [1, 1], [2, 2], [2, 2], num_classes=4)


def norm_behind_pooling() -> nn.Module:
    """As ConvNeXt: pooling, norm and head in one branch."""
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LayerNorm(8), nn.Dropout(), nn.Linear(8, 4))
    return nn.Sequential(nn.Sequential(*stem(), nn.ReLU()), head)


def flattened() -> nn.Module:
    """As VGG: all positions go through linear layers."""
    classifier = nn.Sequential(nn.Linear(8 * 64, 10), nn.ReLU(), nn.Dropout(), nn.Linear(10, 4))
    return nn.Sequential(nn.Sequential(*stem(), nn.ReLU()), nn.Flatten(), classifier)


def convolutional_head() -> nn.Module:
    """As SqueezeNet: the head is a convolution, its output rectified and averaged."""
    head = nn.Sequential(nn.Dropout(), nn.Conv2d(8, 4, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1))
    return nn.Sequential(nn.Sequential(*stem(), nn.ReLU()), head, nn.Flatten())


mean = partial(Functional, lambda maps: maps.mean((2, 3)))
rectified = partial(Functional, lambda maps: F.relu(maps).mean((2, 3)))
maximum = partial(Functional, lambda maps: maps.amax((2, 3)))
power = partial(Functional, lambda maps: maps.clamp(min=1e-6).pow(3).mean((2, 3)).pow(1 / 3))
