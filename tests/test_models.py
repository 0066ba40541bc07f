from __future__ import annotations

import pytest
import torch
from torch import nn

from csg_analyze.errors import UsageError
from csg_analyze.models import PaddedShortcut, architectures, build, find_layers


@pytest.mark.parametrize(("depth", "millions"), [(20, 0.27), (32, 0.46), (44, 0.66), (56, 0.85)])
def test_cifar_resnets_have_the_published_size(depth: int, millions: float) -> None:
    network = build(f"resnet{depth}", 10)
    assert round(sum(p.numel() for p in network.parameters()) / 1e6, 2) == millions  # He et al. 2016, Table 6
    convolutions = [m for m in network.modules() if isinstance(m, nn.Conv2d)]
    assert len(convolutions) + 1 == depth  # one linear layer


def test_parameter_names_are_those_of_the_public_files() -> None:
    names = set(build("resnet20", 10).state_dict())
    assert {"conv1.weight", "bn1.running_mean", "layer1.0.conv1.weight", "layer3.2.bn2.bias", "linear.weight"} <= names
    assert not any("shortcut" in name for name in names)  # option A has no parameters


def test_the_shortcut_pads_equally_on_both_sides() -> None:
    x = torch.rand(2, 4, 6, 6)
    out = PaddedShortcut(2, 4)(x)
    assert out.shape == (2, 8, 3, 3)
    assert torch.equal(out[:, 2:6], x[:, :, ::2, ::2])
    assert not out[:, :2].any()
    assert not out[:, 6:].any()


@pytest.mark.parametrize(
    ("architecture", "size", "layers"),
    [
        ("resnet8", 32, ("layer3", "linear")),
        ("alexnet", 32, ("features", "classifier")),
        ("resnet18", 64, ("layer4", "fc")),
        ("vgg11", 32, ("features", "classifier.6")),
        ("squeezenet1_1", 64, ("features", "classifier.1")),
        ("mobilenet_v3_small", 64, ("features", "classifier.3")),
        ("convnext_tiny", 64, ("features", "classifier.2")),
        ("densenet121", 64, ("features", "classifier")),
    ],
)
def test_layers_are_found_by_what_they_do(architecture: str, size: int, layers: tuple[str, str]) -> None:
    network = build(architecture, 3)
    assert find_layers(network, torch.zeros(1, 3, size, size)) == layers
    assert network.training  # left as it was
    assert not any(module._forward_hooks for module in network.modules())


def test_layers_of_a_flat_network() -> None:
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(8 * 9, 4))
    assert find_layers(network, torch.zeros(1, 3, 8, 8)) == ("1", "4")  # after the ReLU, before the pooling


def test_a_network_without_maps_is_refused() -> None:
    with pytest.raises(UsageError, match="no layer that gives maps"):
        find_layers(nn.Sequential(nn.Flatten(), nn.Linear(48, 4)), torch.zeros(1, 3, 4, 4))


def test_unknown_names_get_a_suggestion() -> None:
    with pytest.raises(UsageError, match="did you mean 'resnet56'"):
        build("resnet57", 10)
    with pytest.raises(UsageError, match="at least 2 classes"):
        build("resnet8", 1)
    assert {"resnet20", "alexnet", "torchvision:alexnet", "resnet18"} <= set(architectures())
