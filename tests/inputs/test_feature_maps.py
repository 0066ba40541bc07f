"""Feature maps of real networks, and the heads that make class activation maps of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from captum.attr import LayerGradCam
from torch import nn

from csg_analyze.checkpoints import Classifier
from csg_analyze.data import Dataset
from csg_analyze.errors import NotAvailable, UsageError
from csg_analyze.inputs import feature_maps as feature_maps_module
from csg_analyze.inputs.attribution import filter_gradients
from csg_analyze.inputs.blocks import to_pixels
from csg_analyze.inputs.cache import Cache
from csg_analyze.inputs.feature_maps import feature_maps
from csg_analyze.inputs.forward import forward_pass
from csg_analyze.metrics.attribution import FeatureMaps
from csg_analyze.progress import untracked
from tests.examples import random_classifier, random_dataset
from tests.inputs.torchvision_networks import torchvision_classifier


def features_of(classifier: Classifier, dataset: Dataset, batch_size: int = 256) -> FeatureMaps:
    once = forward_pass(classifier, dataset, frozenset(), Cache(None), untracked, batch_size=batch_size)
    return feature_maps(classifier, dataset, once, untracked)


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return random_classifier()


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return random_dataset(5)


def test_maps_are_those_of_the_layer_whatever_the_batches(classifier: Classifier, dataset: Dataset) -> None:
    features = features_of(classifier, dataset)
    output: list[torch.Tensor] = []
    handle = classifier.layer().register_forward_hook(lambda m, i, o: output.append(o.clone()))
    with torch.no_grad():
        logits = classifier.network(to_pixels(dataset.images[:], classifier.device))
    handle.remove()
    assert np.allclose(features.maps, output[0].numpy(), atol=1e-6)
    for batch_size in (1, 7, 64):
        assert features_of(classifier, dataset, batch_size).maps.tobytes() == features.maps.tobytes()
    few = dataset.subset(torch.tensor([4, 1]), note="few")
    assert features_of(classifier, few).maps.tobytes() == features.maps[[4, 1]].tobytes()
    assert features.weight is not None
    assert not features.rectified
    cam = features.class_activation(np.arange(5), np.arange(5))
    bias = classifier.network.network.linear.bias.numpy()  # type: ignore[union-attr]
    assert np.allclose(cam.mean(axis=(1, 2)) + bias[:5], logits.numpy()[np.arange(5), np.arange(5)], atol=1e-4)


def test_cam_is_captums_grad_cam_where_averaged_maps_meet_a_linear_head(
    classifier: Classifier, dataset: Dataset
) -> None:
    features = features_of(classifier, dataset)
    labels = np.array([3, 0, 9, 9, 1])
    cam = features.class_activation(np.arange(5), labels)
    pixels = to_pixels(dataset.images[:], classifier.device)
    grad_cam = LayerGradCam(classifier.network, classifier.layer()).attribute(pixels, torch.from_numpy(labels))
    height, width = cam.shape[1:]
    expected = height * width * grad_cam.detach().numpy()[:, 0]
    assert np.abs(cam - expected).max() < 1e-5 * np.abs(expected).max()


@pytest.mark.parametrize(("name", "rectified"), [("resnet18", False), ("densenet121", True)])
def test_networks_of_torchvision_with_maps_that_are_not_square(name: str, rectified: bool) -> None:
    classifier, dataset = torchvision_classifier(name, (64, 96))
    features = features_of(classifier, dataset)
    assert features.maps.shape == (2, classifier.n_filters, 2, 3)
    assert features.rectified == rectified
    cam = features.class_activation(np.arange(2), np.array([4, 4]))
    with torch.no_grad():
        logits = classifier.network(to_pixels(dataset.images[:], classifier.device)).numpy()
    bias = classifier.layer(classifier.head).bias
    assert isinstance(bias, nn.Parameter)
    assert np.allclose(cam.mean(axis=(1, 2)) + float(bias[4]), logits[:, 4], atol=1e-3 * np.abs(logits).max())
    gradients = filter_gradients(classifier, to_pixels(dataset.images[:1], classifier.device), [0, 1])
    assert gradients.shape == (1, 2, 64, 96)
    assert gradients.any()


def test_a_head_that_is_no_linear_function_of_averaged_maps() -> None:
    classifier, dataset = torchvision_classifier("squeezenet1_1", (64, 64))
    features = features_of(classifier, dataset)
    assert features.weight is None
    assert features.no_cam
    with pytest.raises(ValueError, match="no class activation maps"):
        features.class_activation(np.array([0]), np.array([0]))


def head_of(classifier: Classifier) -> nn.Linear:
    head = classifier.layer(classifier.head)
    assert isinstance(head, nn.Linear)
    return head


@pytest.mark.parametrize("bias", [0.0, 1.0])
def test_a_head_of_zeros_makes_no_class_maps(dataset: Dataset, bias: float) -> None:
    classifier = random_classifier()
    nn.init.zeros_(head_of(classifier).weight)
    nn.init.constant_(head_of(classifier).bias, bias)
    features = features_of(classifier, dataset)
    assert features.weight is None
    assert features.featureless
    assert features.no_cam == "all weights of the head are zero, as before any training"


def test_a_bias_does_not_hide_that_the_logits_are_no_function_of_the_maps(dataset: Dataset) -> None:
    """As a ViT whose head has next to no weights yet: what they add is far below a ten-thousandth of the bias."""
    classifier = random_classifier()
    bare = classifier.network.network
    head = head_of(classifier)
    with torch.no_grad():
        head.weight.mul_(1e-6)
        head.bias.fill_(1.0)
    squared = nn.Sequential(nn.Flatten(), Squares(), head)
    assert isinstance(bare, nn.Module)
    bare.linear = squared
    features = features_of(replace(classifier, head="linear.2"), dataset)
    assert features.weight is None
    assert "differ from a linear function of the averaged maps" in features.no_cam
    assert not features.featureless


class Squares(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.square()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_head_that_is_not_finite_makes_no_class_maps(dataset: Dataset, value: float) -> None:
    classifier = random_classifier()
    once = forward_pass(classifier, dataset, frozenset(), Cache(None), untracked)
    with torch.no_grad():
        head_of(classifier).weight[2, 5] = value
    with pytest.raises(UsageError, match="gives NaN or infinite logits"):
        features_of(classifier, dataset)
    features = feature_maps(classifier, dataset, once, untracked)
    assert features.weight is None
    assert "not finite" in features.no_cam


def test_maps_that_are_the_same_at_all_positions_make_no_class_maps(dataset: Dataset) -> None:
    classifier = random_classifier()
    layer = classifier.layer()
    handle = layer.register_forward_hook(lambda m, i, o: o.mean((2, 3), keepdim=True).expand_as(o).clone())
    features = features_of(classifier, dataset)
    handle.remove()
    assert features.weight is None
    assert features.featureless
    assert features.no_cam == "every map is the same at all of its positions"


def test_maps_of_a_single_position_show_no_place() -> None:
    classifier, dataset = torchvision_classifier("resnet18", (32, 32))
    with pytest.raises(NotAvailable, match="maps of a single position for images of 32x32 pixels"):
        features_of(classifier, dataset)


def test_many_maps_lie_in_a_file(classifier: Classifier, dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = features_of(classifier, dataset)
    monkeypatch.setattr(feature_maps_module, "memory_budget", lambda: 1000)
    features = features_of(classifier, dataset)
    assert isinstance(features.maps, np.memmap)
    assert np.array_equal(features.maps, expected.maps)
