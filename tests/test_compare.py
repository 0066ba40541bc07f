"""Two reports compared from what they wrote."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from csg_analyze import Comparison, UsageError, compare
from csg_analyze.about import About, Headline
from csg_analyze.metrics.statistics import paired_difference, share_with_interval
from csg_analyze.report.document import ModelReport, Report, Section
from csg_analyze.report.folder import write_report
from csg_analyze.result import Result, Table
from tests.test_cli import call

N = 60
ACCURACY = About("Accuracy", headlines=(Headline("accuracy", "Accuracy", ("low", "high")),))
MIS = About("MIS", headlines=(Headline("mis"),))


def right(seed: int, share: float) -> np.ndarray:
    return np.random.default_rng(seed).random(N) < share


def model(name: str, correct: np.ndarray, mis: float = 0.1, *, samples: bool = True, n: int = N) -> ModelReport:
    share, low, high = share_with_interval(int(correct.sum()), len(correct))
    ids = [f"image {i}" for i in range(len(correct))]
    frame = pd.DataFrame({"sample_id": ids, "correct": correct}) if samples else None
    results = {
        "accuracy": Result(
            {"accuracy": share, "low": low, "high": high, "n": n, "worst": "cat"},
            tables={"per_class": Table(pd.DataFrame({"class": ["a"], "recall": [share]}))},
            samples=frame,
        ),
        "mis": Result({"mis": mis}),
    }
    return ModelReport(name, f"{name}.pt", name.encode().hex(), "resnet8", "STD", 3, 8, results)


def written(folder: Path, *models: ModelReport, **data: object) -> Path:
    facts = {"spec": "scenes", "split": "test", "n": N, "classes": ["a", "b"], "fingerprint": "f", **data}
    provenance = {
        "created": "2024-02-03",
        "data": facts,
        "device": "cpu",
        "options": {"mis": {"seed": 0}},
        "versions": {"torch": "2"},
    }
    sections = (Section("accuracy", ACCURACY), Section("mis", MIS))
    write_report(Report("T", models, sections, provenance, data=facts), folder)  # type: ignore[arg-type]
    return folder


def by_number(comparison: Comparison) -> Mapping[str, object]:
    return {each.number: each for each in comparison.differences}


def test_the_same_report_twice_has_no_difference(tmp_path: Path) -> None:
    for name in "ab":
        written(tmp_path / name, model("std", right(0, 0.8)), model("csg", right(1, 0.7)))
    comparison = compare(tmp_path / "a", tmp_path / "b")
    assert comparison.zero
    assert comparison.notes == ()
    assert comparison.other_tables == ()
    assert {each.model for each in comparison.differences} == {"std", "csg"}
    assert all(each.equal and each.differs is False for each in comparison.differences)
    assert "Of 2 tables 2 are the same, byte by byte." in str(comparison)


def test_samples_of_the_same_images_are_paired(tmp_path: Path) -> None:
    before = right(0, 0.8)
    after = before.copy()
    after[np.flatnonzero(before)[:6]] = False
    a, b = written(tmp_path / "a", model("std", before)), written(tmp_path / "b", model("std", after))
    comparison = compare(a, b)
    found = by_number(comparison)["accuracy"]
    expected = paired_difference(after.astype(float), before.astype(float))
    assert (found.way, found.differs, found.headline) == ("samples", True, True)  # type: ignore[attr-defined]
    assert (found.difference, found.low, found.high) == pytest.approx(expected)  # type: ignore[attr-defined]
    assert not comparison.zero
    assert comparison.other_tables == ("accuracy_per_class.csv", "table1.csv")
    # the two intervals overlap: only the pairing shows the difference
    unpaired = compare(
        written(tmp_path / "c", model("std", before, samples=False)),
        written(tmp_path / "d", model("std", after, samples=False)),
    )
    found = by_number(unpaired)["accuracy"]
    assert (found.way, found.differs) == ("intervals", False)  # type: ignore[attr-defined]


def test_an_interval_from_two_intervals_is_newcombes(tmp_path: Path) -> None:
    # 56 of 70 and 48 of 80: the example of Newcombe (1998), method 10, as first minus second [.0524, .3339]
    first, second = np.arange(70) < 56, np.arange(80) < 48
    a, b = written(tmp_path / "a", model("x", second, samples=False)), written(tmp_path / "b", model("x", first))
    found = by_number(compare(a, b))["accuracy"]
    assert (found.low, found.high) == pytest.approx((0.0524, 0.3339), abs=5e-5)  # type: ignore[attr-defined]
    assert found.differs is True  # type: ignore[attr-defined]


def test_a_number_without_an_interval_is_shown_without_a_verdict(tmp_path: Path) -> None:
    a, b = (written(tmp_path / n, model("x", right(0, 0.8), mis)) for n, mis in (("a", 0.1), ("b", 0.2)))
    comparison = compare(a, b)
    found = by_number(comparison)["mis"]
    assert (found.difference, found.differs) == (0.1, None)  # type: ignore[attr-defined]
    assert "mis: mis" not in str(comparison)
    assert all(len(line) <= 80 for line in str(comparison).splitlines() if not line.startswith(("a:", "b:")))


def test_what_keeps_two_reports_from_being_compared_is_said(tmp_path: Path) -> None:
    few = right(0, 0.8)[:20]
    a = written(tmp_path / "a", model("x", right(0, 0.8)), model("only a", right(0, 0.5)))
    b = written(tmp_path / "b", replace(model("x", few, n=20), sha256="1"), n=20, classes=["c"], fingerprint="g")
    (b / "samples/accuracy.parquet").write_bytes(b"damaged")
    summary = json.loads((b / "summary.json").read_text())
    (b / "summary.json").write_text(json.dumps({**summary, "schema": 2}))
    comparison = compare(a, b)
    notes = "\n".join(comparison.notes)
    for phrase in (
        "schema 2, not 1", "the classes differ (2 and 1)", "the data differ: scenes, test, 60 images and scenes",
        "has the models only a", "SHA-256 differ): x", "accuracy is from 60 and 20 images",
        "not compared image by image",
    ):  # fmt: skip
        assert phrase in notes, phrase
    assert all(each.low != each.low for each in comparison.differences)  # two tasks: no interval
    (b / "provenance.json").unlink()
    assert any("no provenance.json" in note for note in compare(a, b).notes)


def test_models_are_paired_by_their_files_or_as_the_only_ones(tmp_path: Path) -> None:
    x, renamed = model("x", right(0, 0.8)), replace(model("y", right(0, 0.8)), sha256="78")
    other = model("z", right(1, 0.8))
    a = written(tmp_path / "a", x, other)
    b = written(tmp_path / "b", other, renamed)
    assert [each.model for each in compare(a, b).headlines] == ["x and y", "x and y", "z", "z"]
    c, d = written(tmp_path / "c", x), written(tmp_path / "d", other)
    assert {each.model for each in compare(c, d).differences} == {"x and z"}


def test_the_command_prints_a_table_or_json_and_refuses_what_is_no_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a = written(tmp_path / "a", model("x", right(0, 0.8)))
    assert call("compare", str(a), str(a)) == 0
    assert "Of 2 tables 2 are the same" in capsys.readouterr().out
    assert call("compare", str(a), str(a), "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["zero"] is True
    assert document["differences"][0]["number"] == "accuracy"
    (tmp_path / "empty").mkdir()
    for bad in ("empty", "nowhere"):
        assert call("compare", str(a), str(tmp_path / bad)) == 2
        error = capsys.readouterr().err
        assert error.startswith("error: ")
        assert error.count("\n") == 1
    (tmp_path / "empty/summary.json").write_text('{"models": 3}')
    with pytest.raises(UsageError, match="does not list models"):
        compare(a, tmp_path / "empty")


def test_reports_written_before_headlines_were_named_are_compared_by_what_analyses_declare(tmp_path: Path) -> None:
    a = written(tmp_path / "a", model("x", right(0, 0.8)))
    summary = json.loads((a / "summary.json").read_text())
    del summary["headlines"]
    summary["models"][0]["results"]["somebodys"] = {"first": 1.0, "second": 2.0}
    (a / "summary.json").write_text(json.dumps(summary))
    assert [each.number for each in compare(a, a).headlines] == ["accuracy", "mis", "first"]
