"""What is kept between runs: whole reports, parts of an interrupted analysis, and what an option changes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest

from csg_analyze.analysis import analyze
from csg_analyze.analyzers.localize import methods
from csg_analyze.data.scenes import make_scenes
from csg_analyze.inputs import forward
from csg_analyze.inputs.cache import Cache
from csg_analyze.inputs.contents import code_version, contents_of
from csg_analyze.plan import plan
from csg_analyze.progress import Silent
from csg_analyze.report.document import ModelReport
from tests.examples import random_classifier, random_gate

T = TypeVar("T")
DATA = make_scenes("test", n=80)
CLASSIFIER = replace(random_classifier(gate=random_gate(10, 64)), class_names=DATA.class_names)
ANALYZERS = ("mis", "confusion", "layers", "filters", "localize")
OPTIONS: dict[str, dict[str, Any]] = {"localize": {"bootstrap": 20, "gradmap_filters": 2}}


class Passes(Silent):
    """Writes down what runs over images; interrupts after `until` steps of the gradients."""

    def __init__(self, until: int | None = None) -> None:
        super().__init__()
        self.started: list[str] = []
        self.until = until

    def __call__(self, iterable: Iterable[T], description: str, total: int) -> Iterator[T]:
        self.started.append(description)
        for done, item in enumerate(iterable):
            if self.until is not None and "gradients" in description and done == self.until:
                raise KeyboardInterrupt
            yield item


def run(folder: Path | None, track: Passes | None = None, **changed: dict[str, Any]) -> ModelReport:
    steps = plan(ANALYZERS, {**OPTIONS, **changed})
    return analyze(CLASSIFIER, DATA, steps, cache=Cache(folder), track=track or Passes())


def same(one: ModelReport, other: ModelReport) -> None:
    for name, result in one.results.items():
        again = other.results[name]
        assert result.summary == again.summary, name
        for table in result.tables:
            assert result.frame(table).equals(again.frame(table)), (name, table)
        for matrix, values in result.matrices.items():
            for array in values.arrays:
                np.testing.assert_array_equal(values[array], again.matrices[matrix][array])


def refuse(*_: object, **__: object) -> Any:
    raise AssertionError("computed again")


@pytest.fixture(scope="module")
def uncached() -> ModelReport:
    return run(None)


def test_a_second_run_computes_nothing_again_and_no_bit_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uncached: ModelReport
) -> None:
    same(run(tmp_path), uncached)
    entries = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    monkeypatch.setattr(methods, "filter_ious", refuse)
    monkeypatch.setattr(methods, "smooth_gradients", refuse)
    monkeypatch.setattr(forward, "_run", refuse)
    same(run(tmp_path), uncached)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == entries


def test_an_option_recomputes_only_what_depends_on_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(tmp_path)
    monkeypatch.setattr(methods, "smooth_gradients", refuse)
    changed = {"localize": {"bootstrap": 30, "gradmap_filters": 2}}
    other = run(tmp_path, **changed)
    monkeypatch.undo()
    same(other, run(None, **changed))


def test_interrupted_localize_goes_on_where_it_was(tmp_path: Path, uncached: ModelReport) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, Passes(until=1))
    made: list[int] = []
    smooth = methods.smooth_gradients
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(methods, "smooth_gradients", lambda maps: made.append(len(maps)) or smooth(maps))
        same(run(tmp_path), uncached)
    assert sum(made) == len(DATA) - 64  # the first piece was finished before


def test_maps_too_large_for_the_first_pass_have_one_of_their_own(
    monkeypatch: pytest.MonkeyPatch, uncached: ModelReport
) -> None:
    monkeypatch.setattr(forward, "MOST_MAPS", 0)
    track = Passes()
    same(run(None, track), uncached)
    assert sum("too large for the first pass" in each for each in track.started) == 1


def test_contents_tell_values_shapes_and_types_apart() -> None:
    zeros = np.zeros(4, np.float32)
    different = [
        zeros, zeros.reshape(2, 2), zeros.astype(np.float16), zeros.astype(np.int32), [zeros], (zeros, zeros), "0", 0,
        0.0, None, False, {"a": 1}, {"a": 2}, ["a", 1], [["a"], 1], np.array([0.0, -0.0, 0, 0], np.float32),
    ]  # fmt: skip
    assert len({contents_of(each) for each in different}) == len(different)
    assert contents_of({"a": 1, "b": zeros[::2]}) == contents_of({"b": np.zeros(2, np.float32), "a": 1})
    with pytest.raises(TypeError, match="the contents of a object are unknown"):
        contents_of(object())
    assert len(code_version()) == 64
