from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from csg_analyze.checkpoints.origin import Origin
from csg_analyze.cli.commands import _print_report
from csg_analyze.errors import UsageError
from csg_analyze.paper import PAPER, paper_numbers
from csg_analyze.report.document import ModelReport, Report, Section
from csg_analyze.report.folder import write_report
from csg_analyze.report.over_seeds import headline_over_seeds, over_seeds, over_seeds_as_shown
from csg_analyze.report.seeds import compared, sample_size_note, seeds_of
from csg_analyze.report.summary import summary_document
from csg_analyze.result import Result
from tests.report.conftest import ACCURACY as ACCURACY_SECTION
from tests.report.conftest import MIS

STD, CSG = "STD", "CSG"
ACCURACY = {STD: {0: 0.90, 1: 0.91, 2: 0.92}, CSG: {0: 0.91, 1: 0.90, 2: 0.95}}


def model(
    training: str, seed: int, *, lambda1: str = "1.0", origin: bool = True, **numbers: float | str
) -> ModelReport:
    gate = (("gate.lambda1", lambda1),) if training == CSG else ()
    accuracy = ACCURACY[training][seed]
    return ModelReport(
        name=f"{training.lower()}{seed}-{lambda1}",
        path="x.pt",
        sha256="0",
        architecture="resnet8",
        training=training,
        n_classes=3,
        n_filters=8,
        results={
            "accuracy": Result({"accuracy": accuracy, "n": 10, "worst": "cat", **numbers}),
            "mis": Result({"mis": accuracy / 5, "undefined": None}),
        },
        origin=Origin(training, seed, (("optimisation.lr", "0.1"), *gate), (), f"base{seed}") if origin else None,
    )


def report_of(*models: ModelReport, paper: str | None = None) -> Report:
    sections = (Section("accuracy", replace(ACCURACY_SECTION, title="Accuracy")), Section("mis", MIS))
    data = {"spec": "scenes", "split": "test", "n": 10}
    return Report("Seeds", models, sections, {"created": "2024-02-03"}, data=data, paper=paper_numbers(paper))


TWINS = [model(training, seed) for seed in (0, 1, 2) for training in (CSG, STD)]


def table_of(report: Report) -> pd.DataFrame:
    return over_seeds(report, seeds_of(report.models)).set_index(["analyzer", "number"])


def test_twins_are_compared_with_each_other_and_others_with_the_first_model() -> None:
    twins = [("std0-1.0", "csg0-1.0"), ("std1-1.0", "csg1-1.0"), ("std2-1.0", "csg2-1.0")]
    assert compared(TWINS) == twins
    stranger = replace(model(STD, 0, origin=False), name="stranger")
    assert compared([*TWINS, stranger]) == [*twins, ("csg0-1.0", "stranger")]
    other = model(CSG, 0, lambda1="5.0")
    assert compared([TWINS[1], TWINS[0], other]) == [twins[0], ("std0-1.0", "csg0-5.0")]
    assert compared([model(STD, 0), model(STD, 1)]) == [("std0-1.0", "std1-1.0")]
    assert compared([stranger]) == []


def test_means_deviations_and_differences_in_the_plainest_way() -> None:
    table = table_of(report_of(*TWINS, paper="cifar10"))
    assert list(table.index) == [("accuracy", "accuracy"), ("accuracy", "n"), ("mis", "mis")]
    row = table.loc["accuracy", "accuracy"]
    for training, by_seed in ACCURACY.items():
        values = list(by_seed.values())
        assert row[f"{training} mean"] == pytest.approx(np.mean(values))
        assert row[f"{training} sd"] == pytest.approx(np.std(values, ddof=1))
        assert row[f"{training} n"] == 3
    by_seed = [ACCURACY[CSG][seed] - ACCURACY[STD][seed] for seed in (0, 1, 2)]
    assert [row[f"CSG - STD seed {seed}"] for seed in (0, 1, 2)] == pytest.approx(by_seed)
    assert row["CSG - STD mean"] == pytest.approx(np.mean(by_seed))
    half = 4.302652729911275 * np.std(by_seed, ddof=1) / 3**0.5  # Student's t, 2 degrees of freedom, 97.5 %
    assert (row["CSG - STD low"], row["CSG - STD high"]) == pytest.approx(
        (np.mean(by_seed) - half, np.mean(by_seed) + half)
    )
    assert (row["paper STD"], row["paper CSG"]) == (0.9169, 0.9192)
    assert np.isnan(table.loc[("accuracy", "n"), "paper STD"])


def test_different_numbers_of_images_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def on(model_of_twin: ModelReport, n: int) -> ModelReport:
        result = Result({"mis": 0.1, "mis_chance": 0.01, "n": n}, sample_sizes={"MIS": n})
        return replace(model_of_twin, results={**model_of_twin.results, "mis": result})

    same = report_of(*(on(twin, 850) for twin in TWINS))
    assert sample_size_note(same.models) == sample_size_note(TWINS) == ""
    assert seeds_of(same.models).notes == ()
    other = report_of(*(on(twin, 850 if twin.training == STD else 10_000) for twin in TWINS))
    assert "(csg0-1.0 on 10,000, std0-1.0 on 850) and cannot be compared" in sample_size_note(other.models)
    assert "over different numbers of images" in seeds_of(other.models).notes[0]
    assert "over different numbers of images" in headline_over_seeds(other)
    _print_report(other, None, as_json=True)
    assert "note: MIS comes from different numbers of images" in " ".join(capsys.readouterr().err.split())
    write_report(other, tmp_path / "run")
    for page in ("index.html", "report.md"):
        assert "over different numbers of images" in (tmp_path / "run" / page).read_text()


def test_the_chance_level_stands_beside_mis_over_seeds() -> None:
    numbers = Result({"mis": 0.1, "mis_chance": 0.0043, "mis_above_chance": 0.0957, "n": 10})
    report = report_of(*(replace(twin, results={**twin.results, "mis": numbers}) for twin in TWINS))
    rows = [line.split()[:2] for line in headline_over_seeds(report).splitlines()]
    place = next(i for i, row in enumerate(rows) if row == ["mis", "0.1000"])
    assert rows[place + 1] == ["mis:", "mis_chance"]
    assert summary_document(report)["models"][0]["results"]["mis"]["mis_chance"] == 0.0043  # type: ignore[call-overload, index]


def test_order_of_the_models_does_not_matter() -> None:
    pd.testing.assert_frame_equal(table_of(report_of(*TWINS)), table_of(report_of(*reversed(TWINS))))


def test_a_missing_twin_is_said_and_the_rest_is_compared() -> None:
    seeds = seeds_of([twin for twin in TWINS if twin.name != "std1-1.0"])
    assert [pair.seeds for pair in seeds.pairs] == [(0, 2)]
    assert seeds.notes == ("CSG: seed 1 without an STD twin of the same recipe, data, seed and start",)


def test_one_training_alone_misses_nobody() -> None:
    seeds = seeds_of([twin for twin in TWINS if twin.training == CSG])
    assert (seeds.pairs, seeds.notes) == ((), ())
    assert len(seeds.groups[0].models) == 3


def test_groups_of_one_training_are_told_apart_by_what_differs() -> None:
    seeds = seeds_of([*TWINS, model(CSG, 0, lambda1="5.0")])
    assert [group.label for group in seeds.groups] == ["STD", "CSG, lambda1 1.0", "CSG, lambda1 5.0"]
    assert [(pair.label, pair.seeds) for pair in seeds.pairs] == [
        ("CSG, lambda1 1.0 - STD", (0, 1, 2)), ("CSG, lambda1 5.0 - STD", (0,)),
    ]  # fmt: skip


def test_other_starts_make_no_twins() -> None:
    other = model(STD, 0)
    assert other.origin is not None
    seeds = seeds_of([replace(other, origin=replace(other.origin, start="another")), *TWINS[:1], *TWINS[2:]])
    assert [pair.seeds for pair in seeds.pairs] == [(1, 2)]


def test_strangers_and_repetitions_are_left_out_and_named() -> None:
    stranger, again = replace(model(STD, 0, origin=False), name="stranger"), replace(model(STD, 0), name="again")
    seeds = seeds_of([*TWINS, stranger, again])
    assert seeds.notes == (
        "again repeats seed 0 of std0-1.0's training and is in no group",
        "stranger does not say how it was trained and is in no group",
    )
    assert table_of(report_of(*TWINS, stranger)).loc[("accuracy", "accuracy"), "STD n"] == 3


def _named(report: Report) -> list[str]:
    seeds = seeds_of(report.models)
    return list(over_seeds_as_shown(over_seeds(report, seeds), seeds)["number"])


def test_cells_as_shown() -> None:
    report = report_of(*TWINS)
    seeds = seeds_of(report.models)
    assert _named(report) == ["accuracy", "accuracy: n", "mis"]
    shown = over_seeds_as_shown(over_seeds(report, seeds), seeds)
    assert list(shown.columns) == [
        "number", "STD (n = 3)", "CSG (n = 3)", "CSG - STD", "seed 0", "seed 1", "seed 2",
    ]  # fmt: skip
    assert shown.iloc[0].tolist() == [
        "accuracy", "0.9100 ± 0.0100", "0.9200 ± 0.0265", "+0.0100 [-0.0397, +0.0597]",
        "+0.0100", "-0.0100", "+0.0300",
    ]  # fmt: skip


def test_the_report_shows_them_and_the_summary_holds_them(tmp_path: Path) -> None:
    report = report_of(*TWINS, paper="cifar10")
    write_report(report, tmp_path / "run")
    page, plain = (tmp_path / "run/index.html").read_text(), (tmp_path / "run/report.md").read_text()
    for text in ("0.9200 ± 0.0265", "0.9192", "Over seeds, all 3 numbers"):
        assert text in page
    assert "0.9200 ± 0.0265" in plain
    table = pd.read_csv(tmp_path / "run/tables/over_seeds.csv")
    assert list(table.columns) == ["analyzer", "number", "of", "seed", "n", "mean", "sd", "low", "high"]
    first = table[(table["analyzer"] == "accuracy") & (table["number"] == "accuracy")].set_index(["of", "seed"])
    assert first.loc[("CSG", np.nan), "mean"] == pytest.approx(0.92, abs=1e-15)
    assert first.loc[("CSG", np.nan), "n"] == 3
    over_all = first.loc[("CSG - STD", np.nan)]
    by_seed = [first.loc[("CSG - STD", seed), "mean"] for seed in (0, 1, 2)]
    assert over_all["mean"] == pytest.approx(np.mean(by_seed))
    assert over_all["sd"] == pytest.approx(np.std(by_seed, ddof=1))
    assert (over_all["n"], first.loc[("paper CSG", np.nan), "mean"]) == (3, 0.9192)
    assert not table.duplicated(["analyzer", "number", "of", "seed"]).any()
    assert "0.9200 ± 0.0265" in (tmp_path / "run/tables/over_seeds.tex").read_text()
    document = json.loads((tmp_path / "run/summary.json").read_text())
    assert document == json.loads(json.dumps(summary_document(report)))
    csg = document["groups"][1]
    assert (csg["label"], csg["models"]) == ("CSG", {"0": "csg0-1.0", "1": "csg1-1.0", "2": "csg2-1.0"})
    assert csg["results"]["accuracy"]["accuracy"]["mean"] == pytest.approx(0.92)
    assert document["differences"][0]["results"]["mis"]["mis"]["mean"] == pytest.approx(0.002)
    assert "CSG - STD" in headline_over_seeds(report)


def test_the_authors_remark_stands_in_the_caption_or_else_with_the_notes(tmp_path: Path) -> None:
    for name, models in (("several", TWINS), ("one", (model(STD, 0), model(CSG, 0)))):
        write_report(replace(report_of(*models), remark="Chosen on seed <0>."), tmp_path / name)
        page, plain = ((tmp_path / name / file).read_text() for file in ("index.html", "report.md"))
        assert page.count("Chosen on seed &lt;0&gt;.") == plain.count("Chosen on seed") >= 1
        assert "<0>" not in page


def test_one_seed_needs_no_such_table_unless_the_paper_stands_beside(tmp_path: Path) -> None:
    pair = report_of(model(STD, 0), model(CSG, 0))
    assert headline_over_seeds(pair) == ""
    write_report(pair, tmp_path / "run")
    assert not (tmp_path / "run/tables/over_seeds.csv").exists()
    beside = headline_over_seeds(report_of(model(STD, 0), model(CSG, 0), paper="voc"))
    assert "0.8506" in beside
    assert "±" not in beside


def test_an_unknown_dataset_of_the_paper_is_named() -> None:
    with pytest.raises(UsageError, match="unknown dataset of the paper 'cifar'; did you mean 'cifar10'"):
        paper_numbers("cifar")


def test_the_papers_numbers_are_shares_and_percentages() -> None:
    for numbers in PAPER.values():
        for (_, name), by_training in numbers.items():
            assert set(by_training) <= {STD, CSG}
            assert all(0 < value < (100 if "percent" in name else 1) for value in by_training.values())


def test_models_of_other_classes_share_no_figure_and_no_bold_cell(report: Report, tmp_path: Path) -> None:
    first, second = report.models
    write_report(replace(report, models=(first, replace(second, class_names=("x", "y", "z")))), tmp_path / "run")
    drawn = sorted(path.name for path in (tmp_path / "run/figures").glob("accuracy_recall*.png"))
    assert drawn == ["accuracy_recall-2.png", "accuracy_recall.png"]
    assert r"\textbf" not in (tmp_path / "run/tables/table1.tex").read_text()
