from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from captum.attr import LayerActivation
from torch import Tensor, nn

from csg_analyze.checkpoints import PixelNetwork
from csg_analyze.errors import UsageError
from csg_analyze.inputs.cache import Cache
from csg_analyze.inputs.exemplars import exemplars
from csg_analyze.inputs.forward import ForwardPass, forward_pass
from csg_analyze.metrics.exemplars import Exemplars
from csg_analyze.progress import untracked
from tests.examples import HALF, random_classifier, random_dataset

DATA = random_dataset(23)


def passed(classifier: object, batch_size: int = 8) -> ForwardPass:
    return forward_pass(classifier, DATA, frozenset(), Cache(None), untracked, batch_size=batch_size)  # type: ignore[arg-type]


def test_images_maps_and_thumbnails_equal_a_naive_loop() -> None:
    classifier = random_classifier()
    run = passed(classifier)
    strongest = exemplars(classifier, DATA, run, untracked, n_exemplars=4)
    pixels = DATA.images[:].float() / 255
    maps = LayerActivation(classifier.network, classifier.layer()).attribute(pixels).numpy()
    for k in range(classifier.n_filters):
        images = sorted(range(len(DATA)), key=lambda i: (-run.activations[i, k], i))[:4]
        assert strongest.images[k].tolist() == images
        for rank, image in enumerate(images):
            np.testing.assert_allclose(strongest.maps[k, rank], maps[image, k], rtol=1e-4, atol=1e-5)
            assert strongest.activations[k, rank] == run.activations[image, k]
            np.testing.assert_allclose(
                strongest.maps[k, rank].mean(), strongest.activations[k, rank], rtol=1e-4, atol=1e-5
            )
            thumbnail = strongest.thumbnails[strongest.thumbnail_of[k, rank]]
            np.testing.assert_array_equal(thumbnail, pixels[image].permute(1, 2, 0).mul(255).round().numpy())
    assert len(strongest.thumbnails) == len(np.unique(strongest.images))


@pytest.mark.parametrize("batch_size", [1, 5, 100])
def test_the_batch_size_changes_no_bit(batch_size: int) -> None:
    classifier = random_classifier()
    run = passed(classifier)
    whole = exemplars(classifier, DATA, run, untracked)
    parts = exemplars(classifier, DATA, replace(run, batch_size=batch_size), untracked)
    np.testing.assert_array_equal(parts.images, whole.images)
    np.testing.assert_array_equal(parts.thumbnails, whole.thumbnails)
    assert parts.maps.tobytes() == whole.maps.tobytes()


def test_only_the_needed_images_run_and_only_once() -> None:
    classifier = random_classifier()
    run = passed(classifier)
    activations = np.zeros_like(run.activations)  # every filter has the same two exemplars, not next to each other
    activations[[3, 17]] = [[1], [2]]
    seen: list[Tensor] = []
    handle = classifier.network.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0]))
    strongest = exemplars(classifier, DATA, replace(run, activations=activations), untracked, n_exemplars=2)
    handle.remove()
    (block,) = seen  # which these two fill by turns
    assert torch.equal(block, DATA.images[torch.tensor([3, 17] * 16)].float().div(255))
    assert (strongest.images == [17, 3]).all()
    assert strongest.thumbnails.shape[0] == 2


def test_an_in_place_relu_does_not_reach_back() -> None:
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 10)
    )
    classifier = replace(
        random_classifier(), network=PixelNetwork(network, HALF).eval(), feature_layer="0", n_filters=4
    )
    assert (exemplars(classifier, DATA, passed(classifier), untracked).maps < 0).any()


def test_hooks_come_off_even_after_an_error() -> None:
    classifier = random_classifier()
    run = passed(classifier)

    def explode(*_: object) -> None:
        raise RuntimeError("in the middle")

    handle = classifier.layer(classifier.head).register_forward_hook(explode)
    with pytest.raises(RuntimeError, match="in the middle"):
        exemplars(classifier, DATA, run, untracked)
    handle.remove()
    assert not any(module._forward_hooks for module in classifier.network.modules())


def test_large_images_are_shrunk_and_keep_their_shape() -> None:
    classifier = random_classifier()
    images = torch.randint(0, 256, (6, 3, 96, 200), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    data = replace(DATA, images=images, labels=DATA.labels[:6], sample_ids=DATA.sample_ids[:6])
    run = forward_pass(classifier, data, frozenset(), Cache(None), untracked)
    strongest = exemplars(classifier, data, run, untracked, n_exemplars=6)
    assert strongest.thumbnails.shape == (6, 31, 64, 3)
    first = np.ascontiguousarray(images[0].permute(1, 2, 0).numpy())
    np.testing.assert_array_equal(strongest.thumbnails[0], cv2.resize(first, (64, 31), interpolation=cv2.INTER_AREA))


def test_fewer_images_than_exemplars_and_bad_numbers() -> None:
    classifier = random_classifier()
    run = passed(classifier)
    strongest: Exemplars = exemplars(classifier, DATA, run, untracked, n_exemplars=30)
    assert strongest.images.shape == (64, 23)
    for number in (0, 37):
        with pytest.raises(UsageError, match="--n-exemplars"):
            exemplars(classifier, DATA, run, untracked, n_exemplars=number)
