"""Tokens, channels last and shared modules, seen through a view: each consumer against the plainest computation."""

from __future__ import annotations

import copy
import re
from typing import Any

import numpy as np
import pytest
import torch
from captum.attr import LayerGradCam
from torch import Tensor, nn

from csg_analyze.checkpoints import Classifier, classifier_of
from csg_analyze.checkpoints.description import describe
from csg_analyze.errors import NotAvailable, UsageError
from csg_analyze.inputs import layer_activations
from csg_analyze.inputs.ablation import NetworkAblation, ablation
from csg_analyze.inputs.attribution import captum_gradients, filter_gradients
from csg_analyze.inputs.cache import Cache
from csg_analyze.inputs.exemplars import exemplars
from csg_analyze.inputs.feature_maps import feature_maps
from csg_analyze.inputs.filters import filter_weights, layer_weights
from csg_analyze.inputs.forward import ForwardPass, forward_pass
from csg_analyze.progress import untracked
from tests.examples import random_dataset
from tests.models import examples
from tests.models.examples import SIZE, seeded

DATA = random_dataset(8, 4)
PIXELS = DATA.images[:].float() / 255
VIT, SWIN_LIKE, SHARED, IN_A_TUPLE, MIXER = (
    classifier_of(seeded(make), size=SIZE, name=name)
    for name, make in {
        "vit": examples.vit,
        "last": examples.ChannelsLast,
        "shared": examples.Shared,
        "tuple": examples.InATuple,
        "mixer": examples.Mixer,
    }.items()
)
VIEWED = (VIT, SWIN_LIKE, SHARED, IN_A_TUPLE, MIXER)


def by_hand(classifier: Classifier, keep: np.ndarray | None = None) -> tuple[Tensor, Tensor]:
    """Maps (N, K, h, w) and logits, by a hook on the user's own module; `keep` multiplies its channels, all tokens'."""
    module = classifier.layer(classifier.feature_layer)
    mask = torch.ones(classifier.n_filters) if keep is None else torch.from_numpy(keep).float()
    seen: list[Tensor] = []

    def watch(_module: nn.Module, _inputs: Any, output: Any) -> Any:
        if classifier is VIT:
            seen.append(output[:, 1:].mT.unflatten(2, (4, 4)))
            return output * mask
        if classifier is MIXER:
            seen.append(output.mT.unflatten(2, (4, 4)))
            return output * mask
        if classifier is SWIN_LIKE:
            seen.append(output.permute(0, 3, 1, 2))
            return output * mask
        if classifier is IN_A_TUPLE:
            seen.append(output[1]["maps"])
            return None, {**output[1], "maps": output[1]["maps"] * mask[:, None, None]}
        seen.append(output)
        return output * mask[:, None, None] if len(seen) == 2 else None  # shared: its second run

    handle = module.register_forward_hook(watch)
    try:
        logits = classifier.network(PIXELS)
    finally:
        handle.remove()
    return seen[-1], logits


def passed(classifier: Classifier, *requested: str) -> ForwardPass:
    return forward_pass(classifier, DATA, frozenset(requested), Cache(None), untracked)


@pytest.mark.parametrize("classifier", VIEWED, ids=lambda each: each.name)
def test_activations_maps_and_exemplars(classifier: Classifier) -> None:
    maps, logits = by_hand(classifier)
    run = passed(classifier)
    np.testing.assert_allclose(run.activations, maps.mean((2, 3)), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(run.logits, logits, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(feature_maps(classifier, DATA, run, untracked).maps, maps, rtol=1e-4, atol=1e-5)
    strongest = exemplars(classifier, DATA, run, untracked, n_exemplars=1)
    best = strongest.images[:, 0]
    expected = maps[torch.from_numpy(best), torch.arange(len(best))]
    np.testing.assert_allclose(strongest.maps[:, 0], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("classifier", VIEWED, ids=lambda each: each.name)
def test_removed_filters_are_removed_everywhere(classifier: Classifier) -> None:
    """From all tokens, those beside the map included; of a shared module, from the run that is pooled alone."""
    keep = np.arange(classifier.n_filters) % 3 > 0
    network = ablation(classifier, DATA, passed(classifier), untracked, ablate="network")
    assert isinstance(network, NetworkAblation)
    assert network.joint == (classifier is not VIT)  # in a ViT's block, a connection goes around the norm
    found, expected, full = network.logits(keep), by_hand(classifier, keep)[1], by_hand(classifier)[1]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    assert np.abs(found - full.numpy()).max() > 1e-2 * np.abs(full.numpy()).max()
    cached = ablation(classifier, DATA, passed(classifier), untracked)
    np.testing.assert_allclose(cached.logits(keep), expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("classifier", VIEWED, ids=lambda each: each.name)
def test_gradients(classifier: Classifier) -> None:
    filters = [0, 3]
    pixels = PIXELS[:2].clone().requires_grad_()
    single = filter_gradients(classifier, PIXELS[:2], filters)
    np.testing.assert_allclose(captum_gradients(classifier, PIXELS[:2], filters), single, rtol=1e-3, atol=1e-8)
    assert single.abs().max() > 0
    grad_cam = LayerGradCam(classifier.network, classifier.layer()).attribute(pixels, 1, relu_attributions=False)
    assert grad_cam.shape == (2, 1, *by_hand(classifier)[0].shape[2:])
    assert grad_cam.abs().max() > 0


def test_the_users_names_weights_and_copies_stay() -> None:
    network = seeded(examples.vit)
    assert list(VIT.network.network.state_dict()) == list(network.state_dict())
    assert [name for name, _ in VIT.network.network.named_modules()] == [name for name, _ in network.named_modules()]
    assert not any(module._forward_hooks for module in network.modules())
    copied = copy.deepcopy(VIT.network)
    seen: list[str] = []
    handle = VIT.layer().register_forward_hook(lambda *_: seen.append("original"))
    copied.view(VIT.feature_layer).maps.register_forward_hook(lambda *_: seen.append("copy"))
    copied(PIXELS[:1])
    handle.remove()
    assert seen == ["copy"]


def test_a_pass_that_failed_does_not_shift_the_runs_of_a_shared_module() -> None:
    with pytest.raises(RuntimeError):
        SHARED.network(torch.rand(1, 3, 4, 4))  # too small for the second convolution
    np.testing.assert_allclose(passed(SHARED).activations, by_hand(SHARED)[0].mean((2, 3)), rtol=1e-4, atol=1e-5)


def test_what_inspect_says() -> None:
    said = describe(VIT)
    assert "encoder.layers.encoder_layer_1.ln_1, K = 12 filters, 4x4 tokens as positions (1 token beside them" in said
    assert "the head reads the class token of 'encoder'" in said
    assert "act, K = 8 filters, the last of its 2 runs in a pass" in describe(SHARED)
    assert re.search("convolutions +none", describe(MIXER))


@pytest.mark.parametrize(
    ("classifier", "words"),
    [
        (VIT, "3 other layers with weights run between the last convolution, 'conv_proj', and the feature layer"),
        (MIXER, "this network has no convolution, which this analysis looks at"),
    ],
    ids=["vit", "mixer"],
)
def test_without_a_convolution_near_the_filters_have_no_weights(classifier: Classifier, words: str) -> None:
    run = passed(classifier, "layer_activations")
    for analyse in (filter_weights, layer_weights, lambda each: layer_activations(each, run)):
        with pytest.raises(NotAvailable, match=words):
            analyse(classifier)


def test_with_a_convolution_near_they_have() -> None:
    assert list(layer_weights(SWIN_LIKE)) == ["body.0", "body.2"]
    assert filter_weights(SWIN_LIKE).layer == "body.2"


def test_tokens_of_another_grid_need_a_square() -> None:
    """A network that takes any size: the grid follows the image."""
    classifier = classifier_of(seeded(lambda: nn.Sequential(Tokens(), Mean(), nn.Linear(6, 3))), name="any")
    assert classifier.feature_layer == "0"
    seen: list[tuple[int, ...]] = []
    classifier.layer().register_forward_hook(lambda _m, _i, maps: seen.append(tuple(maps.shape[2:])))
    classifier.network(torch.rand(1, 3, 48, 48))
    assert seen == [(6, 6)]
    with pytest.raises(UsageError, match="24 tokens, which make no square of positions"):
        classifier.network(torch.rand(1, 3, 32, 48))


class Tokens(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 8, stride=8)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x).flatten(2).mT


class Mean(nn.Module):
    def forward(self, tokens: Tensor) -> Tensor:
        return tokens.mean(1)
