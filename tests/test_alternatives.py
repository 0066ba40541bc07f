"""Alternatives are tried on networks that are right only under one hidden setting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import binomtest
from torch import Tensor, nn

from csg_analyze.alternatives import alternatives_table, alternatives_values, try_alternatives
from csg_analyze.alternatives.usual import class_orders, geometries
from csg_analyze.checkpoints import Classifier, Preprocessing, classifier_of
from csg_analyze.checkpoints.preprocessing import HALF, IMAGENET_MEAN, IMAGENET_STD
from csg_analyze.report.document import json_text

GREYS = torch.linspace(0.2, 0.8, 12)
COLOURS = torch.tensor([[0.9, 0.3, 0.1], [0.1, 0.9, 0.3], [0.3, 0.1, 0.9], [0.5, 0.5, 0.5]])


class Nearest(nn.Module):
    """The class whose colour, normalised with .5 and .5, is nearest to the image's mean: a linear head.

    area: of images for which it was trained; larger ones look brighter to it.
    """

    def __init__(self, colours: Tensor, area: int | None = None) -> None:
        super().__init__()
        self.maps = nn.Conv2d(3, 3, 1)
        self.head = nn.Linear(3, len(colours))
        self.area = area
        centres = (colours - 0.5) / 0.5
        with torch.no_grad():
            self.maps.weight.copy_(torch.eye(3).view(3, 3, 1, 1))
            self.maps.bias.zero_()  # type: ignore[union-attr]
            self.head.weight.copy_(centres)
            self.head.bias.copy_(-centres.square().sum(1) / 2)

    def forward(self, x: Tensor) -> Tensor:
        seen = 1 if self.area is None else x.shape[2] * x.shape[3] / self.area
        logits: Tensor = self.head(self.maps(x).mean((2, 3)) * seen)
        return logits


def images_of(colours: Tensor, labels: Sequence[int], side: int = 32) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    chosen = colours[list(labels)].numpy()[:, None, None, :] + rng.normal(0, 0.01, (len(labels), side, side, 3))
    return (chosen.clip(0, 1) * 255).round().astype(np.uint8), np.array(labels)


def classifier(colours: Tensor, mean: Any = HALF, std: Any = HALF, **how: Any) -> Classifier:
    return classifier_of(Nearest(colours, how.pop("area", None)), mean=mean, std=std, device="cpu", **how)


GREY = GREYS[:, None].expand(12, 3)
LABELS = [i % 12 for i in range(48)]


def test_mean_and_std_are_found() -> None:
    trials = try_alternatives(classifier(GREY, IMAGENET_MEAN, IMAGENET_STD), images_of(GREY, LABELS))
    best = trials.better
    assert best is not None
    assert (best.changes, best.accuracy) == (("mean and std .5",), 1.0)
    assert best.flags == ("--mean 0.5,0.5,0.5 --std 0.5,0.5,0.5",)
    assert trials.current.accuracy < 0.5
    only_best = int((best.correct & ~trials.current.correct).sum())
    only_current = int((~best.correct & trials.current.correct).sum())
    expected = binomtest(only_best, only_best + only_current).pvalue * (len(trials.trials) - 1)
    assert best.p_value == pytest.approx(min(1, expected))
    text = alternatives_table(trials)
    assert "Better beyond noise" in text
    assert "give --mean 0.5,0.5,0.5 --std 0.5,0.5,0.5" in text
    assert text.splitlines()[2].split()[:4] == ["mean", "and", "std", ".5"]


def test_channels_and_size_are_found_together_with_mean_and_std() -> None:
    labels = [i % 4 for i in range(40)]
    turned = try_alternatives(classifier(COLOURS.flip(1)), images_of(COLOURS, labels))
    assert turned.better is not None
    assert (turned.better.changes, turned.better.flags) == (("channels blue, green, red",), ("--channels bgr",))
    enlarged = classifier(GREY, IMAGENET_MEAN, IMAGENET_STD, area=32 * 32, size=64)
    both = try_alternatives(enlarged, images_of(GREY, LABELS))
    assert both.better is not None
    assert both.better.changes == ("32x32 pixels", "mean and std .5")
    assert both.better.flags == ("--mean 0.5,0.5,0.5 --std 0.5,0.5,0.5", "--size 32")


def test_a_usual_order_of_classes_is_found_and_mapped() -> None:
    order = sorted(range(12), key=str)  # 0, 1, 10, 11, 2 ...: folders of numbers, sorted as text
    trials = try_alternatives(classifier(GREY[order]), images_of(GREY, LABELS))
    best = trials.better
    assert best is not None
    assert best.accuracy == 1
    assert best.changes == ("classes sorted by name",)
    assert best.class_map == {str(label): order.index(label) for label in range(12)}
    assert '{"0": 0, "1": 1, "2": 4' in alternatives_table(trials)
    named = classifier(GREY[order], class_names=[f"level {i}" for i in range(12)])
    data = [*images_of(GREY, LABELS)]
    assert try_alternatives(named, tuple(data)).better is not None


def test_no_permutation_is_made_to_fit_and_chance_is_said() -> None:
    shuffled = np.random.default_rng(1).permutation(12)
    trials = try_alternatives(classifier(GREY[torch.from_numpy(shuffled)]), images_of(GREY, LABELS))
    text = alternatives_table(trials)
    assert trials.better is None
    assert "No alternative is better than the current setting beyond noise" in text
    assert "Even the best is near chance" in text


def test_nothing_is_better_than_what_is_right() -> None:
    trials = try_alternatives(classifier(GREY), images_of(GREY, LABELS), limit=36)
    assert trials.better is None
    assert trials.n_images == 36
    assert trials.trials[0] is trials.current
    assert any(trial.differs for trial in trials.trials)  # worse ones
    document = alternatives_values(trials)
    assert document["tried"][0]["changes"] == []
    assert document["tried"][0]["preprocessing"]["mean"] == [0.5, 0.5, 0.5]
    json_text(document)


class Fixed(Nearest):
    """Takes one size only."""

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[2] != 40:
            raise RuntimeError("images of 40 pixels,\nplease")
        return super().forward(x)


def test_a_size_that_the_network_does_not_take_is_left_out() -> None:
    network = classifier_of(Fixed(GREY), mean=HALF, std=HALF, size=40, device="cpu")
    trials = try_alternatives(network, images_of(GREY, LABELS))
    assert "32x32 pixels: images of 40 pixels, please" in trials.left_out
    assert "not tried: 32x32 pixels: images of 40 pixels, please" in alternatives_table(trials)
    assert trials.current.accuracy == 1


@pytest.mark.parametrize(
    ("size", "resize", "native", "architecture", "expected"),
    [
        (224, 256, (32, 32), "resnet18", [(32, None), (224, None)]),
        (32, None, (32, 32), "resnet20", []),
        (32, None, (48, 48), "resnet20", [(48, None)]),
        (224, 256, (64, 48), "resnet18", [(32, None), (224, None)]),
        (128, None, (300, 400), "resnet18", [(224, None), (224, 256)]),
        (224, 256, None, "resnet18", [(224, None)]),
        (None, None, (32, 32), "resnet20", []),
    ],
)
def test_sizes_that_make_sense_for_the_data(
    size: int | None, resize: int | None, native: Any, architecture: str, expected: Any
) -> None:
    assert geometries(Preprocessing(HALF, HALF, size, resize), native, architecture) == expected


def test_orders_of_classes() -> None:
    names = ["b10", "B2", "a1"]
    orders = class_orders(names, ["a1", "B2", "b10"])
    assert orders["classes in the data's own order"] == (2, 1, 0)
    assert orders["classes sorted by name"] == (2, 0, 1)
    assert orders["classes sorted by name, capitals as small letters"] == (1, 2, 0)
    assert class_orders(["a", "b"], ["a", "b"]) == {}
    assert class_orders(["a", "a", "b"], ["b", "a", "a"]) == {}
    twelve = [chr(ord("a") + i) for i in range(12)]
    assert set(class_orders(twelve, twelve)) == {"indices sorted as text (0, 1, 10, 11 ...)"}
    by_number = class_orders([str(i) for i in sorted(range(12), key=str)], twelve)
    assert "classes sorted by the numbers in their names" in by_number
