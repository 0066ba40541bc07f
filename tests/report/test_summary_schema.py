"""summary.json keeps to its published schema."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator, ValidationError

from csg_analyze.report.document import Report, json_text
from csg_analyze.report.summary import SCHEMA, summary_document, summary_schema
from tests.report.test_seeds import TWINS, report_of

REPORTS = Path(__file__).parents[2] / "reports"
VALIDATOR = Draft202012Validator(summary_schema())
KEPT = sorted(REPORTS.rglob("summary.json"))


def test_the_schema_is_one_and_names_its_version() -> None:
    Draft202012Validator.check_schema(summary_schema())
    assert summary_schema()["properties"]["schema"]["const"] == SCHEMA
    assert summary_schema()["$id"].endswith(f":{SCHEMA}")


def test_a_summary_fits_with_seeds_and_without(report: Report) -> None:
    for each in (report, replace(report, models=()), report_of(*TWINS)):
        document = json.loads(json_text(summary_document(each)))
        VALIDATOR.validate(document)
        known = summary_schema()["properties"]
        assert set(document) <= set(known)  # no name that the schema does not describe
        for part, of in (("models", "model"), ("groups", "group"), ("differences", "difference")):
            for entry in document.get(part, ()):
                assert set(entry) == set(summary_schema()["$defs"][of]["properties"])


def test_headlines_are_what_the_analyses_declare(report: Report) -> None:
    headlines = summary_document(report)["headlines"]
    assert headlines == [
        {"analyzer": "accuracy", "number": "accuracy", "low": "accuracy_low", "high": "accuracy_high"},
        {"analyzer": "mis", "number": "mis", "low": None, "high": None},
        {"analyzer": "mis", "number": "mis_chance", "low": None, "high": None},
        {"analyzer": "gate", "number": "l1_density", "low": "interval_low", "high": "interval_high"},
    ]


@pytest.mark.parametrize("path", KEPT, ids=[str(path.parent.relative_to(REPORTS)) for path in KEPT])
def test_every_kept_summary_fits(path: Path) -> None:
    VALIDATOR.validate(json.loads(path.read_text()))


@pytest.mark.parametrize("change", [{"schema": 2}, {"models": {}}, {"groups": []}, {"models": [{"name": "x"}]}])
def test_what_does_not_fit_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        VALIDATOR.validate({"schema": 1, "models": [], **change})
