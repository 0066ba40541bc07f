"""The drawing style, and the matrix figures that analyzers share.

Text is never read as mathematics in this style: class and model names come from outside, and may hold a `$`. Write
symbols as Unicode. A figure's caption is its label (`captioned`). Nothing here touches pyplot or the backend.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, Normalize, to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from csg_analyze.metrics.arrays import FloatArray, IntArray
from csg_analyze.report import reduction as reducing
from csg_analyze.report.reduction import Reduction

COLUMN, FULL = 3.35, 6.9
"""Widths in inches of one column and of the full page of a two-column paper."""

SEQUENTIAL, SIGNED, GATE, MI = "Blues", "RdBu_r", "Blues", "Oranges"
"""Colour maps: white is zero, so that sparse matrices print as ink on paper; safe for colour-blind readers."""

GATE_COLOUR, MI_COLOUR = "#1764ab", "#f06b12"
"""The hue of the gate and of mutual information wherever both appear; their overlap multiplies to near black."""

MISSING = "#d9d9d9"

FONTS = ("Arial", "Helvetica", "Liberation Sans", "Noto Sans CJK JP", "DejaVu Sans")
"""In this order where installed; matplotlib brings the last one along."""


@contextmanager
def style() -> Iterator[None]:
    """The settings of every figure, restored afterwards: 8 pt sans serif, thin lines, text embedded as text."""
    known = set(font_manager.get_font_names())
    settings = {
        "font.family": [font for font in FONTS if font in known],
        "font.size": 8,
        "axes.titlesize": 8,
        "axes.labelsize": 8,
        "xtick.labelsize": 7,
        "ytick.labelsize": 7,
        "legend.fontsize": 7,
        "legend.frameon": False,
        "axes.linewidth": 0.6,
        "xtick.major.width": 0.6,
        "ytick.major.width": 0.6,
        "xtick.major.size": 2.5,
        "ytick.major.size": 2.5,
        "lines.linewidth": 1.2,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.unicode_minus": True,
        "text.parse_math": False,
        "text.usetex": False,
        "pdf.fonttype": 42,
        "svg.hashsalt": "csg-analyze",
        "figure.facecolor": "white",
        "savefig.facecolor": "white",
    }
    with matplotlib.rc_context(settings):
        yield


def captioned(figure: Figure, caption: str) -> Figure:
    """The same figure, with the text that stands below it in the report."""
    figure.set_label(caption)
    return figure


def save(figure: Figure, stem: Path) -> bytes:
    """Write `stem`.pdf and `stem`.png, the same bytes for the same figure, and return the latter's."""
    # subsetting fonts reports every table it drops
    logging.getLogger("fontTools.subset").setLevel(logging.WARNING)
    with style():
        figure.savefig(Path(f"{stem}.pdf"), dpi=300, metadata={"CreationDate": None})
        stream = io.BytesIO()
        figure.savefig(stream, format="png", dpi=220, metadata={"Software": None})
    Path(f"{stem}.png").write_bytes(stream.getvalue())
    return stream.getvalue()


def matrix_panels(
    matrices: Mapping[str, FloatArray],
    *,
    row_labels: Sequence[str],
    column_labels: Sequence[str] | None = None,
    rows: str = "classes",
    columns: str = "filters",
    colour_label: str,
    signed: bool = False,
    shared: bool = True,
    vmin: float | None = None,
    vmax: float | None = None,
    reduction: Reduction | None = None,
    colours: str | None = None,
) -> Figure:
    """Matrices side by side, each under its name, on one colour scale unless `shared` is False.

    matrices: panel title -> (R, C_panel); R the same for all, NaN cells are grey. row_labels: R names.
    column_labels: C_panel names, or None for an axis that only says how many `columns` there are.
    signed: a diverging map, symmetric around zero. vmin, vmax: the scale's ends; from the data by default, 0 included.
    reduction: how neighbours share a pixel beyond 400 rows or columns; maximum by default (signed: largest magnitude).
    Raises ValueError where labels and matrices do not fit.
    """
    if not matrices:
        raise ValueError("no matrix to draw")
    for name, matrix in matrices.items():
        expected = (len(row_labels), matrix.shape[-1] if column_labels is None else len(column_labels))
        if matrix.shape != expected:
            raise ValueError(f"{name}: matrix {matrix.shape} does not fit the labels {expected}")
    how: Reduction = reduction or ("largest magnitude" if signed else "maximum")
    cmap = colour_map(colours or (SIGNED if signed else SEQUENTIAL))
    square = column_labels is not None and len(column_labels) == len(row_labels)
    with style():
        figure, panels = _grid(len(matrices), len(row_labels), square)
        together = colour_scale(list(matrices.values()), signed=signed, vmin=vmin, vmax=vmax)
        for index, (panel, (name, matrix)) in enumerate(zip(panels.flat, matrices.items(), strict=False)):
            norm = together if shared else colour_scale([matrix], signed=signed, vmin=vmin, vmax=vmax)
            draw_matrix(panel, matrix, norm=norm, cmap=cmap, reduction=how, square=square)
            panel.set_title(reducing.shortened(name, 40))
            name_rows(panel, row_labels, rows, how, named=index % panels.shape[1] == 0)
            name_columns(panel, matrix.shape[1], column_labels, columns, how)
            if not shared:
                figure.colorbar(ScalarMappable(norm, cmap), ax=panel, label=colour_label, aspect=25)
        for panel in panels.flat[len(matrices) :]:
            panel.set_axis_off()
        if shared:
            bar = figure.colorbar(ScalarMappable(together, cmap), ax=panels, label=colour_label, aspect=25, pad=0.02)
            bar.outline.set_linewidth(0.4)  # type: ignore[operator]
    return figure


def _grid(count: int, n_rows: int, square: bool) -> tuple[Figure, np.ndarray]:
    wide = 1 if count == 1 else 2 if count in {2, 4} else 3
    tall = -(-count // wide)
    width = COLUMN if count == 1 else FULL
    height = (width - 1.4) / wide if square else panel_height(n_rows)
    figure = Figure(figsize=(width, tall * (height + 0.55)), layout="constrained")
    return figure, figure.subplots(tall, wide, squeeze=False)


def panel_height(n_rows: int) -> float:
    """Inches for a panel of that many rows: every label readable, up to a third of a page."""
    return float(np.clip(0.135 * n_rows, 0.9, 2.7))


def colour_map(name: str) -> Colormap:
    """A colour map by name, with grey for NaN."""
    return matplotlib.colormaps[name].with_extremes(bad=MISSING)


def colour_scale(
    matrices: Sequence[FloatArray], *, signed: bool = False, vmin: float | None = None, vmax: float | None = None
) -> Normalize:
    """One scale for all matrices: zero included, symmetric where signed, never of width zero."""
    finite = np.concatenate([matrix[np.isfinite(matrix)] for matrix in matrices] or [np.zeros(0)])
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    if signed:
        high = max(abs(low), abs(high))
        low = -high
    low = min(low, 0.0) if vmin is None else vmin
    high = max(high, 0.0) if vmax is None else vmax
    return Normalize(low, high if high > low else low + 1.0)


def draw_matrix(
    axes: Axes, matrix: FloatArray, *, norm: Normalize, cmap: Colormap, reduction: Reduction, square: bool = False
) -> None:
    """Draw (R, C) on `axes` in its own row and column numbers, however many of them share a pixel."""
    size = tuple(map(reducing.block_size, matrix.shape))
    pixels = reducing.reduced(matrix, *size, reduction)
    _show(axes, cmap(norm(np.ma.masked_invalid(pixels))), matrix.shape, size, square)


def _show(axes: Axes, colours: np.ndarray, shape: tuple[int, ...], size: tuple[int, ...], square: bool) -> None:
    # the last block may reach beyond the matrix: placed by its full size, then cut by the limits
    right, bottom = colours.shape[1] * size[1] - 0.5, colours.shape[0] * size[0] - 0.5
    axes.imshow(
        colours,
        extent=(-0.5, right, bottom, -0.5),
        aspect="equal" if square else "auto",
        interpolation="nearest",
    )
    axes.set_xlim(-0.5, shape[1] - 0.5)
    axes.set_ylim(shape[0] - 0.5, -0.5)
    axes.spines[:].set_visible(True)
    axes.spines[:].set_linewidth(0.4)


def name_rows(axes: Axes, labels: Sequence[str], things: str, reduction: str, *, named: bool = True) -> None:
    """Put the names of the rows on the y axis, at most 25 of them; of more, the axis says how many there are."""
    positions, texts = reducing.named(labels, 25)
    axes.set_yticks(positions, texts if named else [""] * len(positions))
    size = reducing.block_size(len(labels))
    if named and len(positions) < len(labels):
        axes.set_ylabel(reducing.block_note(len(labels), size, things, reduction))


def name_columns(
    axes: Axes, length: int, labels: Sequence[str] | None, things: str, reduction: str, most: int = 25
) -> None:
    """Put at most `most` names on the x axis, upright where long, and say how many columns there are."""
    if labels is None:
        axes.set_xticks([])
    else:
        positions, texts = reducing.named(labels, most)
        upright = max(map(len, texts), default=0) > 2
        axes.set_xticks(positions, texts, rotation=90 if upright else 0)
    if labels is None or len(positions) < length:
        axes.set_xlabel(reducing.block_note(length, reducing.block_size(length), things, reduction))
