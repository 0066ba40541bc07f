"""Sizes that a network does not take: one sentence that names the size given and one that it takes."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from csg_analyze.checkpoints import PixelNetwork, classifier_of
from csg_analyze.checkpoints.classifier import Preprocessing
from csg_analyze.checkpoints.loading import found_layers
from csg_analyze.errors import UsageError
from csg_analyze.inputs.cache import Cache
from csg_analyze.inputs.forward import forward_pass
from csg_analyze.progress import untracked
from tests.examples import random_dataset
from tests.models.examples import mean, seeded, vit


def maxvit() -> nn.Module:
    """torchvision's MaxViT, whose windows divide 64x64 images only."""
    from torchvision.models import MaxVit

    return MaxVit((64, 64), 8, 4, [8, 8], [1, 1], 4, 0.0, num_classes=4)


WORDS = [
    (
        vit,
        96,
        r"does not take 96x96 images \(AssertionError: Wrong image height.*\); it takes 32x32: give --size 32, or",
    ),
    (
        maxvit,
        96,
        r"does not take 96x96 images \(.+\); it takes (64x64: give --size 64|32x32: give --size 32), or size=",
    ),
]


@pytest.mark.parametrize(("make", "size", "words"), WORDS, ids=["vit", "maxvit"])
def test_modules_in_hand(make: type[nn.Module], size: int, words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        classifier_of(seeded(make), size=size)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("make", "size", "words"), WORDS, ids=["vit", "maxvit"])
def test_networks_that_a_library_builds(make: type[nn.Module], size: int, words: str) -> None:
    preprocessing = Preprocessing((0.5, 0.5, 0.5), (0.25, 0.25, 0.25), size=size)
    with pytest.raises(UsageError, match=words):
        found_layers(PixelNetwork(seeded(make), preprocessing).eval(), preprocessing)


def test_images_of_a_dataset() -> None:
    """Images of any size may go in, but these do not."""
    classifier = classifier_of(seeded(lambda: nn.Sequential(nn.Conv2d(3, 4, 40, 8), Mean(), nn.Linear(4, 4))))
    assert classifier.preprocessing.size is None
    with pytest.raises(UsageError, match=r"model: the network does not take 32x32 images .*it takes 224x224"):
        forward_pass(classifier, random_dataset(4, 4), frozenset(), Cache(None), untracked)


def test_errors_that_no_size_is_to_blame_for_stay_themselves() -> None:
    classifier = classifier_of(seeded(mean))

    def broken(*_: object) -> None:
        raise KeyError("no")

    classifier.layer("fc").register_forward_hook(broken)
    with pytest.raises(KeyError):
        forward_pass(classifier, random_dataset(4, 4), frozenset(), Cache(None), untracked)


class Mean(nn.Module):
    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        return maps.mean((2, 3))
