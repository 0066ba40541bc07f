"""The examples in docstrings, as a reader would type them."""

from __future__ import annotations

import doctest
from importlib import import_module
from pathlib import Path

import pytest

import csg_analyze
from csg_analyze.metrics import gates
from csg_analyze.metrics.mutual_information import mutual_information

ROOT = Path(__file__).parents[1]
WITH_EXAMPLES = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for folder in ("csg_analyze", "training")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("module", WITH_EXAMPLES)
def test_examples_give_what_they_say(module: str) -> None:
    outcome = doctest.testmod(import_module(module))
    assert outcome.attempted > 0
    assert outcome.failed == 0


@pytest.mark.parametrize(
    "function",
    [
        csg_analyze.run, csg_analyze.analyze, csg_analyze.classifier_of, mutual_information, gates.l1_density,
        gates.density_interval, gates.fixed_sizes,
    ],
)  # fmt: skip
def test_what_most_will_call_has_an_example(function: object) -> None:
    assert doctest.DocTestParser().get_examples(function.__doc__ or "")
