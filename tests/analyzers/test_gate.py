from __future__ import annotations

import numpy as np
import pytest

from csg_analyze.analyzers.gate import gate
from csg_analyze.report.writing import long_form
from tests.examples import random_gate

NAMES = tuple("abcdef")


def test_every_number_by_plain_loops() -> None:
    matrix = random_gate(6, 20)
    result = gate(matrix, NAMES, 30.0)
    total = sum(matrix[c, k] for c in range(6) for k in range(20))
    assert result.summary["l1_density"] == pytest.approx(total / 120)
    assert result.summary["interval_low"] == pytest.approx(1 / 6)
    assert result.summary["interval_high"] == pytest.approx(30 / 120)
    owners = [[c for c in range(6) if matrix[c, k] > 0.5] for k in range(20)]
    assert result.summary["shared_filters"] == sum(len(classes) > 1 for classes in owners)
    assert result.summary["unassigned_filters"] == 0
    per_class = result.frame("per_class").set_index("class")
    for c, name in enumerate(NAMES):
        assert per_class.loc[name, "n_filters"] == sum(c in classes for classes in owners)
        assert per_class.loc[name, "n_own"] == sum(classes == [c] for classes in owners)
        assert per_class.loc[name, "l1_norm"] == pytest.approx(sum(matrix[c]))
    for row in long_form(result.matrices["matrix"]).itertuples():
        assert row.gate == matrix[NAMES.index(row._2), row.filter]  # the column named "class"
    for row in result.frame("filters").itertuples():
        assert row._2 == NAMES[int(np.argmax(matrix[:, row.filter]))]


def test_without_a_recorded_bound_the_interval_stays_open() -> None:
    result = gate(random_gate(6, 20), NAMES, None)
    assert result.summary["interval_high"] is None
    assert "bound" in result.notes[0]


def test_a_gate_that_belongs_to_nobody_is_counted() -> None:
    matrix = np.zeros((6, 4))
    matrix[0, 0] = 1
    assert gate(matrix, NAMES, 4.0).summary["unassigned_filters"] == 3
