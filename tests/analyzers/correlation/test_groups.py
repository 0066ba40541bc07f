from __future__ import annotations

import numpy as np

from csg_analyze.analyzers.correlation.groups import divided, members_of, undivided
from csg_analyze.metrics.filters import owners
from tests.metrics.test_gates import fixed


def test_members_by_plain_loops() -> None:
    strength = np.array([[0.2, 1.0, 1.0, 0.0, -0.1], [1.0, 0.0, 1.0, 0.0, -0.5], [0.3, 0.9, 0.2, 0.0, -0.2]])
    owner = owners(strength)
    expected = [[owner[k] == c for k in range(5)] for c in range(3)]
    np.testing.assert_array_equal(members_of(owner, 3), expected)


def test_the_gate_divides_the_filters_else_the_activations_else_nothing() -> None:
    gate = fixed(3, 2, 1)
    means = np.random.default_rng(0).random((3, 7))
    by_gate, by_activation, none = divided(means, gate, 2), divided(means, None, 2), undivided(7)
    assert (by_gate.by, by_activation.by, none.by) == ("gate", "activation", None)
    assert by_gate.owner.tolist() == [0, 0, 1, 1, 2, 2, 3]
    np.testing.assert_array_equal(by_activation.owner, means.argmax(axis=0))
    np.testing.assert_array_equal(by_gate.most_active, by_activation.most_active)
    assert by_gate.most_active.sum(axis=1).tolist() == [2, 2, 2]
    assert by_gate.own.sum(axis=1).tolist() == [2, 2, 2]
    assert none.owner.tolist() == [0] * 7
    assert len(none.own) == len(none.most_active) == 0
