from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.text import Annotation

from csg_analyze.analyzers.correlation.analysis import correlation
from csg_analyze.analyzers.correlation.figures import draw_curves, draw_matrices
from csg_analyze.metrics.correlation import FilterWeights, correlation_matrix
from csg_analyze.result import Result, Table
from tests.examples import random_gate

NAMES = ("ant", "bee", "$cat$")


def result_of(n_filters: int, n_classes: int, *, with_gate: bool = True, matches: bool = True) -> Result:
    rng = np.random.default_rng(n_filters)
    names = NAMES if n_classes == 3 else tuple(f"class {c}" for c in range(n_classes))
    labels = np.arange(2 * n_classes) % n_classes
    gate = random_gate(n_classes, n_filters) if with_gate else None
    weights = rng.normal(size=(n_filters, 6)) + 0.5
    return correlation(
        FilterWeights("conv", weights, matches), rng.random((len(labels), n_filters)), labels, names, gate, None
    )


def panels(models: dict[str, Result]) -> dict[str, Axes]:
    return {axes.get_title(): axes for axes in draw_matrices(models).axes if axes.get_title()}


def names_beside(axes: Axes) -> list[Annotation]:
    found = [text for text in axes.texts if isinstance(text, Annotation) and text.arrow_patch is not None]
    assert len({text.xy[0] for text in found}) == 1
    return found


def scores_above(axes: Axes) -> str:
    (found,) = [text.get_text() for text in axes.texts if "C_IC" in text.get_text()]
    return found


def test_panels_share_a_scale_and_show_the_table_in_its_order() -> None:
    models = {"one": result_of(12, 3), "two": result_of(30, 3, with_gate=False)}
    found = panels(models)
    assert list(found) == ["one", "two"]
    limits = {axes.collections[0].get_clim() for axes in found.values()}
    ((low, high),) = limits
    assert low == -high
    weights = np.random.default_rng(12).normal(size=(12, 6)) + 0.5
    order = models["one"].frame("filters").sort_values("place")["filter"].to_numpy()
    expected = correlation_matrix(weights)[np.ix_(order, order)]
    np.testing.assert_allclose(np.asarray(found["one"].collections[0].get_array()), expected)


def test_the_scale_is_not_wasted_on_the_diagonal() -> None:
    weights = np.random.default_rng(0).normal(size=(64, 1152))
    labels = np.arange(10) % 10
    result = correlation(
        FilterWeights("conv", weights, True),
        np.random.default_rng(1).random((10, 64)),
        labels,
        [str(i) for i in range(10)],
        None,
        None,
    )
    figure = draw_matrices({"m": result})
    assert figure.axes[0].collections[0].get_clim() == (-0.1, 0.1)
    assert figure.axes[-1].get_ylabel() == "cosine of weights"


def test_groups_are_bounded_and_named_at_their_centres() -> None:
    result = result_of(12, 3)
    groups = result.frame("groups")
    (axes,) = panels({"m": result}).values()
    sizes = groups["n_filters"].tolist()
    assert len(sizes) == 3
    assert min(sizes) > 0
    starts = np.cumsum([0, *sizes])
    labels = names_beside(axes)
    assert [label.get_text() for label in labels] == list(NAMES)
    centres = [(a + b) / 2 for a, b in pairwise(starts)]
    assert [label.xy[1] for label in labels] == centres
    assert [label.xyann[1] for label in labels] == pytest.approx(centres)  # there is room: none is moved
    lines = {
        float(np.asarray(line.get_ydata())[0]) for line in axes.lines if len(set(np.asarray(line.get_ydata()))) == 1
    }
    assert lines == {float(start) for start in starts[1:-1]}


def test_names_of_small_groups_are_moved_apart_and_none_is_left_out() -> None:
    weights, sizes = np.random.default_rng(0).normal(size=(64, 9)), [27, 1, 1, 1, 1, 1, 1, 1, 3, 27]
    gate = np.zeros((10, 64))
    gate[np.repeat(np.arange(10), sizes), np.arange(64)] = 1
    activations, labels = np.random.default_rng(1).random((10, 64)), np.arange(10)
    names = [f"class {c}" for c in range(10)]
    result = correlation(FilterWeights("conv", weights, True), activations, labels, names, gate, None)
    (axes,) = panels({"m": result}).values()
    found = names_beside(axes)
    assert [label.get_text() for label in found] == names
    places = np.array([label.xyann[1] for label in found])
    assert np.diff(places).min() > 2.5  # a name's height
    assert np.abs(places - [label.xy[1] for label in found]).max() < 15


def test_the_titles_give_the_two_numbers() -> None:
    result = result_of(12, 3)
    (axes,) = panels({"m": result}).values()
    scores = result.frame("redundancy").iloc[0]
    assert scores_above(axes) == f"r(0.1) = {scores['r_0.1']:.3f}   C_IC = {scores['c_ic']:.3f}"
    assert axes.get_xlabel() == "12 filters, by class (gate)"
    (axes,) = panels({"m": result_of(12, 3, matches=False)}).values()
    assert scores_above(axes).endswith("C_IC = –")
    assert axes.get_xlabel() == "12 filters"


def test_many_classes_and_filters_thin_out() -> None:
    result = result_of(520, 260)
    figure = draw_matrices({"m": result})
    axes = figure.axes[0]
    labels = names_beside(axes)
    assert 8 <= len(labels) <= 26
    assert (labels[0].get_text(), labels[-1].get_text()) == ("class 0", "class 259")
    assert not axes.lines
    assert axes.get_ylim() == (174, 0)  # the last block reaches beyond the matrix
    assert np.asarray(axes.collections[0].get_array()).shape == (174, 174)
    assert "a pixel is the mean of 3 x 3 neighbours" in str(figure.get_label())
    gaps = np.diff([label.xy[1] for label in labels])
    assert gaps.min() > 520 / 3 / 26


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_any_number_of_models(count: int) -> None:
    found = panels({f"m{i}": result_of(12 + i, 3) for i in range(count)})
    assert len(found) == count


def test_curves_mark_the_papers_threshold() -> None:
    models = {"one": result_of(12, 3), "two": result_of(30, 3)}
    figure = draw_curves(models)
    (axes,), (legend,) = figure.axes, figure.legends
    curves = [line for line in axes.lines if len(np.asarray(line.get_xdata())) == 101]
    assert len(curves) == 2
    for line, named, (model, result) in zip(curves, legend.get_lines(), models.items(), strict=True):
        np.testing.assert_array_equal(line.get_ydata(), result.frame("curve")["r"])
        (at,) = line.get_markevery()  # type: ignore[misc]
        r = result.frame("redundancy")["r_0.1"].iloc[0]
        assert (np.asarray(line.get_xdata())[at], np.asarray(line.get_ydata())[at]) == (0.1, r)
        assert named.get_label() == f"{model}, r(0.1) = {r:.3f}"
        assert named.get_color() == line.get_color()
    assert len({line.get_color() for line in curves}) == 2


def test_drawing_changes_no_setting_and_reads_what_a_csv_gives_back(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder, result = tmp_path_factory.mktemp("tables"), result_of(12, 3, matches=False)
    tables = {}
    for name, table in result.tables.items():
        table.frame.to_csv(folder / f"{name}.csv", index=False)
        tables[name] = Table(pd.read_csv(folder / f"{name}.csv"))
    read = replace(result, tables=tables)
    before = dict(matplotlib.rcParams)
    draw_matrices({"m": read})
    draw_curves({"m": read})
    assert dict(matplotlib.rcParams) == before
