"""Feature maps, gradients and captum's methods on real networks; the objects of a dataset."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from captum.attr import IntegratedGradients, LayerGradCam, NeuronGradient
from torch import nn

from csg_analyze.checkpoints import Classifier, PixelNetwork, Preprocessing
from csg_analyze.data import Dataset
from csg_analyze.data.scenes import make_scenes
from csg_analyze.errors import NotAvailable, UsageError
from csg_analyze.inputs import feature_maps as feature_maps_module
from csg_analyze.inputs import pictures
from csg_analyze.inputs.attribution import NetworkAttribution, attribution, captum_gradients, filter_gradients
from csg_analyze.inputs.blocks import to_pixels
from csg_analyze.inputs.cache import Cache
from csg_analyze.inputs.feature_maps import feature_maps
from csg_analyze.inputs.forward import forward_pass
from csg_analyze.inputs.objects import objects
from csg_analyze.metrics.attribution import FeatureMaps
from csg_analyze.models import build, find_layers
from csg_analyze.progress import untracked
from tests.examples import HALF, random_classifier, random_dataset


def features_of(classifier: Classifier, dataset: Dataset, batch_size: int = 256) -> FeatureMaps:
    once = forward_pass(classifier, dataset, frozenset(), Cache(None), untracked, batch_size=batch_size)
    return feature_maps(classifier, dataset, once, untracked)


def torchvision_classifier(name: str, size: tuple[int, int]) -> tuple[Classifier, Dataset]:
    """An untrained network of torchvision and two noise images of (height, width)."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        bare = build(name, 10)
    height, width = size
    feature_layer, head = find_layers(bare, torch.zeros(2, 3, height, width))
    network = PixelNetwork(bare, HALF).eval().requires_grad_(False)
    plain = random_classifier()
    with torch.no_grad():
        output: list[torch.Tensor] = []
        handle = bare.get_submodule(feature_layer).register_forward_hook(lambda m, i, o: output.append(o))
        network(torch.zeros(2, 3, height, width))
        handle.remove()
    images = torch.randint(0, 256, (2, 3, height, width), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    dataset = replace(random_dataset(2), images=images, fingerprint=f"{name}{size}")
    classifier = replace(
        plain, network=network, architecture=name, feature_layer=feature_layer, head=head, n_filters=output[0].shape[1]
    )
    return classifier, dataset


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return random_classifier()


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return random_dataset(5)


def test_maps_are_those_of_the_layer_whatever_the_batches(classifier: Classifier, dataset: Dataset) -> None:
    found = features_of(classifier, dataset)
    output: list[torch.Tensor] = []
    handle = classifier.layer().register_forward_hook(lambda m, i, o: output.append(o.clone()))
    with torch.no_grad():
        logits = classifier.network(to_pixels(dataset.images[:], classifier.device))
    handle.remove()
    assert np.allclose(found.maps, output[0].numpy(), atol=1e-6)
    for batch_size in (1, 7, 64):
        assert features_of(classifier, dataset, batch_size).maps.tobytes() == found.maps.tobytes()
    few = dataset.subset(torch.tensor([4, 1]), note="few")
    assert features_of(classifier, few).maps.tobytes() == found.maps[[4, 1]].tobytes()
    assert found.weight is not None
    assert not found.rectified
    cam = found.class_activation(np.arange(5), np.arange(5))
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


@pytest.mark.parametrize("architecture", ["resnet8", "alexnet"])
def test_gradients_are_captums(architecture: str, dataset: Dataset) -> None:
    classifier = random_classifier(architecture)
    pixels = to_pixels(dataset.images[:], classifier.device)
    filters = [5, 0, 17]
    found = filter_gradients(classifier, pixels, filters)
    neuron: Any = NeuronGradient(classifier.network, classifier.layer())
    for place, k in enumerate(filters):
        gradient = neuron.attribute(pixels.clone().requires_grad_(), lambda output, k=k: output[:, k].mean((1, 2)))
        expected = gradient.square().sum(1).sqrt()
        assert torch.allclose(found[:, place], expected, atol=1e-7, rtol=1e-4)
    assert torch.allclose(captum_gradients(classifier, pixels, filters), found, atol=1e-7, rtol=1e-4)
    assert not pixels.requires_grad


def test_gradients_come_block_by_block_for_every_images_own_filters(classifier: Classifier, dataset: Dataset) -> None:
    filters = np.array([[1, 2], [3, 4], [1, 2], [3, 4], [1, 2]])
    images = np.array([4, 3, 2, 1, 0])
    found = np.full((5, 2, 32, 32), np.nan)
    network = attribution(classifier, dataset, untracked, images_at_once=2)
    for places, maps in network.gradients(images, filters):
        found[places] = maps
    for i in range(5):
        pixels = to_pixels(dataset.images[images[i] : images[i] + 1], classifier.device)
        assert np.allclose(found[i], filter_gradients(classifier, pixels, filters[i].tolist())[0], atol=1e-6)
    assert "one forward pass an image" in network.gradient_origin
    captums = attribution(classifier, dataset, untracked, backend="captum")
    assert "NeuronGradient" in captums.gradient_origin
    for places, maps in captums.gradients(images, filters):
        assert np.allclose(found[places], maps, atol=1e-6)
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
        return [found.tobytes() for _, block in pieces for found in block]

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
    found = gradients(classifier, pixels, [3, 8], normalized=True)
    inputs = ((pixels - classifier.network.mean) / classifier.network.std).requires_grad_()
    neuron: Any = NeuronGradient(bare, bare.get_submodule(plain.feature_layer))
    for place, k in enumerate((3, 8)):
        gradient = neuron.attribute(inputs, lambda output, k=k: output[:, k].mean((1, 2)))
        assert torch.allclose(found[:, place], gradient.square().sum(1).sqrt(), atol=1e-7, rtol=1e-4)
    somewhere = found > 0
    ratio = gradients(classifier, pixels, [3, 8])[somewhere] / found[somewhere]
    assert ratio.std() > 0.1 * ratio.mean()


def test_captums_methods_by_name(classifier: Classifier, dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("csg_analyze.inputs.blocks.block_size", lambda *_: 2)  # some methods take their time
    network = attribution(classifier, dataset, untracked, images_at_once=2)
    images, labels = np.array([0, 3, 4]), np.array([1, 1, 7])
    pixels = to_pixels(dataset.images[torch.from_numpy(images)], classifier.device)

    def maps(name: str) -> np.ndarray:
        found = dict(enumerate(network.of_class(name, images, labels)))
        assert np.concatenate([places for places, _ in found.values()]).tolist() == [0, 1, 2]
        return np.concatenate([piece for _, piece in found.values()])

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
    found = features_of(classifier, dataset)
    assert isinstance(found.maps, np.memmap)
    assert np.array_equal(found.maps, expected.maps)


def test_pictures_are_the_images(dataset: Dataset) -> None:
    found = pictures(dataset)(np.array([3, 1]))
    assert np.array_equal(found[1], dataset.images[:][1].permute(1, 2, 0).numpy())


def test_objects_are_masks_where_all_images_have_one() -> None:
    scenes = make_scenes("test", n=12)
    assert scenes.masks is not None
    found = objects(scenes)
    assert found.kind == "masks"
    assert found.usable.all()
    assert len(set(found.groups.tolist())) == 12
    region, counted = found.regions(np.array([5, 2]))
    assert np.array_equal(region, scenes.masks[[5, 2]].numpy())
    assert counted.all()
    boxes = objects(scenes, annotations="boxes")
    assert boxes.kind == "boxes"
    x0, y0, x1, y1 = (int(value) for value in scenes.boxes[4, 0])  # type: ignore[index]
    region, _ = boxes.regions(np.array([4]))
    assert region[0, y0:y1, x0:x1].all()
    assert region.sum() == (y1 - y0) * (x1 - x0)


def test_images_without_an_object_are_left_out_and_counted() -> None:
    scenes = make_scenes("test", n=12)
    assert scenes.masks is not None
    assert scenes.boxes is not None
    ignored = torch.zeros_like(scenes.masks)
    ignored[3] = True
    ignored[4, :2] = True
    masks, boxes = scenes.masks.clone(), scenes.boxes.clone()
    masks[[7, 8]] = False
    boxes[0] = torch.nan
    some = replace(scenes, masks=masks, ignored=ignored, boxes=boxes, left_out=("1 image without an annotation (x)",))
    # one image has no mask: so that all are compared with the same, boxes
    auto = objects(some)
    assert auto.kind == "boxes"
    assert np.flatnonzero(~auto.usable).tolist() == [0]
    assert auto.left_out == (
        "1 image without an annotation (x)",
        f"1 image without a box inside the image ({scenes.sample_ids[0]})",
    )
    found = objects(some, annotations="masks")
    assert np.flatnonzero(~found.usable).tolist() == [3, 7, 8]
    assert found.left_out[1:] == (
        f"1 image without a mask ({scenes.sample_ids[3]})",
        f"2 images with an empty mask ({scenes.sample_ids[7]}, {scenes.sample_ids[8]})",
    )
    _, counted = found.regions(np.array([4]))
    assert not counted[0, :2].any()
    assert counted[0, 2:].all()


def test_images_cut_from_one_picture_are_one_group() -> None:
    scenes = replace(make_scenes("test", n=4), sources=("a", "b", "a", "c"))
    groups = objects(scenes).groups
    assert groups[0] == groups[2]
    assert len(set(groups.tolist())) == 3


def test_data_without_objects(dataset: Dataset) -> None:
    with pytest.raises(NotAvailable, match="noise has neither masks nor boxes"):
        objects(dataset)
    scenes = make_scenes("test", n=3)
    with pytest.raises(UsageError, match="scenes has no masks; leave --annotations at auto"):
        objects(replace(scenes, masks=None), annotations="masks")
    assert scenes.boxes is not None
    with pytest.raises(NotAvailable, match="no image of scenes has an object to compare with"):
        objects(replace(scenes, masks=None, boxes=torch.full_like(scenes.boxes, torch.nan)))
