from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from captum.attr import LayerActivation
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from csg_analyze.checkpoints import PixelNetwork
from csg_analyze.errors import UsageError
from csg_analyze.inputs.cache import Cache
from csg_analyze.inputs.forward import ForwardPass, forward_pass
from csg_analyze.progress import untracked
from tests.examples import HALF, random_classifier, random_dataset

DATA = random_dataset(23)


def run(classifier: object, *requested: str, batch_size: int = 8, folder: Path | None = None) -> ForwardPass:
    return forward_pass(classifier, DATA, frozenset(requested), Cache(folder), untracked, batch_size=batch_size)  # type: ignore[arg-type]


def test_activations_and_logits_equal_captums_and_a_plain_call() -> None:
    classifier = random_classifier()
    result = run(classifier)
    pixels = DATA.images[:].float() / 255
    expected = LayerActivation(classifier.network, classifier.layer()).attribute(pixels).mean((2, 3))
    np.testing.assert_allclose(result.activations, expected.numpy(), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(result.logits, classifier.network(pixels).numpy(), rtol=1e-4, atol=1e-5)
    assert result.layers == {}


def test_every_convolution_equals_captums() -> None:
    classifier = random_classifier()
    result = run(classifier, "layer_activations")
    pixels = DATA.images[:].float() / 255
    assert list(result.layers) == list(classifier.convolutions())
    for name, values in result.layers.items():
        expected = LayerActivation(classifier.network, classifier.layer(name)).attribute(pixels).mean((2, 3))
        np.testing.assert_allclose(values, expected.numpy(), rtol=1e-4, atol=1e-5)


def test_an_in_place_relu_does_not_reach_back() -> None:
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 10)
    )
    classifier = replace(random_classifier(), network=PixelNetwork(network, HALF).eval(), feature_layer="0")
    with torch.no_grad():
        expected = network[0]((DATA.images[:].float() / 255 - 0.5) / 0.25).mean((2, 3))
    assert (expected < 0).any()
    np.testing.assert_allclose(run(classifier).activations, expected.numpy(), rtol=1e-4, atol=1e-5)


def bits(result: ForwardPass, images: list[int] | slice = slice(None)) -> dict[str, bytes]:
    arrays = {"activations": result.activations, "logits": result.logits, **result.layers}
    return {name: values[images].tobytes() for name, values in arrays.items()}


@pytest.mark.parametrize("architecture", ["resnet8", "alexnet"])
def test_the_batch_size_changes_no_bit(architecture: str) -> None:
    classifier = random_classifier(architecture)
    whole = run(classifier, "layer_activations")
    for batch_size in (1, 7, 64, 256):
        assert bits(run(classifier, "layer_activations", batch_size=batch_size)) == bits(whole)


@settings(max_examples=10)
@given(chosen=st.lists(st.integers(0, 22), min_size=1, max_size=23, unique=True))
def test_an_image_has_the_same_bits_in_every_place_and_beside_any_others(chosen: list[int]) -> None:
    classifier = random_classifier()
    few = DATA.subset(torch.tensor(chosen), note="few")
    result = forward_pass(classifier, few, frozenset({"layer_activations"}), Cache(None), untracked)
    assert bits(result) == bits(run(classifier, "layer_activations"), chosen)


def test_the_network_sees_blocks_of_one_size_whatever_the_batch_size() -> None:
    classifier = random_classifier()
    seen: list[int] = []
    handle = classifier.network.register_forward_pre_hook(lambda _module, inputs: seen.append(len(inputs[0])))
    for batch_size in (1, 7, 64, 256):
        forward_pass(classifier, random_dataset(70), frozenset(), Cache(None), untracked, batch_size=batch_size)
    handle.remove()
    assert seen == [32] * 3 * 4


def test_a_cache_entry_serves_every_batch_size(tmp_path: Path) -> None:
    for batch_size in (1, 256):
        run(random_classifier(), folder=tmp_path, batch_size=batch_size)
    assert len(list(tmp_path.iterdir())) == 1


def test_hooks_come_off_even_after_an_error() -> None:
    classifier = random_classifier()

    def explode(*_: object) -> None:
        raise RuntimeError("in the middle")

    handle = classifier.layer(classifier.head).register_forward_hook(explode)
    with pytest.raises(RuntimeError, match="in the middle"):
        run(classifier)
    handle.remove()
    assert not any(module._forward_hooks for module in classifier.network.modules())


def test_the_cache_is_keyed_by_weights_data_and_preprocessing(tmp_path: Path) -> None:
    classifier = random_classifier()
    first = run(classifier, folder=tmp_path)
    assert np.array_equal(run(replace(classifier, name="other", path=Path("y")), folder=tmp_path).logits, first.logits)
    assert len(list(tmp_path.iterdir())) == 1  # neither name nor path matters
    moved = replace(classifier, preprocessing=replace(HALF, mean=(0.0, 0.0, 0.0)))
    run(moved, folder=tmp_path)
    run(replace(classifier, feature_layer="layer2"), folder=tmp_path)
    run(classifier, "layer_activations", folder=tmp_path)
    assert len(list(tmp_path.iterdir())) == 4
    with torch.no_grad():
        next(classifier.network.parameters())[0, 0, 0, 0] += 1
    changed = run(classifier, folder=tmp_path)
    assert not np.array_equal(changed.logits, first.logits)


def test_bad_settings_are_refused() -> None:
    with pytest.raises(UsageError, match="--batch-size"):
        run(random_classifier(), batch_size=0)
    broken = random_classifier()
    with torch.no_grad():
        broken.network.network.bn1.running_var.fill_(float("nan"))
    with pytest.raises(UsageError, match="NaN"):
        run(broken)
