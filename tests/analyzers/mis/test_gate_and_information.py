from __future__ import annotations

import itertools

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from csg_analyze.analyzers.mis.figures import (
    GATE_COLOUR,
    INFORMATION_COLOUR,
    gate_and_information,
    overlap_colours,
)
from csg_analyze.metrics.arrays import FloatArray
from csg_analyze.plots.style import colour_map

NAMES = ["c$at$", "d_og", "b^ird$"]


def panels(figure: Figure) -> list[Axes]:
    """The axes that show a matrix."""
    return [axes for axes in figure.axes if axes.get_title()]


def drawn(axes: Axes) -> FloatArray:
    """The colours of a heat map's cells, or of an image."""
    if axes.images:
        return np.asarray(axes.images[0].get_array())
    mesh = axes.collections[0]
    return np.asarray(mesh.to_rgba(mesh.get_array()))


def gate_like(n_classes: int, n_filters: int, seed: int = 0) -> FloatArray:
    return np.random.default_rng(seed).random((n_classes, n_filters))


def test_a_model_with_a_gate_has_a_row() -> None:
    gate, csg, std = gate_like(3, 8), gate_like(3, 8, 1), gate_like(3, 6, 2)
    figure = gate_and_information({"csg": csg, "std": std}, {"csg": gate}, class_names=NAMES)
    titles = [axes.get_title() for axes in panels(figure)]
    assert titles == [
        "(a1) gate, csg",
        "(b1) mutual information, csg",
        "(c1) overlap, csg",
        "(b2) mutual information, std",
    ]
    assert len(figure.axes) == len(titles) + 3  # their scales, and nothing empty
    highest = max(csg.max(), std.max())
    scale = Normalize(0, highest)
    order = sorted(range(8), key=lambda k: (gate[:, k].argmax(), -gate[:, k].max()))
    own = sorted(range(6), key=lambda k: (std[:, k].argmax(), -std[:, k].max()))
    a, b, c, other = map(drawn, panels(figure))
    np.testing.assert_allclose(a, colour_map("Blues")(gate[:, order]))
    np.testing.assert_allclose(b, colour_map("Oranges")(scale(csg[:, order])))
    np.testing.assert_allclose(c, overlap_colours(gate[:, order], csg[:, order] / highest))
    np.testing.assert_allclose(other, colour_map("Oranges")(scale(std[:, own])))


def test_figure_4_without_any_gate_is_mutual_information_alone() -> None:
    figure = gate_and_information({"std": gate_like(3, 8)}, {}, class_names=NAMES)
    assert [axes.get_title() for axes in panels(figure)] == ["(b) mutual information, std"]
    assert figure.get_figwidth() == 3.35


def test_overlap_is_two_inks_on_paper() -> None:
    gate, information = np.array([[0.0, 1.0, 0.0, 1.0, np.nan]]), np.array([[0.0, 0.0, 1.0, 1.0, 0.0]])
    blank, only_gate, only_mi, both, missing = overlap_colours(gate, information)[0]
    blue, orange = (np.array(mpl.colors.to_rgb(ink)) for ink in (GATE_COLOUR, INFORMATION_COLOUR))
    np.testing.assert_allclose(blank, 1)
    np.testing.assert_allclose(only_gate, blue)
    np.testing.assert_allclose(only_mi, orange)
    np.testing.assert_allclose(both, blue * orange)
    assert both.max() < 0.2
    np.testing.assert_allclose(missing, 0xD9 / 255)


@pytest.mark.parametrize(("gated", "others", "rows"), [(1, 1, 2), (1, 3, 2), (2, 4, 4), (0, 2, 1), (0, 5, 2)])
def test_a_model_without_a_gate_takes_one_panel(gated: int, others: int, rows: int) -> None:
    information = {f"m{i}": gate_like(3, 8, i) for i in range(gated + others)}
    gates = {f"m{i}": gate_like(3, 8) for i in range(gated)}
    figure = gate_and_information(information, gates, class_names=NAMES)
    shown = panels(figure)
    assert len(shown) == 3 * gated + others
    assert all(axes.has_data() for axes in figure.axes if axes.axison)
    figure.draw_without_rendering()
    boxes = [axes.get_position() for axes in shown]
    assert len({round(box.y0, 3) for box in boxes}) == rows
    assert max(box.width for box in boxes) == pytest.approx(min(box.width for box in boxes), rel=0.01)
    named = [axes for axes in shown if any(label.get_text() for label in axes.get_yticklabels())]
    assert len(named) == rows  # the first of every row names the classes


def test_long_names_do_not_run_into_each_other() -> None:
    name = "a network of a long name 0"
    information = np.random.default_rng(0).random((3, 8))
    figure = gate_and_information({name: information}, {name: np.eye(3, 8)}, class_names=list("abc"))
    figure.draw_without_rendering()
    titles = [axes.title.get_window_extent() for axes in figure.axes if axes.get_title()]
    assert len(titles) == 3
    assert all(left.x1 < right.x0 for left, right in itertools.pairwise(titles))
