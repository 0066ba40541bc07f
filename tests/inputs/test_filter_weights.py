from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from csg_analyze.checkpoints import Classifier, PixelNetwork
from csg_analyze.errors import NotAvailable, UsageError
from csg_analyze.inputs.filters import filter_weights, fixed_gate, matches_features
from csg_analyze.metrics.arrays import FloatArray
from tests.examples import HALF, random_classifier, random_gate


def classifier_of(network: nn.Module, feature_layer: str, n_filters: int) -> Classifier:
    pixels = PixelNetwork(network, HALF).eval().requires_grad_(False)
    return Classifier("x", Path("x.pt"), "0", "own", pixels, HALF, feature_layer, "head", 10, n_filters)


def fixed(owned: int, shared: int) -> FloatArray:
    gate = np.concatenate([np.repeat(np.eye(10), owned, axis=1), np.ones((10, shared))], axis=1)
    return gate[:, np.random.default_rng(0).permutation(gate.shape[1])]


@pytest.mark.parametrize(
    ("architecture", "layer", "shape"),
    [("resnet20", "layer3.2.conv2", (64, 576)), ("resnet8", "layer3.0.conv2", (64, 576)),
     ("alexnet", "features.14", (256, 2304))],
)  # fmt: skip
def test_the_convolution_that_makes_the_features(architecture: str, layer: str, shape: tuple[int, int]) -> None:
    classifier = random_classifier(architecture)
    compared = filter_weights(classifier)
    assert compared.layer == layer
    assert compared.weights.shape == shape
    assert compared.matches
    kernel = classifier.convolutions()[layer].weight
    for k in (0, 7, 63):
        flat = [value for channel in kernel[k].tolist() for row in channel for value in row]
        np.testing.assert_array_equal(compared.weights[k], flat)


def test_any_convolution_can_be_chosen() -> None:
    classifier = random_classifier("resnet20")
    compared = filter_weights(classifier, weights_layer="layer1.0.conv1")
    assert (compared.layer, compared.weights.shape, compared.matches) == ("layer1.0.conv1", (16, 144), False)
    # a convolution that is the feature layer itself is the one
    chosen = replace(classifier, feature_layer="layer2.1.conv1", n_filters=32)
    compared = filter_weights(chosen)
    assert (compared.layer, compared.weights.shape, compared.matches) == ("layer2.1.conv1", (32, 288), True)
    # a stage in the middle: what runs after it does not count
    compared = filter_weights(replace(classifier, feature_layer="layer2", n_filters=32))
    assert (compared.layer, compared.matches) == ("layer2.2.conv2", True)


def test_as_many_filters_as_channels_are_not_yet_the_channels_filters() -> None:
    classifier = random_classifier("resnet20")
    for layer, matches in (("layer3.2.conv2", True), ("layer3.2.conv1", False), ("layer3.1.conv2", False)):
        compared = filter_weights(classifier, weights_layer=layer)
        assert (len(compared.weights), compared.matches) == (64, matches), layer


class Shuffled(nn.Module):
    """Its features are the filters' maps in another order, or mixed."""

    def __init__(self, mixing: Tensor) -> None:
        super().__init__()
        self.conv, self.relu, self.head = nn.Conv2d(3, 6, 3), nn.ReLU(), nn.Linear(6, 10)
        self.mix = nn.Conv2d(6, 6, 1, bias=False)
        self.mix.weight = nn.Parameter(mixing[:, :, None, None])
        self.features = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        maps = torch.einsum("oi,nihw->nohw", self.mix.weight[:, :, 0, 0], self.relu(self.conv(x)))
        return self.head(self.features(maps).mean((2, 3)))  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("mixing", "matches"),
    [
        (torch.eye(6), True),
        (-torch.eye(6), True),
        (torch.eye(6).roll(1, 0), False),
        (torch.ones(6, 6), False),
        (torch.zeros(6, 6), False),
    ],
)
def test_filters_that_make_other_channels_are_found_out(mixing: Tensor, matches: bool) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        classifier = classifier_of(Shuffled(mixing), "features", 6)
    assert matches_features(classifier, classifier.convolutions()["conv"]) is matches


class Concatenated(nn.Module):
    """No convolution has as many filters as the features have channels; and the last defined runs first."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right, self.first = nn.Conv2d(8, 4, 1), nn.Conv2d(8, 2, 3, padding=1), nn.Conv2d(3, 8, 3)
        self.after = nn.Conv2d(6, 6, 1)
        self.features, self.head = nn.Identity(), nn.Linear(6, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        maps = self.features(torch.cat([self.left(x), self.right(x)], dim=1))
        return self.head(self.after(maps).mean((2, 3)))  # type: ignore[no-any-return]


def test_without_a_fitting_one_the_last_that_runs_is_taken() -> None:
    compared = filter_weights(classifier_of(Concatenated(), "features", 6))
    assert (compared.layer, compared.weights.shape, compared.matches) == ("right", (2, 72), False)


def test_a_grouped_convolution_has_its_own_groups_weights() -> None:
    network = nn.Sequential()
    network.add_module("conv", nn.Conv2d(3, 9, 5, groups=3))
    network.add_module("pool", nn.AdaptiveAvgPool2d(1))
    network.add_module("flat", nn.Flatten())
    network.add_module("head", nn.Linear(9, 10))
    compared = filter_weights(classifier_of(network, "conv", 9))
    assert compared.weights.shape == (9, 25)
    assert compared.matches


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        ("layer3.0.conv9", "unknown layer with filters 'layer3.0.conv9'; did you mean 'layer3.0.conv"),
        ("zzz", "unknown layer with filters 'zzz'; known: conv1, layer1.0.conv1"),
        ("layer3", "'layer3' is no convolution .* --weights-layer: layer3.0.conv1, layer3.0.conv2.$"),
        ("layer2.0.bn1", "'layer2.0.bn1' is no convolution .* --weights-layer: layer2.0.conv1, layer2.0.conv2.$"),
        ("linear", "'linear' is no convolution .* --weights-layer: conv1, layer1.0.conv1, .*layer3.0.conv2.$"),
    ],
)
def test_a_layer_without_filters_lists_the_candidates(layer: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        filter_weights(random_classifier(), weights_layer=layer)


def test_a_feature_layer_before_every_convolution_lists_the_candidates() -> None:
    network = Concatenated()
    network.add_module("input", nn.Identity())
    forward = network.forward
    network.forward = lambda x: forward(network.get_submodule("input")(x))  # type: ignore[method-assign]
    with pytest.raises(UsageError, match=r"no convolution runs before layer 'input'; .*left, right, first, after\."):
        filter_weights(classifier_of(network, "input", 3))


def test_the_network_is_left_as_it_was() -> None:
    classifier = random_classifier()
    before = {name: value.clone() for name, value in classifier.network.state_dict().items()}
    filter_weights(classifier).weights[:] = 0
    assert all(torch.equal(before[name], value) for name, value in classifier.network.state_dict().items())
    assert not any(module._forward_hooks for module in classifier.network.modules())
    assert not classifier.network.training


@pytest.mark.parametrize(
    ("gate", "record", "sizes"),
    [
        (fixed(6, 4), {}, (6, 4)),
        (fixed(5, 14), {"recipe": {"fixed_gate": [5, 14]}}, (5, 14)),
        (None, {"recipe": {"fixed_gate": (6, 4)}}, (6, 4)),  # the STD twin of a fixed gate
        (fixed(6, 4), {"recipe": {"fixed_gate": (9, 9)}}, (6, 4)),  # a record that does not fit
        (fixed(6, 4), {"recipe": "by hand"}, (6, 4)),
    ],
)
def test_the_sizes_of_a_fixed_gate(gate: FloatArray | None, record: Mapping[str, Any], sizes: tuple[int, int]) -> None:
    assert fixed_gate(replace(random_classifier(gate=gate), record=record)) == sizes


def test_a_learned_gate_has_no_such_sizes() -> None:
    for classifier in (random_classifier(gate=random_gate(10, 64)), random_classifier()):
        with pytest.raises(NotAvailable, match="not fixed"):
            fixed_gate(classifier)
