"""Methods that a network can have, and options that cannot be used."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from csg_analyze.analysis import analyze
from csg_analyze.analyzers.localize.options import chosen_methods
from csg_analyze.checkpoints import Classifier
from csg_analyze.data import Dataset
from csg_analyze.errors import NotAvailable, UsageError
from csg_analyze.metrics.attribution import FeatureMaps
from csg_analyze.plan import plan
from tests.analyzers.localize.conftest import run


def features(weight: bool) -> FeatureMaps:
    return FeatureMaps(
        np.zeros((1, 2, 2, 2), np.float32), np.zeros((3, 2)) if weight else None, no_cam="its head bends"
    )


def test_which_methods_a_network_can_have() -> None:
    assert chosen_methods("auto", features(True)) == (["gradmap", "activmap", "cam"], [])
    names, notes = chosen_methods("auto", features(False))
    assert names == ["gradmap", "activmap", "gradcam"]
    assert notes == ["no CAM, Grad-CAM instead: its head bends."]
    assert chosen_methods("cam, captum:Saliency,cam", features(True))[0] == ["cam", "captum:Saliency"]
    blank = replace(features(False), featureless=True)
    assert chosen_methods("auto", blank) == (
        ["gradmap", "activmap"],
        ["no CAM, and no Grad-CAM instead: its head bends."],
    )
    assert chosen_methods("cam,activmap", blank)[1] == ["no CAM: its head bends."]
    names, notes = chosen_methods("cam,gradmap", features(False))
    assert names == ["gradmap"]
    assert "its head bends" in notes[0]
    with pytest.raises(NotAvailable, match="its head bends; ask for gradcam"):
        chosen_methods("cam", features(False))
    with pytest.raises(UsageError, match="unknown method 'camm'; did you mean 'cam'"):
        chosen_methods("camm", features(True))
    with pytest.raises(UsageError, match="--methods names no method"):
        chosen_methods(",", features(True))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"deltas": "0.2,x"}, "--deltas takes numbers between 0 and 1"),
        ({"deltas": "1.5"}, "--deltas takes numbers between 0 and 1"),
        ({"gradmap_filters": 0}, "--gradmap-filters must be at least 1, not 0"),
        ({"bootstrap": 0}, "--bootstrap must be at least 1"),
        ({"levels": -1}, "--levels must be at least 1"),
    ],
)
def test_bad_options(classifier: Classifier, scenes: Dataset, options: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        run(classifier, scenes, **options)


def test_too_few_images_for_two_halves(classifier: Classifier, scenes: Dataset) -> None:
    one = scenes.subset(torch.tensor([0]), note="")
    report = analyze(classifier, one, plan(["localize"]))
    assert "too few images for two halves" in report.skipped["localize"]
