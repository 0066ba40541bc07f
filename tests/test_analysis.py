from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import pytest

from csg_analyze.analysis import analyze, as_result, open_dataset
from csg_analyze.composing import compose
from csg_analyze.errors import NotAvailable, UsageError
from csg_analyze.plan import Plan, plan
from csg_analyze.progress import Silent
from csg_analyze.registry import read_signature
from csg_analyze.result import Result
from csg_analyze.stages import distinct_names
from tests.examples import random_classifier, random_dataset, random_gate

T = TypeVar("T")


def test_one_pass_serves_all_analyzers() -> None:
    passes: list[str] = []

    class Counting(Silent):
        def __call__(self, iterable: Iterable[T], description: str, total: int) -> Iterator[T]:
            passes.append(description)
            yield from iterable

    report = analyze(random_classifier(gate=random_gate(10, 64)), random_dataset(60), track=Counting())
    assert set(report.results) >= {"accuracy", "gate", "mis"}
    once = [each for each in passes if "pgd" not in each]  # attacks run the network by their nature
    assert once == ["random: 60 images"]


def test_what_a_model_lacks_is_skipped_with_the_reason() -> None:
    report = analyze(random_classifier(), random_dataset(60), ["gate", "accuracy"])
    assert set(report.results) == {"accuracy"}
    assert report.skipped == {"gate": "no gate in this checkpoint"}


def steps(**functions: Any) -> dict[str, Any]:
    return {name: read_signature(name, function) for name, function in functions.items()}


def test_optional_needs_are_none_and_each_input_is_computed_once() -> None:
    calls: list[str] = []

    def lacking(classifier: object) -> float:
        calls.append("lacking")
        raise NotAvailable("it has none")

    def wants(lacking: float | None) -> dict[str, object]:
        return {"got": lacking}

    def insists(lacking: float) -> dict[str, object]:
        return {"got": lacking}

    inputs = steps(lacking=lacking)
    chosen = Plan(tuple(steps(wants=wants, insists=insists, again=insists).values()), inputs, {})
    report = analyze(random_classifier(), random_dataset(5), chosen)
    assert report.results["wants"].summary == {"got": None}
    assert report.skipped == {"insists": "it has none", "again": "it has none"}
    assert calls == ["lacking"]


def test_inputs_may_look_at_all_compared_models() -> None:
    def names(compared: tuple[tuple[Any, Any], ...]) -> dict[str, object]:
        return {"names": " ".join(classifier.name for classifier, _ in compared)}

    chosen = Plan(tuple(steps(names=names).values()), {}, {})
    both = tuple((random_classifier(name=name), random_dataset(5)) for name in "ab")
    assert analyze(*both[1], chosen, compared=both).results["names"].summary == {"names": "a b"}
    assert analyze(*both[1], chosen).results["names"].summary == {"names": "b"}


def test_options_reach_their_owner() -> None:
    report = analyze(random_classifier(), random_dataset(80), plan(["mis"], {"mis": {"n_neighbors": 1}}))
    other = analyze(random_classifier(), random_dataset(80), plan(["mis"]))
    assert report.results["mis"].summary["mis"] != other.results["mis"].summary["mis"]


@pytest.mark.parametrize(
    ("analyzers", "options", "words"),
    [
        (["miss"], {}, "unknown analyzer 'miss'; did you mean 'mis'"),
        (["mis"], {"mis": {"neighbours": 3}}, "unknown option of mis 'neighbours'"),
        (["mis"], {"gates": {}}, "unknown analyzer or input with options"),
    ],
)
def test_bad_requests_are_named(analyzers: list[str], options: dict[str, dict[str, Any]], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        plan(analyzers, options)


def test_needs_that_nobody_provides_or_that_turn_in_circles(monkeypatch: pytest.MonkeyPatch) -> None:
    def analyzer(egg: int) -> dict[str, int]:
        return {"egg": egg}

    def egg(hen: int) -> int:
        return hen

    def hen(egg: int) -> int:
        return egg

    table = steps(analyzer=analyzer, egg=egg, hen=hen)
    monkeypatch.setattr("csg_analyze.plan.find", lambda _group, name: table[name])
    monkeypatch.setattr("csg_analyze.plan.registered", lambda _group: {"analyzer", "egg", "hen"})
    with pytest.raises(UsageError, match="egg -> hen -> egg"):
        plan(["analyzer"])
    monkeypatch.setattr("csg_analyze.plan.registered", lambda _group: {"analyzer", "egg"})
    with pytest.raises(UsageError, match="'egg' needs an input 'hen' that nothing installed provides"):
        plan(["analyzer"])


def test_mis_from_different_numbers_of_images_is_warned_of() -> None:
    classifiers = [random_classifier(name=name) for name in ("few", "many")]
    for numbers, warned in (((40, 60), True), ((40, 40), False)):
        datasets = [random_dataset(n) for n in numbers]
        steps = plan(["mis"])
        models = [analyze(*each, steps) for each in zip(classifiers, datasets, strict=True)]
        notes = " ".join(compose(models, classifiers, datasets, steps).notes)
        assert ("MIS comes from different numbers of images (few on 40, many on 60)" in notes) == warned


def test_third_parties_may_return_plain_things() -> None:
    assert as_result({"a": 1.5, "b": None}, "x").summary == {"a": 1.5, "b": None}
    frame = pd.DataFrame({"a": [1]})
    assert as_result(frame, "x").frame("x") is frame
    result = Result({"a": 1})
    assert as_result(result, "x") is result
    with pytest.raises(UsageError, match="returned list"):
        as_result([1, 2], "x")


def test_results_do_not_depend_on_the_batch_size() -> None:
    gate = random_gate(10, 64)
    summaries = [
        analyze(
            random_classifier(gate=gate), random_dataset(50), plan(None, {"forward_pass": {"batch_size": size}})
        ).results
        for size in (7, 50)
    ]
    for name, result in summaries[0].items():
        for key, value in result.summary.items():
            assert value == summaries[1][name].summary[key], (name, key)


def test_data_and_checkpoint_must_have_the_same_classes() -> None:
    five = random_classifier(n_classes=5)
    with pytest.raises(UsageError, match=r"5 classes.*10"):
        open_dataset(five, "scenes")
    with pytest.raises(UsageError, match=r"5 classes.*10"):
        open_dataset(replace(five, class_names=None), "scenes")
    with pytest.raises(UsageError, match="give --data"):
        open_dataset(five)


def test_names_become_distinct() -> None:
    one = random_classifier(name="csg")
    two = replace(one, path=one.path.parent / "run2" / "csg.pt")
    names = [c.name for c in distinct_names([replace(one, path=one.path.parent / "run1" / "csg.pt"), two])]
    assert names == ["run1/csg", "run2/csg"]
    assert [c.name for c in distinct_names([one, one])] == ["/csg (1)", "/csg (2)"]
    assert distinct_names([one])[0].name == "csg"


def test_the_network_is_left_as_it_was() -> None:
    classifier = random_classifier(gate=random_gate(10, 64))
    before = {k: v.clone() for k, v in classifier.network.state_dict().items()}
    analyze(classifier, random_dataset(20))
    after = classifier.network.state_dict()
    assert all(np.array_equal(before[name], after[name]) for name in before)
    assert not classifier.network.training
