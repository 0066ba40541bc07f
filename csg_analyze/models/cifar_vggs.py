"""VGGs with batch norm for 32x32 images as public repositories write them, under the names that their files use.

Five poolings leave 1x1 maps of 512 channels, so that the classifier sees 512 numbers instead of ImageNet's 25,088; the
repositories differ in what follows. Their convolutions are those of torchvision's `vgg11_bn` to `vgg19_bn`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from torch import Tensor, nn

from csg_analyze.models.cifar_resnets import initialise

CONVOLUTIONS: dict[int, tuple[int, ...]] = {
    11: (1, 1, 2, 2, 2),
    13: (2, 2, 2, 2, 2),
    16: (2, 2, 3, 3, 3),
    19: (2, 2, 4, 4, 4),
}
"""Depth -> how many convolutions stand before each pooling (Simonyan and Zisserman 2015, Table 1)."""
CHANNELS = (64, 128, 256, 512, 512)


def features(convolutions: Sequence[int]) -> nn.Sequential:
    """3x3 convolutions with bias, each with batch norm and ReLU; max pooling after each group."""
    layers: list[nn.Module] = []
    before = 3
    for number, channels in zip(convolutions, CHANNELS, strict=True):
        for _ in range(number):
            layers += [nn.Conv2d(before, channels, 3, padding=1), nn.BatchNorm2d(channels), nn.ReLU()]
            before = channels
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers)


def one_layer(n_classes: int) -> nn.Module:
    """As kuangliu/pytorch-cifar."""
    return nn.Linear(512, n_classes)


def three_layers(n_classes: int) -> nn.Module:
    """As chenyaofo/pytorch-cifar-models."""
    hidden = [nn.Linear(512, 512), nn.ReLU(), nn.Dropout(), nn.Linear(512, 512), nn.ReLU(), nn.Dropout()]
    return nn.Sequential(*hidden, nn.Linear(512, n_classes))


def three_layers_after_dropout(n_classes: int) -> nn.Module:
    """As chengyangfu/pytorch-vgg-cifar10."""
    hidden = [nn.Dropout(), nn.Linear(512, 512), nn.ReLU(), nn.Dropout(), nn.Linear(512, 512), nn.ReLU()]
    return nn.Sequential(*hidden, nn.Linear(512, n_classes))


def three_wide_layers(n_classes: int) -> nn.Module:
    """As weiaicunzai/pytorch-cifar100."""
    hidden = [nn.Linear(512, 4096), nn.ReLU(), nn.Dropout(), nn.Linear(4096, 4096), nn.ReLU()]
    return nn.Sequential(*hidden, nn.Linear(4096, n_classes))


class CifarVgg(nn.Module):
    """`features`, pooled, then `classifier`. classifier: from a number of classes to a module that takes (N, 512)."""

    def __init__(self, n_classes: int, *, convolutions: Sequence[int], classifier: Callable[[int], nn.Module]) -> None:
        super().__init__()
        self.features = features(convolutions)
        self.classifier = classifier(n_classes)
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) -> logits (N, C)."""
        logits: Tensor = self.classifier(self.features(x).mean((2, 3)))  # 1x1 maps if images are 32x32
        return logits


def cifar_vggs() -> dict[str, Callable[[int], nn.Module]]:
    """Name -> network of so many classes; the names' endings say whose files have these tensors."""
    classifiers = {
        "kuangliu": one_layer,
        "chenyaofo": three_layers,
        "chengyangfu": three_layers_after_dropout,
        "weiaicunzai": three_wide_layers,
    }
    return {
        f"vgg{depth}_bn-cifar-{author}": partial(CifarVgg, convolutions=convolutions, classifier=classifier)
        for depth, convolutions in CONVOLUTIONS.items()
        for author, classifier in classifiers.items()
    }
