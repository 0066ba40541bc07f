"""The summary document does not depend on the batch size, nor on the order of the models."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from csg_analyze.analysis import analyze
from csg_analyze.checkpoints import Classifier
from csg_analyze.composing import compose
from csg_analyze.data.scenes import make_scenes
from csg_analyze.plan import plan
from csg_analyze.report.summary import summary_document
from tests.examples import nudged, random_classifier, random_gate

DATA = make_scenes("test", n=37)
ANALYZERS = ("accuracy", "mis", "confusion", "similarity", "correlation", "layers", "filters", "localize", "robustness")
OPTIONS: dict[str, dict[str, Any]] = {
    "localize": {"bootstrap": 20, "gradmap_filters": 2, "methods": "gradmap,activmap,cam,gradcam"},
    "robustness": {"n_images": 12, "attack": "fgsm,pgd", "targeted": True},
    "attacks": {"pgd_steps": 3},
}


def models() -> tuple[Classifier, ...]:
    """A network with a linear head on averaged maps, and one whose filters are removed in the network itself."""
    plain = replace(random_classifier(name="plain"), class_names=DATA.class_names)
    inner = replace(plain, name="inner", feature_layer="layer3.0.conv2", gate=random_gate(10, 64))
    other = nudged(replace(random_classifier(name="other"), class_names=DATA.class_names))
    return plain, inner, other


def by_name(classifiers: tuple[Classifier, ...], batch_size: int) -> dict[str, str]:
    options = {**OPTIONS, "forward_pass": {"batch_size": batch_size}, "attribution": {"images_at_once": batch_size}}
    steps = plan(ANALYZERS, options)
    compared = tuple((classifier, DATA) for classifier in classifiers)
    reports = [analyze(*pair, steps, compared=compared) for pair in compared]
    document = summary_document(compose(reports, classifiers, [DATA] * len(reports), steps))
    return {model["name"]: json.dumps(model) for model in document["models"]}  # type: ignore[union-attr,index,call-overload]


@pytest.fixture(scope="module")
def expected() -> dict[str, str]:
    return by_name(models(), 256)


@pytest.mark.parametrize("batch_size", [1, 7, 64])
def test_the_summary_is_the_same_for_every_batch_size(expected: dict[str, str], batch_size: int) -> None:
    assert by_name(models(), batch_size) == expected


def test_the_summary_is_the_same_for_every_order_of_the_models(expected: dict[str, str]) -> None:
    assert by_name(models()[::-1], 7) == expected
