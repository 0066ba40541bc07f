"""Maps that show no place, or not as much of one as is cut out: given to `localize` as if a network had made them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from csg_analyze.analyzers.localize.analysis import localize
from csg_analyze.metrics.attribution import FeatureMaps
from csg_analyze.metrics.objects import Objects
from csg_analyze.result import Result


@dataclass(frozen=True)
class Given:
    """Class maps (N, h, w) that are simply given, gradients too, as if a network had been run."""

    maps: np.ndarray
    gradient_origin = "gradients of filters: given."
    identity = "given"

    def pieces(self, n: int, description: str) -> Iterator[np.ndarray]:
        yield from np.array_split(np.arange(n), 2)

    def of_class(self, name: str, images: np.ndarray, labels: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        yield np.arange(len(images)), self.maps[images]

    def gradients(
        self, images: np.ndarray, filters: np.ndarray, *, normalized: bool = False
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        yield np.arange(len(images)), np.repeat(self.maps[images][:, None], filters.shape[1], axis=1)


def localize_given(maps: np.ndarray, methods: str, features: FeatureMaps | None = None, **options: Any) -> Result:
    """Eight images of 20x20 of two classes, whose object is the upper left quarter."""
    n = len(maps)
    boxes = np.tile([0.0, 0.0, 10.0, 10.0], (n, 1, 1))
    where = Objects("boxes", (20, 20), boxes, np.ones(n, bool), np.arange(n))
    noise = np.random.default_rng(0).random((n, 3, 5, 5)).astype(np.float32)
    return localize(
        where,
        FeatureMaps(noise, np.ones((2, 3), np.float32)) if features is None else features,
        Given(maps),
        noise.mean(axis=(2, 3)),
        np.arange(n) % 2,
        ("a", "b"),
        [f"{i}" for i in range(n)],
        lambda images: np.zeros((len(images), 20, 20, 3), np.uint8),
        methods=methods,
        protocol="paper",
        bootstrap=2,
        **options,
    )


def odd_maps() -> np.ndarray:
    """All zero; one value everywhere; few positive pixels; NaN; infinite; half of it at one value; two usual ones."""
    rng = np.random.default_rng(1)
    maps = rng.random((8, 20, 20)).astype(np.float32)
    maps[0], maps[1] = 0, 7
    maps[2] = np.where(np.arange(400).reshape(20, 20) < 60, maps[2] + 0.1, 0)  # three rows of ten pixels on the object
    maps[3, 4, 5], maps[4, 6, 7] = np.nan, np.inf
    maps[5, :10] = 2
    return maps


@pytest.mark.parametrize("method", ["gradcam", "captum:Occlusion"])
def test_maps_that_show_no_place_have_no_region_and_are_counted(method: str) -> None:
    result = localize_given(odd_maps(), method)
    assert result.samples is not None
    ious = result.samples[f"{method}_iou"].to_numpy()
    assert ious[[0, 1, 3, 4]].tolist() == [0, 0, 0, 0]
    assert ious[2] == pytest.approx(30 / (60 + 100 - 30))
    assert ious[5] == pytest.approx(100 / 200)  # all that tie are in: half of the image, the object half of that
    for i in (6, 7):
        cut = np.sort(odd_maps()[i].ravel())[-120]
        region = odd_maps()[i] >= cut
        assert ious[i] == pytest.approx(region[:10, :10].sum() / (120 + 100 - region[:10, :10].sum()))
    notes = " ".join(result.notes)
    for words in (
        "2 of 8 maps have values that are not finite",
        "2 of 8 maps are the same everywhere and show no place: their region is empty",
        "1 of 8 maps are above their lowest value (for Grad-CAM: positive) at fewer than 30 %",
        "1 of 8 maps have so many values equal",
    ):
        assert words in notes
    assert result.summary["all-ones/avg_iou"] == pytest.approx(0.25)  # the whole image, as ever
    assert not any("baseline: the whole image:" in note for note in result.notes)


def test_gradients_that_mark_nothing_are_counted() -> None:
    maps = odd_maps()
    result = localize_given(maps, "gradmap", gradmap_filters=2)
    assert result.samples is not None
    assert result.samples["gradmap_iou"].to_numpy()[[0, 3, 4]].tolist() == [0, 0, 0]
    assert np.isfinite(result.samples["gradmap_iou"]).all()
    assert "GradMap: 6 of 16 gradients are zero everywhere, or not finite" in " ".join(result.notes)


def test_a_class_without_weights_in_the_head_has_no_cam_and_is_named() -> None:
    noise = np.random.default_rng(0).random((8, 3, 5, 5)).astype(np.float32)
    weight = np.array([[1, 2, 3], [0, 0, 0]], np.float32)
    result = localize_given(odd_maps(), "cam", FeatureMaps(noise, weight))
    assert result.samples is not None
    assert (result.samples["cam_iou"][1::2] == 0).all()
    assert (result.samples["cam_iou"][::2] > 0).all()
    notes = " ".join(result.notes)
    assert "CAM: all weights of the head are zero for b; maps of it are the same everywhere." in notes
    assert "CAM: 4 of 8 maps are the same everywhere" in notes


def test_the_curves_have_at_most_a_hundred_thresholds_and_the_notes_say_how_many_are_tried() -> None:
    result = localize_given(odd_maps(), "cam")
    curves = result.frame("iou_by_threshold")
    assert (curves.groupby("method").size() == 100).all()
    assert curves["threshold"].unique() == pytest.approx(np.arange(100) / 100)
    notes = " ".join(result.notes)
    assert "MaxBoxAcc, MaxBoxAccV2 and PxAP try 1,000 thresholds, as in the evaluator published by Choe" in notes
    assert "reach one pixel further to the right and below" in notes
    fewer = localize_given(odd_maps(), "cam", levels=30)
    assert (fewer.frame("iou_by_threshold").groupby("method").size() == 30).all()
    assert "try 30 thresholds, where 1,000 are asked for" in " ".join(fewer.notes)
