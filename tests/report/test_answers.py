from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from csg_analyze.about import About, Claim, Headline
from csg_analyze.report.answers import MOST, answers
from csg_analyze.report.document import ModelReport, Report, Section
from csg_analyze.report.folder import write_report
from csg_analyze.report.summary import summary_document
from csg_analyze.result import Result
from tests.report.test_seeds import CSG, STD, model

MIS = About("MIS", headlines=(Headline("mis", claim=Claim("MIS", better="higher", ratio=True)),))
ACCURACY = About(
    "Accuracy",
    headlines=(
        Headline("accuracy", "Accuracy", ("low", "high"), claim=Claim("accuracy", better="higher", percent=True)),
    ),
)
ERROR = About("Detection", headlines=(Headline("*/error@*", claim=Claim("the error of {} at {}", better="lower")),))


def report(numbers: dict[str, dict[str, list[float]]], about: dict[str, About]) -> Report:
    """numbers: analyzer/number -> training -> a value per seed."""
    models: dict[tuple[str, int], ModelReport] = {}
    for where, by_training in numbers.items():
        analyzer, _, number = where.partition(":")
        for training, values in by_training.items():
            for seed, value in enumerate(values):
                each = models.get((training, seed)) or replace(model(training, seed), results={})
                summary = each.results[analyzer].summary if analyzer in each.results else {}
                results = {**each.results, analyzer: Result({**summary, number: value})}
                models[training, seed] = replace(each, results=results)
    sections = tuple(Section(name, text) for name, text in about.items())
    return Report(
        "t",
        tuple(models.values()),
        sections,
        data={"spec": "scenes", "split": "test", "n": 4},
        provenance={"created": "2024-02-03"},
    )


def test_a_difference_over_seeds_is_a_sentence_with_its_interval() -> None:
    std, csg = [0.15, 0.14, 0.16], [0.22, 0.215, 0.225]
    (answer,) = answers(report({"mis:mis": {STD: std, CSG: csg}}, {"mis": MIS}))
    low, high = stats.ttest_rel(csg, std).confidence_interval(0.95)
    assert answer.verdict == "shown"
    assert answer.text == (
        f"CSG raises MIS 1.47 times, from 0.1500 to 0.2200 (+0.0700 [{low:+.4f}, {high:+.4f}], 3 seeds)"
    )
    np.testing.assert_allclose((answer.low, answer.high), (low, high))
    assert answer.relative is not None
    np.testing.assert_allclose(answer.relative, np.array([0.07, low, high]) / 0.15)


@pytest.mark.parametrize(
    ("csg", "verdict", "verb"),
    [
        ([0.85, 0.84, 0.86], "the other way", "lowers"),
        ([0.95, 0.94, 0.96], "shown", "raises"),
        ([0.95, 0.80, 0.96], "no difference shown", "changes"),
    ],
)
def test_the_interval_decides(csg: list[float], verdict: str, verb: str) -> None:
    (answer,) = answers(report({"accuracy:accuracy": {STD: [0.9, 0.89, 0.91], CSG: csg}}, {"accuracy": ACCURACY}))
    assert answer.verdict == verdict
    assert answer.text.startswith(f"CSG {verb} accuracy from 90.0 % to ")
    assert "points [" in answer.text


def test_a_claim_of_a_fall_is_shown_by_a_fall() -> None:
    falling = report({"d:pgd/error@50": {STD: [5.0, 5.1], CSG: [3.0, 3.1]}}, {"d": ERROR})
    (answer,) = answers(falling)
    assert answer.verdict == "shown"
    assert "lowers the error of pgd at 50" in answer.text


def test_one_seed_tests_nothing() -> None:
    (answer,) = answers(report({"mis:mis": {STD: [0.1], CSG: [0.2]}}, {"mis": MIS}))
    assert answer.verdict == "not tested"
    assert answer.text == "CSG changes MIS from 0.1000 to 0.2000 (+0.1000, 1 seed)"


def test_models_that_are_no_twins_are_listed() -> None:
    alone = report({"accuracy:accuracy": {STD: [0.9]}, "accuracy:low": {STD: [0.8]}, "accuracy:high": {STD: [0.95]}},
                   {"accuracy": ACCURACY})  # fmt: skip
    (answer,) = answers(alone)
    assert (answer.verdict, answer.text) == ("measured", f"Accuracy: 90.0 % [80.00, 95.00] ({alone.models[0].name})")


def test_at_most_ten_and_every_analysis_before_the_second_of_any() -> None:
    numbers = {f"d:a{i}/error@1": {STD: [5.0, 5.1], CSG: [3.0, 3.1]} for i in range(20)}
    numbers["mis:mis"] = {STD: [0.1, 0.11], CSG: [0.2, 0.22]}
    found = answers(report(numbers, {"d": ERROR, "mis": MIS}))
    assert len(found) == MOST
    assert [answer.analyzer for answer in found] == ["mis", *["d"] * (MOST - 1)]


def test_without_claims_there_are_none(tmp_path: Path) -> None:
    bare = report({"mis:mis": {STD: [0.1], CSG: [0.2]}}, {"mis": About("MIS")})
    assert answers(bare) == ()
    write_report(bare, tmp_path / "out")
    assert 'id="answers"' not in (tmp_path / "out" / "index.html").read_text()


def test_they_open_the_pages_and_the_summary(tmp_path: Path) -> None:
    both = {"mis:mis": {STD: [0.1, 0.12], CSG: [0.2, 0.23]}, "accuracy:accuracy": {STD: [0.9, 0.91], CSG: [0.8, 0.82]}}
    whole = report(both, {"mis": MIS, "accuracy": ACCURACY})
    write_report(whole, tmp_path / "out")
    page = (tmp_path / "out" / "index.html").read_text()
    assert page.index("CSG raises MIS") < page.index('id="table-1"')
    assert '<a href="#mis">CSG raises MIS' in page
    assert (tmp_path / "out" / "figures" / "answers.pdf").exists()
    assert "CSG raises MIS" in (tmp_path / "out" / "report.md").read_text()
    document = summary_document(whole)["answers"]
    assert [each["number"] for each in document] == ["accuracy", "mis"]  # type: ignore[union-attr, index, call-overload]
