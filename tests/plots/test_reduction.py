from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from csg_analyze.metrics.arrays import FloatArray
from csg_analyze.plots.reduction import (
    Reduction,
    block_size,
    counted,
    reduced,
    shortened,
    strongest_pairs,
    thinned,
    tick_step,
)

sizes = st.integers(1, 23)
factors = st.integers(1, 5)


def naive(matrix: FloatArray, rows: int, columns: int, reduction: Reduction) -> list[list[float]]:
    result = []
    for top in range(0, matrix.shape[0], rows):
        line = []
        for left in range(0, matrix.shape[1], columns):
            block = matrix[top : top + rows, left : left + columns].ravel().tolist()
            values = [value for value in block if value == value]
            if not values:
                line.append(float("nan"))
            elif reduction == "mean":
                line.append(sum(values) / len(values))
            elif reduction == "maximum":
                line.append(max(values))
            else:
                line.append(max(values, key=abs))
        result.append(line)
    return result


@given(sizes, sizes, factors, factors, st.sampled_from(["maximum", "mean", "largest magnitude"]), st.integers(0, 99))
def test_reduction_is_the_naive_one(
    height: int, width: int, rows: int, columns: int, how: Reduction, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(height, width))
    matrix[rng.random((height, width)) < 0.3] = np.nan
    np.testing.assert_allclose(reduced(matrix, rows, columns, how), naive(matrix, rows, columns, how), rtol=1e-12)


@given(sizes, sizes, factors, factors, st.integers(0, 99))
def test_the_strongest_pair_is_one_cell(height: int, width: int, rows: int, columns: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    first, second = rng.random((2, height, width))
    a, b = strongest_pairs(first, second, rows, columns)
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            block = np.s_[i * rows : (i + 1) * rows, j * columns : (j + 1) * columns]
            pairs = list(zip(first[block].ravel(), second[block].ravel(), strict=True))
            assert (a[i, j], b[i, j]) == max(pairs, key=sum)


def test_separate_maxima_do_not_make_an_overlap() -> None:
    a, b = strongest_pairs(np.array([[1.0, 0.0]]), np.array([[0.0, 0.9]]), 1, 2)
    assert (a.item(), b.item()) == (1.0, 0.0)


@pytest.mark.parametrize(("length", "size"), [(1, 1), (400, 1), (401, 2), (1000, 3), (2048, 6)])
def test_block_size(length: int, size: int) -> None:
    assert block_size(length) == size
    assert -(-length // size) <= 400


@given(st.integers(1, 5000), st.integers(1, 40))
def test_tick_step_is_the_smallest_round_one(length: int, most: int) -> None:
    round_steps = [digit * 10**power for power in range(5) for digit in (1, 2, 5)]
    fitting = [step for step in round_steps if len(range(0, length, step)) <= most]
    assert tick_step(length, most) == fitting[0]


def test_names_thin_out() -> None:
    positions, texts = thinned([f"class {i}" for i in range(1000)], 25)
    assert positions == list(range(0, 1000, 50))
    assert texts[1] == "class 50"


def test_names_are_cut_to_one_line() -> None:
    assert shortened("Egyptian\ncat", 16) == "Egyptian cat"
    assert shortened("a" * 30, 16) == "a" * 15 + "…"


def test_an_axis_says_what_it_leaves_out() -> None:
    assert counted("filter", 64, "maximum") == "filter; n = 64"
    assert counted("class", 1000, "mean") == "class; n = 1,000\nmean of every 3"
