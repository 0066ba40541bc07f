from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from captum.attr import LayerActivation
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
    found = run(classifier)
    pixels = DATA.images[:].float() / 255
    expected = LayerActivation(classifier.network, classifier.layer()).attribute(pixels).mean((2, 3))
    np.testing.assert_allclose(found.activations, expected.numpy(), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found.logits, classifier.network(pixels).numpy(), rtol=1e-4, atol=1e-5)
    assert found.layers == {}


def test_every_convolution_equals_captums() -> None:
    classifier = random_classifier()
    found = run(classifier, "layer_activations")
    pixels = DATA.images[:].float() / 255
    assert list(found.layers) == list(classifier.convolutions())
    for name, values in found.layers.items():
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


@pytest.mark.parametrize("batch_size", [1, 5, 23, 100])
def test_the_batch_size_changes_rounding_at_most(batch_size: int) -> None:
    classifier = random_classifier()
    whole, parts = run(classifier), run(classifier, batch_size=batch_size)
    np.testing.assert_allclose(parts.activations, whole.activations, rtol=1e-5, atol=1e-6)
    assert (parts.logits.argmax(1) == whole.logits.argmax(1)).all()


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
