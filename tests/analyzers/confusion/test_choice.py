"""The classes to remove, by name or index, and options that cannot be used."""

from __future__ import annotations

from typing import Any

import pytest

from csg_analyze.analyzers.confusion.choice import chosen_classes
from csg_analyze.errors import NotAvailable, UsageError
from tests.analyzers.confusion.example_network import NAMES, C, Example, K
from tests.examples import random_gate


@pytest.mark.parametrize(
    ("text", "expected"),
    [(None, [0, 5]), ("cat", [2]), ("0,5", [0, 5]), (" dog , ant,dog", [3, 0]), ("6", [6]), ("bee,2,", [1, 2])],
)
def test_classes_by_name_or_index(text: str | None, expected: list[int]) -> None:
    assert chosen_classes(text, NAMES) == expected


def test_classes_of_few_and_of_awkward_names() -> None:
    assert chosen_classes(None, NAMES[:4]) == [0, 3]
    names = ("tench, Tinca tinca", "tench", "1", "none")
    assert chosen_classes("tench,Tinca tinca,tench", names) == [0, 1]
    assert chosen_classes("1", names) == [2]  # a name goes before an index


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"classes": "can"}, "unknown class 'can'; did you mean 'cat'"),
        ({"classes": "cat,7"}, "there is no class 7: 7 classes are counted from 0 to 6"),
        ({"classes": " , "}, "--classes names no class"),
        ({"gate_threshold": 1.0}, "--gate-threshold must be at least 0 and below 1, not 1.0"),
        ({"fraction": 0.0}, "--fraction must be above 0 and at most 1, not 0.0"),
        ({"fraction": float("nan")}, "--fraction must be"),
    ],
)
def test_bad_requests_are_named(options: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        Example().run(random_gate(C, K), **options)


def test_a_gate_that_is_missing_or_of_another_shape() -> None:
    with pytest.raises(NotAvailable, match="no gate in this checkpoint"):
        Example().run(select="gate")
    with pytest.raises(UsageError, match=r"shape \(7, 29\), but classes x filters is \(7, 30\)"):
        Example().run(random_gate(C, 29))
