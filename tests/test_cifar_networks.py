"""Networks of public repositories, against the sizes that these publish and the names in their files."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torchvision.models.vgg import cfgs, make_layers

from csg_analyze.checkpoints.skeletons import on_meta
from csg_analyze.models import build

PUBLISHED = {  # millions of parameters: (classes, number); README tables of the repositories
    **{
        f"resnet{depth}-cifar-weiaicunzai": (100, size)
        for depth, size in {18: 11.2, 34: 21.3, 50: 23.7, 101: 42.7, 152: 58.3}.items()
    },
    **{f"vgg{depth}_bn-cifar-weiaicunzai": (100, size) for depth, size in {11: 28.5, 13: 28.7, 16: 34.0}.items()},
    **{f"resnet{depth}-cifar-maxpool": (10, size) for depth, size in {18: 11.174, 34: 21.282, 50: 23.521}.items()},
    **{f"resnet{depth}-cifar": (10, size) for depth, size in {20: 0.27, 32: 0.47, 44: 0.66, 56: 0.86}.items()},
    **{
        f"vgg{depth}_bn-cifar-chenyaofo": (10, size)
        for depth, size in {11: 9.76, 13: 9.94, 16: 15.25, 19: 20.57}.items()
    },
    "resnet110": (10, 1.7),
    "resnet110-cifar": (10, 1.7),
    "resnet164-cifar": (10, 1.7),  # bearpaw's "ResNet-110", which has bottlenecks
}
NAMES = {
    "resnet18-cifar-kuangliu": {"conv1.weight", "layer2.0.shortcut.1.running_var", "linear.weight"},
    "resnet50-cifar-kuangliu": {"layer1.0.conv3.weight", "layer1.0.shortcut.0.weight", "layer4.2.bn3.weight"},
    "resnet18-cifar": {"bn1.weight", "layer2.0.downsample.0.weight", "layer2.0.downsample.1.bias", "fc.bias"},
    "resnet20-cifar": {"layer1.2.conv2.weight", "layer3.0.downsample.0.weight", "fc.weight"},
    "resnet20-option-b": {"layer2.0.shortcut.0.weight", "layer3.0.shortcut.1.bias", "linear.weight"},
    "resnet34-cifar-weiaicunzai": {
        "conv1.0.weight", "conv1.1.bias", "conv2_x.0.residual_function.0.weight", "conv5_x.2.residual_function.4.bias",
        "conv3_x.0.shortcut.0.weight", "fc.weight",
    },
    "vgg11_bn-cifar-kuangliu": {"features.0.bias", "features.26.running_mean", "classifier.weight"},
    "vgg13_bn-cifar-weiaicunzai": {"classifier.0.weight", "classifier.3.bias", "classifier.5.weight"},
    "vgg16_bn-cifar-chengyangfu": {"classifier.1.weight", "classifier.4.weight", "classifier.6.weight"},
    "vgg19_bn-cifar-chenyaofo": {"features.49.weight", "classifier.0.weight", "classifier.6.bias"},
}  # fmt: skip


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_number_of_parameters_is_as_published(name: str) -> None:
    n_classes, millions = PUBLISHED[name]
    with on_meta():
        network = build(name, n_classes)
    digits = len(str(millions).partition(".")[2])
    assert round(sum(parameter.numel() for parameter in network.parameters()) / 1e6, digits) == millions


@pytest.mark.parametrize("name", NAMES)
def test_names_are_those_of_the_public_files(name: str) -> None:
    with on_meta():
        assert set(build(name, 10).state_dict()) >= NAMES[name]


@pytest.mark.parametrize("name", ["resnet18-cifar", "resnet18-cifar-kuangliu", "resnet18-cifar-weiaicunzai"])
def test_wide_networks_are_torchvisions_with_another_stem(name: str) -> None:
    torch.manual_seed(0)
    ours, theirs = build(name, 7).eval(), build("resnet18", 7).eval()
    theirs.conv1, theirs.maxpool = nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.Identity()
    _copy(ours, theirs)
    pixels = torch.rand(2, 3, 32, 32)
    torch.testing.assert_close(ours(pixels), theirs(pixels), atol=1e-5, rtol=1e-5)


def test_bottlenecks_are_torchvisions_too() -> None:
    torch.manual_seed(0)
    ours, theirs = build("resnet50-cifar-maxpool", 7).eval(), build("resnet50", 7).eval()
    theirs.conv1 = nn.Conv2d(3, 64, 3, 1, 1, bias=False)
    _copy(ours, theirs)
    pixels = torch.rand(2, 3, 32, 32)
    torch.testing.assert_close(ours(pixels), theirs(pixels), atol=1e-5, rtol=1e-5)


def test_vggs_are_torchvisions_up_to_the_classifier() -> None:
    torch.manual_seed(0)
    ours, theirs = build("vgg11_bn-cifar-kuangliu", 7).eval(), make_layers(cfgs["A"], batch_norm=True).eval()
    theirs.load_state_dict(ours.features.state_dict())
    pixels = torch.rand(2, 3, 32, 32)
    expected = ours.classifier(theirs(pixels).flatten(1))
    torch.testing.assert_close(ours(pixels), expected, atol=1e-5, rtol=1e-5)


def test_in_caffes_style_the_first_convolution_of_a_block_has_the_stride() -> None:
    torch.manual_seed(0)
    ours, theirs = build("resnet50-caffe", 7).eval(), build("resnet50", 7).eval()
    ours.load_state_dict(theirs.state_dict())
    pixels = torch.rand(1, 3, 64, 64)
    assert not torch.allclose(ours(pixels), theirs(pixels), rtol=0.01)
    for stage in (theirs.layer2, theirs.layer3, theirs.layer4):
        stage[0].conv1.stride, stage[0].conv2.stride = (2, 2), (1, 1)
    torch.testing.assert_close(ours(pixels), theirs(pixels))


def _copy(ours: nn.Module, theirs: nn.Module) -> None:
    """Weights into a network that lists the same tensors in the same order, but for projections, which come last."""
    wanted, given = theirs.state_dict(), list(ours.state_dict().values())
    theirs.load_state_dict(dict(zip(wanted, given, strict=True)))
