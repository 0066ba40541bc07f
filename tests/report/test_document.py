from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from csg_analyze.errors import UsageError
from csg_analyze.report.document import Report, as_json, json_text
from csg_analyze.report.summary import summary_document
from csg_analyze.result import Result


def test_summary_document_is_the_agreed_one(report: Report) -> None:
    document = json.loads(json_text(summary_document(report)))
    assert document.keys() == {"schema", "models", "answers", "headlines"}
    assert document["schema"] == 1
    keys = {"name", "path", "sha256", "arch", "training", "results", "skipped"}
    assert all(model.keys() == keys for model in document["models"])
    std, csg = document["models"]
    assert (std["name"], csg["name"]) == tuple(model.name for model in report.models)
    assert (std["training"], csg["training"]) == ("STD", "CSG")
    assert std["results"]["accuracy"]["accuracy"] == 0.91234567890123
    assert std["results"]["accuracy"]["n"] == 12
    assert std["skipped"] == {"gate": "no gate in this <checkpoint>"}
    assert csg["results"]["gate"] == {"l1_density": 0.1003, "interval_low": 1 / 3, "interval_high": 0.5}
    assert csg["skipped"] == {}


def test_what_json_lacks_becomes_null(report: Report) -> None:
    text = json_text(summary_document(report))
    assert "NaN" not in text
    assert "Infinity" not in text
    mis = json.loads(text)["models"][0]["results"]["mis"]
    assert mis == {"mis": 0.125, "mis_chance": 0.00432, "undefined": None, "unbounded": None}


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (np.float32(0.1), float(np.float32(0.1))),
        (np.bool_(True), True),
        (np.int32(3), 3),
        (np.array([1.0, np.nan]), [1.0, None]),
        (torch.tensor(2.5), 2.5),
        ((1, None, "x"), [1, None, "x"]),
        (Path("a/b.pt"), "a/b.pt"),
        ({1: -math.inf}, {"1": None}),
    ],
)
def test_plain_values(value: object, plain: object) -> None:
    converted = as_json(value)
    assert converted == plain
    assert type(converted) is type(plain)


def test_what_has_no_form_is_refused() -> None:
    with pytest.raises(TypeError, match="object has no form in JSON"):
        as_json({"x": object()})


def test_models_of_one_name_are_refused(report: Report) -> None:
    with pytest.raises(UsageError, match="2 models are called"):
        replace(report, models=(report.models[0], report.models[0]))


def test_no_outcome_is_left_out(report: Report) -> None:
    presented = [section.analyzer for section in report.presented()]
    assert presented == ["accuracy", "mis", "gate"]  # in the sections' order; gate has none; "absent" did not run
    assert isinstance(report.models[1].results["gate"], Result)
