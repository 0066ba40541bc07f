from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from csg_analyze.checkpoints import Classifier, PixelNetwork
from csg_analyze.errors import UsageError
from csg_analyze.inputs.ablation import NetworkAblation, ablation
from csg_analyze.inputs.cache import Cache
from csg_analyze.inputs.forward import ForwardPass, forward_pass
from csg_analyze.metrics.ablation import Ablation, CachedAblation
from csg_analyze.metrics.arrays import BoolArray, FloatArray
from csg_analyze.progress import untracked
from tests.examples import HALF, random_classifier, random_dataset

DATA = random_dataset(19)


def run(classifier: Classifier, batch_size: int = 8) -> ForwardPass:
    return forward_pass(classifier, DATA, frozenset(), Cache(None), untracked, batch_size=batch_size)


def way(classifier: Classifier, ablate: Any = "auto", batch_size: int = 8) -> Ablation:
    return ablation(classifier, DATA, run(classifier, batch_size), untracked, ablate=ablate)


def masks(classifier: Classifier, m: int = 5) -> BoolArray:
    keeps: BoolArray = np.random.default_rng(0).random((m, classifier.n_filters)) > 0.4
    keeps[0] = True
    return keeps


def by_hand(classifier: Classifier, keeps: BoolArray) -> FloatArray:
    """The plainest way: a forward pass a mask over all images, the layer's output multiplied. (M, N, C)."""
    logits = []
    for keep in keeps:
        mask = torch.from_numpy(keep).float().view(1, -1, 1, 1)
        handle = classifier.layer().register_forward_hook(lambda _m, _i, output, mask=mask: output * mask)
        with torch.no_grad():
            logits.append(classifier.network(DATA.images[:].float() / 255).numpy())
        handle.remove()
    return np.stack(logits)


def with_head(head: nn.Module, feature_layer: str = "features") -> Classifier:
    """A small network of 12 filters with any head, as VGG builds them."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        features = nn.Sequential(nn.Conv2d(3, 12, 5, 4), nn.BatchNorm2d(12), nn.ReLU(inplace=True))
        network = nn.Sequential()
        network.add_module("features", features)
        network.add_module("head", head)
        for module in network.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight)
    last = [name for name, module in network.named_modules() if isinstance(module, nn.Linear)][-1]
    pixel = PixelNetwork(network, HALF).eval().requires_grad_(False)
    return replace(random_classifier(), network=pixel, feature_layer=feature_layer, head=last, n_filters=12)


def vgg_head() -> nn.Module:
    return nn.Sequential(
        nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(48, 20), nn.ReLU(inplace=True), nn.Dropout(), nn.Linear(20, 10)
    )


def pooled_head(*between: nn.Module) -> nn.Module:
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), *between, nn.Linear(12, 10))


@pytest.mark.parametrize("make", [random_classifier, lambda: with_head(pooled_head(nn.Dropout()))])
def test_both_ways_agree_with_masking_by_hand(make: Any) -> None:
    classifier = make()
    keeps = masks(classifier)
    expected = by_hand(classifier, keeps)
    which = np.arange(19) % 4  # the last mask is nobody's
    for ablate, kind in (("auto", CachedAblation), ("cached", CachedAblation), ("network", NetworkAblation)):
        ablated = way(classifier, ablate)
        assert isinstance(ablated, kind)
        np.testing.assert_allclose(ablated.logits(keeps[1]), expected[1], rtol=1e-4, atol=1e-4)
        np.testing.assert_array_equal(ablated.predictions(keeps), expected.argmax(-1))
        each = ablated.predictions_each(keeps, which)
        np.testing.assert_array_equal(each, [expected[which[i], i].argmax() for i in range(19)])
    assert len(np.unique(expected.argmax(-1))) > 1


@pytest.mark.parametrize("batch_size", [1, 3, 8, 64])
def test_a_nonlinear_head_goes_through_the_network(batch_size: int) -> None:
    classifier = with_head(vgg_head())
    ablated = way(classifier, batch_size=batch_size)
    assert isinstance(ablated, NetworkAblation)
    assert ablated.joint
    assert ablated.images_at_once == batch_size
    keeps = masks(classifier, 70)  # more than go on together
    expected = by_hand(classifier, keeps)
    np.testing.assert_allclose(ablated.logits(keeps[2]), expected[2], rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(ablated.predictions(keeps), expected.argmax(-1))
    with pytest.raises(UsageError, match="--ablate cached cannot be used, no layer takes the pooled"):
        way(classifier, "cached")


class Doubled(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return 2 * x


@pytest.mark.parametrize("between", [nn.LayerNorm(12), nn.Tanh(), Doubled()])
def test_a_head_of_the_right_shape_is_not_trusted(between: nn.Module) -> None:
    classifier = with_head(pooled_head(between))
    ablated = way(classifier)
    assert isinstance(ablated, NetworkAblation)
    assert "differ" in ablated.origin
    keeps = masks(classifier)
    np.testing.assert_array_equal(ablated.predictions(keeps), by_hand(classifier, keeps).argmax(-1))
    with pytest.raises(UsageError, match=r"--ablate cached cannot be used, the logits differ .* leave it at auto"):
        way(classifier, "cached")


def test_a_relu_behind_the_feature_layer_counts_where_it_changes_something() -> None:
    """The layer is the batch normalisation here, whose output a later in-place ReLU overwrites."""
    classifier = with_head(pooled_head(), feature_layer="features.1")
    ablated = way(classifier)
    assert isinstance(ablated, NetworkAblation)
    keeps = masks(classifier)
    np.testing.assert_array_equal(ablated.predictions(keeps), by_hand(classifier, keeps).argmax(-1))
    assert isinstance(way(with_head(pooled_head(), feature_layer="features")), CachedAblation)


def test_a_connection_around_the_layer_takes_one_pass_a_mask() -> None:
    classifier = replace(random_classifier(), feature_layer="layer3.0.conv2")
    ablated = way(classifier)
    assert isinstance(ablated, NetworkAblation)
    assert not ablated.joint
    keeps = masks(classifier, 3)
    expected = by_hand(classifier, keeps)
    np.testing.assert_array_equal(ablated.predictions(keeps), expected.argmax(-1))
    which = np.arange(19) % 3
    each = ablated.predictions_each(keeps, which)
    np.testing.assert_array_equal(each, [expected[which[i], i].argmax() for i in range(19)])


@pytest.mark.parametrize(("joint", "images"), [(True, 32), (False, 5 * 32)])  # 19 images fill a block of 32
def test_many_masks_share_the_layers_before(joint: bool, images: int) -> None:
    classifier = with_head(vgg_head())
    ablated = way(classifier)
    assert isinstance(ablated, NetworkAblation)
    seen: list[int] = []
    handle = classifier.layer("features.0").register_forward_hook(lambda _m, _i, output: seen.append(len(output)))
    replace(ablated, joint=joint).predictions(masks(classifier))
    handle.remove()
    assert sum(seen) == images


def test_no_bit_depends_on_the_batch_size_or_the_other_images() -> None:
    """Neither masked in the network nor on cached activations; 3 images of 19 stand in other places."""
    chosen = [18, 0, 7]
    few = DATA.subset(torch.tensor(chosen), note="few")
    for classifier in (with_head(vgg_head()), replace(random_classifier(), feature_layer="layer3.0.conv2")):
        ablated = way(classifier, batch_size=1)
        assert isinstance(ablated, NetworkAblation)
        keeps, which = masks(classifier, 3), np.arange(19) % 3
        alone = replace(ablated, dataset=few)
        for images_at_once in (7, 64, 256):
            other = replace(ablated, images_at_once=images_at_once)
            assert other.logits(keeps[1]).tobytes() == ablated.logits(keeps[1]).tobytes()
            np.testing.assert_array_equal(other.predictions_each(keeps, which), ablated.predictions_each(keeps, which))
        assert alone.logits(keeps[1]).tobytes() == ablated.logits(keeps[1])[chosen].tobytes()


def test_progress_counts_every_batch() -> None:
    seen: list[tuple[str, int, int]] = []

    def track(steps: Iterable[Any], description: str, total: int) -> Iterable[Any]:
        steps = list(steps)
        seen.append((description, total, len(steps)))
        return steps

    classifier = with_head(vgg_head())
    ablated = ablation(classifier, DATA, run(classifier), track)
    ablated.predictions(masks(classifier))
    assert seen == [("random: 5 masks on 19 images", 1, 1)]  # one block, and one group of masks
    replace(ablated, joint=False).predictions(masks(classifier))
    assert seen[1:] == [("random: 5 masks on 19 images", 5, 5)]


@pytest.mark.parametrize("head", [vgg_head(), pooled_head()])
def test_the_network_is_left_as_it_was_even_after_an_error(head: nn.Module) -> None:
    classifier = with_head(head)
    ablated = way(classifier, "network")
    before = {name: value.clone() for name, value in classifier.network.state_dict().items()}
    ablated.predictions(masks(classifier))

    def explode(*_: object) -> None:
        raise RuntimeError("in the middle")

    handle = classifier.layer(classifier.head).register_forward_hook(explode)
    with pytest.raises(RuntimeError, match="in the middle"):
        ablated.logits(masks(classifier)[0])
    handle.remove()
    assert not any(module._forward_hooks for module in classifier.network.modules())
    assert all(torch.equal(before[name], value) for name, value in classifier.network.state_dict().items())


@pytest.mark.parametrize("bias", [True, False])
def test_a_convolution_of_one_pixel_may_be_a_head(bias: bool) -> None:
    network = nn.Sequential(
        nn.Conv2d(3, 12, 5, 4), nn.ReLU(), nn.Conv2d(12, 10, 1, bias=bias), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    )
    pixel = PixelNetwork(network, HALF).eval().requires_grad_(False)
    classifier = replace(random_classifier(), network=pixel, feature_layer="1", head="2", n_filters=12)
    ablated = way(classifier)
    assert isinstance(ablated, CachedAblation)
    keeps = masks(classifier)
    np.testing.assert_array_equal(ablated.predictions(keeps), by_hand(classifier, keeps).argmax(-1))
    assert "on cached activations" in ablated.origin
