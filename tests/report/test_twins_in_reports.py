"""What a report says of twins that differ in more than the gate, of seeds that continue one network, of Table 3."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from csg_analyze.about import About, Headline
from csg_analyze.checkpoints.origin import Origin
from csg_analyze.report.document import ModelReport, Report, Section
from csg_analyze.report.folder import write_report
from csg_analyze.report.over_seeds import headline_over_seeds, in_headline, over_seeds, over_seeds_as_shown
from csg_analyze.report.seeds import seeds_of
from csg_analyze.report.summary import summary_document
from csg_analyze.result import Result, Table
from tests.report.test_seeds import CSG, STD, TWINS, model, report_of

RECIPE = (
    ("optimisation.epochs", "4"), ("optimisation.lr", "0.1"), ("optimisation.weight_decay", "0.0005"),
    ("optimisation.schedule", '"onecycle"'), ("optimisation.std_trainable", '["conv1"]'),
    ("turns.scheme", '"alternate"'), ("turns.warmup_epochs", "0"), ("turns.period", "4"), ("turns.csg_epochs", "1"),
    ("turns.csg_turn", '"first"'), ("gate.lambda1", "1.0"), ("csg_path.csg_weight_decay", "0.02"),
    ("csg_path.csg_schedule", "null"), ("csg_path.csg_trainable", '["fc"]'),
)  # fmt: skip
BESIDES = (
    "CSG - STD: the twins differ, besides the gate and its loss, in STD epochs (STD: 4; CSG: 3); CSG epochs (STD: "
    "none; CSG: 1); csg_weight_decay (STD: 0.0005; CSG: 0.02); csg_trainable (STD: conv1; CSG: fc); the head fc (STD: "
    "not trained, as it was at the start; CSG: trained in CSG epochs)"
)  # fmt: skip


def forked(training: str, seed: int, start: str = "") -> ModelReport:
    """A twin of a recipe whose CSG epochs treat the head in a way of their own. start: by default its seed's."""

    def subtract(first: Result, second: Result) -> Table:
        difference = float(second.summary["accuracy"]) - float(first.summary["accuracy"])  # type: ignore[arg-type]
        table = pd.DataFrame({"metric": ["accuracy"], "difference": [difference]})
        return Table(table, "Said by the analyzer.")

    twin = model(training, seed)
    accuracy = replace(twin.results["accuracy"], paired={"differences": subtract})
    origin = Origin(training, seed, RECIPE, (), start or f"base{seed}", "fc")
    return replace(twin, origin=origin, results={**twin.results, "accuracy": accuracy})


def texts(report: Report, folder: Path) -> dict[str, str]:
    """What the two pages and the terminal say."""
    write_report(report, folder)
    page, plain = ((folder / name).read_text() for name in ("index.html", "report.md"))
    return {"page": page, "plain": plain.replace("\\", ""), "terminal": headline_over_seeds(report)}


def test_twins_say_in_what_they_differ_besides_the_gate(tmp_path: Path) -> None:
    several = [forked(training, seed) for seed in (0, 1) for training in (STD, CSG)]
    assert (seeds_of(several).cautions, seeds_of(several).notes) == ((BESIDES,), ())
    # beside the numbers over seeds, or in a note where there are none; and beside the paired differences
    for name, models in (("several", several), ("one", several[:2])):
        for where, text in texts(report_of(*models), tmp_path / name).items():
            assert text.count(BESIDES) == (1 if where == "terminal" else 2), (name, where)
    (difference,) = summary_document(report_of(*several))["differences"]  # type: ignore[misc]
    assert difference["besides_the_gate"][0] == {"field": "STD epochs", "std": "4", "csg": "3"}  # type: ignore[index,call-overload]


def test_twins_that_differ_in_the_gate_alone_say_nothing(tmp_path: Path) -> None:
    assert seeds_of(TWINS).cautions == ()
    for text in texts(report_of(*TWINS), tmp_path / "run").values():
        assert "besides the gate" not in text
        assert "continue" not in text


@pytest.mark.parametrize(
    ("starts", "expected"),
    [
        ("aaa", "STD and CSG: all 3 seeds continue one trained network, so that deviations and intervals over seeds"),
        ("aab", "STD and CSG: all 3 seeds continue only 2 trained networks, so that"),
        ("abc", ""),
    ],
)  # fmt: skip
def test_seeds_that_continue_one_network_say_so(starts: str, expected: str, tmp_path: Path) -> None:
    models = [forked(training, seed, start) for seed, start in enumerate(starts) for training in (STD, CSG)]
    cautions = [caution for caution in seeds_of(models).cautions if "continue" in caution]
    assert len(cautions) == bool(expected)
    report = report_of(*models)
    for text in texts(report, tmp_path / "run").values():
        assert (expected in text) if expected else ("continue" not in text)
    groups = summary_document(report)["groups"]
    assert [group["starts"] for group in groups] == [len(set(starts))] * 2  # type: ignore[union-attr,index,call-overload]


def test_seeds_that_began_with_drawn_weights_or_stand_alone_say_nothing() -> None:
    drawn = [replace(twin, origin=replace(twin.origin, start=None)) for twin in TWINS if twin.origin is not None]
    assert seeds_of(drawn).cautions == ()
    assert seeds_of([model(STD, 0), model(CSG, 0)]).cautions == ()


def test_a_paired_table_beside_seeds_is_called_one_seeds_images(tmp_path: Path) -> None:
    several = [forked(training, seed) for seed in (0, 1) for training in (STD, CSG)]
    said = texts(report_of(*several), tmp_path / "several")
    for where in ("page", "plain"):
        text = said[where].replace("&#39;", "'")
        assert "Accuracy: differences, one seed's images, not seeds. Said by the analyzer." in text
        assert "is for these two networks and other images, not for other seeds. The table over seeds" in text
    assert (tmp_path / "several/tables/accuracy_differences.csv").exists()
    assert "Accuracy: differences. Said by the analyzer." in texts(report_of(*several[:2]), tmp_path / "one")["page"]


def test_over_seeds_every_difference_of_table_3_stands_first_with_its_interval() -> None:
    values = {STD: (19.0, 16.0, 17.0), CSG: (16.1, 14.9, 11.9)}
    numbers_of_table = ("fgsm/error_percent@500", "fgsm/auroc@500", "cw/error_percent@500", "cw/error_percent@2000")

    def detected(training: str, seed: int) -> ModelReport:
        summary = dict.fromkeys(numbers_of_table, values[training][seed])
        return replace(model(training, seed), results={"adv-detect": Result(summary)})

    report = report_of(*(detected(training, seed) for seed in (0, 1, 2) for training in (STD, CSG)))
    section = Section("adv-detect", About("Detection", headlines=(Headline("*/error_percent@*"),)))
    report = replace(report, sections=(section,))
    seeds = seeds_of(report.models)
    numbers = over_seeds(report, seeds)
    shown = over_seeds_as_shown(numbers[in_headline(report, numbers)], seeds).set_index("number")
    assert list(shown.index) == [f"adv-detect: {name}" for name in numbers_of_table if "error_percent" in name]
    assert shown["CSG - STD"].unique().tolist() == ["-3.0333 [-8.0099, +1.9432]"]
