"""Gradients of filters and captum's methods on real networks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from captum.attr import IntegratedGradients, LayerGradCam, NeuronGradient

from csg_analyze.checkpoints import Classifier, PixelNetwork, Preprocessing
from csg_analyze.data import Dataset
from csg_analyze.errors import UsageError
from csg_analyze.inputs.attribution import NetworkAttribution, attribution, captum_gradients, filter_gradients
from csg_analyze.inputs.blocks import to_pixels
from csg_analyze.progress import untracked
from tests.examples import random_classifier, random_dataset
from tests.inputs.torchvision_networks import torchvision_classifier


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return random_classifier()


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return random_dataset(5)


@pytest.mark.parametrize("architecture", ["resnet8", "alexnet"])
def test_gradients_are_captums(architecture: str, dataset: Dataset) -> None:
    classifier = random_classifier(architecture)
    pixels = to_pixels(dataset.images[:], classifier.device)
    filters = [5, 0, 17]
    lengths = filter_gradients(classifier, pixels, filters)
    neuron: Any = NeuronGradient(classifier.network, classifier.layer())
    for place, k in enumerate(filters):
        gradient = neuron.attribute(pixels.clone().requires_grad_(), lambda output, k=k: output[:, k].mean((1, 2)))
        expected = gradient.square().sum(1).sqrt()
        assert torch.allclose(lengths[:, place], expected, atol=1e-7, rtol=1e-4)
    assert torch.allclose(captum_gradients(classifier, pixels, filters), lengths, atol=1e-7, rtol=1e-4)
    assert not pixels.requires_grad


def test_gradients_come_block_by_block_for_every_images_own_filters(classifier: Classifier, dataset: Dataset) -> None:
    filters = np.array([[1, 2], [3, 4], [1, 2], [3, 4], [1, 2]])
    images = np.array([4, 3, 2, 1, 0])
    lengths = np.full((5, 2, 32, 32), np.nan)
    network = attribution(classifier, dataset, untracked, images_at_once=2)
    for places, maps in network.gradients(images, filters):
        lengths[places] = maps
    for i in range(5):
        pixels = to_pixels(dataset.images[images[i] : images[i] + 1], classifier.device)
        assert np.allclose(lengths[i], filter_gradients(classifier, pixels, filters[i].tolist())[0], atol=1e-6)
    assert "one forward pass an image" in network.gradient_origin
    captums = attribution(classifier, dataset, untracked, backend="captum")
    assert "NeuronGradient" in captums.gradient_origin
    for places, maps in captums.gradients(images, filters):
        assert np.allclose(lengths[places], maps, atol=1e-6)
    with pytest.raises(UsageError, match="--images-at-once must be at least 1"):
        attribution(classifier, dataset, untracked, images_at_once=0)


@pytest.mark.parametrize("backend", ["single-pass", "captum"])
def test_no_bit_of_a_gradient_depends_on_the_images_beside(classifier: Classifier, backend: Any) -> None:
    dataset = random_dataset(40)
    filters = np.random.default_rng(0).integers(0, 64, (40, 2))
    labels = np.arange(40) % 10

    def maps(images: np.ndarray, images_at_once: int) -> list[bytes]:
        network = attribution(classifier, dataset, untracked, backend=backend, images_at_once=images_at_once)
        pieces = [*network.gradients(images, filters[images]), *network.of_class("Saliency", images, labels[images])]
        return [lengths.tobytes() for _, block in pieces for lengths in block]

    everything = maps(np.arange(40), 256)
    for images_at_once in (1, 7, 64):
        assert maps(np.arange(40), images_at_once) == everything
    assert maps(np.array([39, 5]), 256) == [everything[i] for i in (39, 5, 79, 45)]


@pytest.mark.parametrize("gradients", [filter_gradients, captum_gradients])
def test_gradients_by_the_normalised_input_are_those_of_the_network_without_normalization(
    gradients: Any, dataset: Dataset
) -> None:
    """With colours of unequal deviations the two differ by more than a factor."""
    plain = random_classifier()
    uneven = Preprocessing((0.4, 0.5, 0.6), (0.1, 0.25, 0.6))
    bare = plain.network.network
    classifier = replace(plain, network=PixelNetwork(bare, uneven).eval(), preprocessing=uneven)
    pixels = to_pixels(dataset.images[:], classifier.device)
    lengths = gradients(classifier, pixels, [3, 8], normalized=True)
    inputs = ((pixels - classifier.network.mean) / classifier.network.std).requires_grad_()
    neuron: Any = NeuronGradient(bare, bare.get_submodule(plain.feature_layer))
    for place, k in enumerate((3, 8)):
        gradient = neuron.attribute(inputs, lambda output, k=k: output[:, k].mean((1, 2)))
        assert torch.allclose(lengths[:, place], gradient.square().sum(1).sqrt(), atol=1e-7, rtol=1e-4)
    somewhere = lengths > 0
    ratio = gradients(classifier, pixels, [3, 8])[somewhere] / lengths[somewhere]
    assert ratio.std() > 0.1 * ratio.mean()


def test_captums_methods_by_name(classifier: Classifier, dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("csg_analyze.inputs.blocks.block_size", lambda *_: 2)  # some methods take their time
    network = attribution(classifier, dataset, untracked, images_at_once=2)
    images, labels = np.array([0, 3, 4]), np.array([1, 1, 7])
    pixels = to_pixels(dataset.images[torch.from_numpy(images)], classifier.device)

    def maps(name: str) -> np.ndarray:
        pieces = dict(enumerate(network.of_class(name, images, labels)))
        assert np.concatenate([places for places, _ in pieces.values()]).tolist() == [0, 1, 2]
        return np.concatenate([piece for _, piece in pieces.values()])

    integrated = IntegratedGradients(classifier.network).attribute(pixels, target=torch.from_numpy(labels))
    assert np.allclose(maps("IntegratedGradients"), integrated.square().sum(1).sqrt().detach().numpy(), atol=1e-5)
    grad_cam = LayerGradCam(classifier.network, classifier.layer()).attribute(pixels, torch.from_numpy(labels))
    assert np.allclose(maps("LayerGradCam"), grad_cam.clamp(min=0)[:, 0].detach().numpy(), atol=1e-6)
    for name in ("Saliency", "InputXGradient", "Occlusion", "FeatureAblation"):
        assert maps(name).shape == (3, 32, 32)
        assert (maps(name) >= 0).all()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("IntegratedGradient", "unknown method of captum 'IntegratedGradient'; did you mean 'IntegratedGradients'"),
        ("GradientShap", "draws from global random generators"),
        ("GuidedBackprop", "changing nn.ReLU modules, and this network has none"),
        ("NeuronGradient", "needs neuron_selector"),
    ],
)
def test_captums_methods_that_cannot_be_had(classifier: Classifier, dataset: Dataset, name: str, words: str) -> None:
    network = attribution(classifier, dataset, untracked)
    with pytest.raises(UsageError, match=words):
        next(iter(network.of_class(name, np.array([0]), np.array([0]))))


def test_what_captum_cannot_do_is_said_in_one_sentence() -> None:
    classifier, dataset = torchvision_classifier("resnet18", (64, 64))
    network = NetworkAttribution(classifier, dataset, untracked, "single-pass", 1)
    with pytest.raises(UsageError, match="captum's DeepLift cannot be used on this network"):
        list(network.of_class("DeepLift", np.array([0]), np.array([0])))
