from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from PIL import Image

from csg_analyze.metrics.arrays import FloatArray
from csg_analyze.plots.charts import counts, dots_with_intervals, lines_by_layer
from csg_analyze.plots.panels import matrix_panels
from csg_analyze.plots.style import (
    LARGE_PNG,
    captioned,
    colour_map,
    colour_scale,
    compact,
    save,
)

NAMES = ["c$at$", "d_og", "b^ird$"]


def texts(figure: Figure) -> list[str]:
    figure.canvas.draw()
    found = [text.get_text() for text in figure.findobj(mpl.text.Text)]
    return [text for text in found if text]


def panels(figure: Figure) -> list[Axes]:
    """The axes that show a matrix."""
    return [axes for axes in figure.axes if axes.get_title()]


def drawn(axes: Axes) -> FloatArray:
    """The colours of a heat map's cells."""
    mesh = axes.collections[0]
    return np.asarray(mesh.to_rgba(mesh.get_array()))


def gate_like(n_classes: int, n_filters: int, seed: int = 0) -> FloatArray:
    return np.random.default_rng(seed).random((n_classes, n_filters))


def test_panels_show_the_matrices_on_one_scale() -> None:
    matrices = {"a": gate_like(3, 5), "b": 4 * gate_like(3, 7, 1)}
    figure = matrix_panels(matrices, row_labels=NAMES, colour_label="share")
    scale = Normalize(0, max(matrix.max() for matrix in matrices.values()))
    for axes, matrix in zip(panels(figure), matrices.values(), strict=True):
        np.testing.assert_allclose(drawn(axes), colour_map("Blues")(scale(matrix)))
    assert [axes.get_title() for axes in panels(figure)] == ["a", "b"]
    assert {"share", "class", *NAMES, "filter; n = 5", "filter; n = 7"} <= set(texts(figure))


def test_panels_on_scales_of_their_own() -> None:
    matrices = {"a": gate_like(3, 5), "b": 4 * gate_like(3, 5)}
    figure = matrix_panels(matrices, row_labels=NAMES, colour_label="share", shared=False)
    a, b = map(drawn, panels(figure))
    np.testing.assert_allclose(a, b)
    assert len(figure.axes) == 4


def test_signed_matrices_are_centred_on_white_and_gaps_are_grey() -> None:
    matrix = np.array([[0.0, -2.0], [np.nan, 1.0]])
    figure = matrix_panels(
        {"m": matrix}, row_labels=NAMES[:2], column_labels=["x", "y"], colour_label="cosine", signed=True
    )
    colours = drawn(panels(figure)[0])
    assert colours[0, 0, :3].min() > 0.95
    np.testing.assert_allclose(colours[0, 1], colour_map("RdBu_r")(0.0))
    np.testing.assert_allclose(colours[1, 1], colour_map("RdBu_r")(0.75))
    np.testing.assert_allclose(colours[1, 0], mpl.colors.to_rgba("#d9d9d9"))


@pytest.mark.parametrize(("shape", "columns"), [((2, 5), None), ((4, 5), None), ((3, 4), "vwxyz")])
def test_labels_that_do_not_fit_are_refused(shape: tuple[int, int], columns: str | None) -> None:
    with pytest.raises(ValueError, match="its labels"):
        matrix_panels({"m": np.zeros(shape)}, row_labels=NAMES, column_labels=columns, colour_label="")


def test_a_large_matrix_is_drawn_in_blocks_and_its_axes_say_so() -> None:
    matrix = gate_like(1000, 2048)
    figure = matrix_panels(
        {"m": matrix}, row_labels=[f"class {i}" for i in range(1000)], colour_label="", vmin=0, vmax=1
    )
    axes = panels(figure)[0]
    expected = [
        [matrix[top : top + 3, left : left + 6].max() for left in range(0, 2048, 6)] for top in range(0, 1000, 3)
    ]
    np.testing.assert_allclose(drawn(axes), colour_map("Blues")(np.array(expected)))
    assert axes.get_ylabel() == "class; n = 1,000\nmaximum of every 3"
    assert axes.get_xlabel() == "filter; n = 2,048\nmaximum of every 6"
    assert len(axes.get_yticks()) <= 25
    # a cell is a block, and a row's tick stands where the row is in its block
    assert axes.get_ylim() == (334, 0)
    assert axes.get_xlim() == (0, 342)
    for tick, label in zip(axes.get_yticks(), axes.get_yticklabels(), strict=True):
        assert tick == (int(label.get_text().removeprefix("class ")) + 0.5) / 3


def test_text_from_outside_is_never_mathematics(tmp_path: Path) -> None:
    figure = matrix_panels({r"$\notacommand{$": gate_like(3, 5)}, row_labels=NAMES, colour_label="$\\frac{")
    save(figure, tmp_path, "m")  # broken mathematics would raise here
    assert r"$\notacommand{$" in texts(figure)


@pytest.mark.parametrize("n_classes", [10, 1000])
def test_charts_draw_every_model(n_classes: int) -> None:
    rng = np.random.default_rng(0)
    value = rng.random(n_classes)
    table = pd.DataFrame(
        {"class": [f"c{i}" for i in range(n_classes)], "recall": value, "n": rng.integers(0, 9, n_classes)}
    )
    table = table.assign(low=table["recall"] - 0.1, high=table["recall"] + 0.1)
    dots = dots_with_intervals({"s$td": table, "csg": table}, category="class", value="recall", label="recall")
    bars = counts({"s$td": table, "csg": table}, category="class", value="n", label="filters")
    for figure, label in ((dots, "recall"), (bars, "filters")):
        assert {"s$td", "csg", label} <= set(texts(figure))
        assert len(figure.axes[0].get_xticklabels()) <= 60
    if n_classes == 10:
        heights = np.asarray(dots.axes[0].collections[-1].get_offsets())[:10, 1]
    else:
        heights = np.asarray(dots.axes[0].lines[0].get_ydata())
    np.testing.assert_array_equal(heights, value if n_classes == 10 else np.sort(value)[::-1])


def test_charts_align_models_by_category_not_by_row() -> None:
    a = pd.DataFrame({"class": ["x", "y"], "n": [1, 2]})
    b = pd.DataFrame({"class": ["y", "x"], "n": [5, 6]})
    bars = counts({"a": a, "b": b}, category="class", value="n", label="filters").axes[0].patches
    assert [bar.get_height() for bar in bars] == [1, 2, 6, 5]  # type: ignore[attr-defined]


def test_classes_that_share_a_name_are_drawn_apart() -> None:
    table = pd.DataFrame({"class": ["crane", "gull", "crane"], "n": [1, 2, 3]})
    bars = counts({"m": table}, category="class", value="n", label="filters").axes[0].patches
    assert [bar.get_height() for bar in bars] == [1, 2, 3]  # type: ignore[attr-defined]


def test_a_line_is_interrupted_where_a_value_is_missing() -> None:
    table = pd.DataFrame({"layer": list("abcde"), "mis": [0.1, 0.2, np.nan, 0.4, 0.5]})
    figure = lines_by_layer({"m": table}, {"mis": "MIS"})
    assert [np.asarray(line.get_xdata()).tolist() for line in figure.axes[0].lines] == [[0, 1], [3, 4]]


def test_scale_holds_zero_and_is_never_empty() -> None:
    assert (colour_scale([np.array([[2.0, 3.0]])]).vmin, colour_scale([np.array([[2.0, 3.0]])]).vmax) == (0, 3)
    flat = colour_scale([np.zeros((2, 2)), np.full((1, 1), np.nan)])
    assert (flat.vmin, flat.vmax) == (0, 1)
    signed = colour_scale([np.array([[-1.0, 0.5]])], signed=True)
    assert (signed.vmin, signed.vmax) == (-1, 1)


def test_files_are_the_same_bytes_again(tmp_path: Path) -> None:
    figures = [matrix_panels({"m": gate_like(3, 8)}, row_labels=NAMES, colour_label="share") for _ in range(2)]
    for figure, name in zip(figures, "ab", strict=True):
        assert save(figure, tmp_path, name) == (tmp_path / f"{name}.png").read_bytes()
    for suffix in (".png", ".pdf", ".svg"):
        assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()
    assert b"<dc:date>" not in (tmp_path / "a.svg").read_bytes()
    pdf = (tmp_path / "a.pdf").read_bytes()
    assert b"CreationDate" not in pdf
    assert b"/TrueType" in pdf or b"/CIDFontType2" in pdf  # text, not outlines


def test_a_pdf_of_imagenet_size_stays_small(tmp_path: Path) -> None:
    figure = matrix_panels(
        {"m": gate_like(1000, 2048)}, row_labels=[f"class {i}" for i in range(1000)], colour_label=""
    )
    save(figure, tmp_path, "m")
    assert (tmp_path / "m.pdf").stat().st_size < 1_500_000
    assert (tmp_path / "m.svg").stat().st_size < 1_500_000


def test_a_caption_is_the_figures_label() -> None:
    assert captioned(Figure(), "What one sees.").get_label() == "What one sees."


def test_drawing_changes_no_settings_and_opens_no_figure(tmp_path: Path) -> None:
    program = f"""
import matplotlib, numpy, pandas, pathlib
before = {{name: matplotlib.rcParams._get(name) for name in matplotlib.rcParams}}
from csg_analyze.plots.charts import counts, dots_with_intervals, lines_by_layer
from csg_analyze.plots.panels import matrix_panels
from csg_analyze.plots.style import save
table = pandas.DataFrame({{"class": ["a", "b"], "layer": ["a", "b"], "n": [1, 2], "low": [0, 1], "high": [2, 3]}})
figures = [
    matrix_panels({{"m": numpy.eye(2)}}, row_labels="ab", colour_label="", annotated=True),
    counts({{"m": table}}, category="class", value="n", label=""),
    dots_with_intervals({{"m": table}}, category="class", value="n", label=""),
    lines_by_layer({{"m": table}}, {{"n": "n"}}, intervals={{"n": ("low", "high")}}),
]
for figure in figures:
    save(figure, pathlib.Path({str(tmp_path)!r}), "x")
assert {{name: matplotlib.rcParams._get(name) for name in matplotlib.rcParams}} == before
import matplotlib.pyplot
assert matplotlib.pyplot.get_fignums() == []
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_large_picture_keeps_its_size_and_nearly_its_colours() -> None:
    rows = np.linspace(0, 255, 700)[:, None, None] * np.array([1.0, 0.6, 0.2])
    noise = np.random.default_rng(0).integers(0, 12, (700, 900, 3))
    picture = np.clip(rows + noise, 0, 255).astype(np.uint8)
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, format="png")
    large = stream.getvalue()
    assert len(large) > LARGE_PNG
    reduced = np.asarray(Image.open(io.BytesIO(compact(large))).convert("RGB"))
    assert len(compact(large)) < len(large) / 2
    assert reduced.shape == picture.shape
    assert np.abs(reduced.astype(int) - picture).mean() < 6
    assert compact(large[:10]) == large[:10]  # a small one is left as it is


def test_long_names_leave_room_for_axes_and_do_not_run_into_each_other() -> None:
    names = [f"a network of a long name {number}" for number in range(4)]
    recall = pd.DataFrame({"class": list("abc"), "recall": 0.5, "low": 0.4, "high": 0.6})
    figure = dots_with_intervals(dict.fromkeys(names, recall), category="class", value="recall", label="recall")
    figure.draw_without_rendering()
    assert figure.axes[0].get_position().width > 0.6
