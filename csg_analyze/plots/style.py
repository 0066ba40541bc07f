"""How every figure looks, and how it is saved.

Text is never read as mathematics in this style: class and model names come from outside, and may hold a `$`. Write
symbols as Unicode, and give a logarithmic axis a plain formatter. Nothing here touches pyplot or the backend.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, Normalize
from matplotlib.figure import Figure
from PIL import Image

from csg_analyze.metrics.arrays import FloatArray

COLUMN, FULL = 3.35, 6.9
"""Widths in inches of one column and of the full page of a two-column paper."""

LARGE_PNG = 1_000_000
"""Bytes above which a figure's PNG, which the page embeds, is reduced to 256 colours."""

SEQUENTIAL, SIGNED, GATE, INFORMATION = "Blues", "RdBu_r", "Blues", "Oranges"
"""Colour maps: white is zero, so that sparse matrices print as ink on paper; safe for colour-blind readers."""

GATE_COLOUR, INFORMATION_COLOUR = "#1764ab", "#f06b12"
"""The hue of the gate and of mutual information wherever both appear; their product is nearly black."""

MODEL_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
"""The palette of Okabe and Ito, one colour a model."""

MISSING = "#d9d9d9"

FONTS = ("Arial", "Helvetica", "Liberation Sans", "Noto Sans CJK JP", "DejaVu Sans")
"""In this order where installed; matplotlib brings the last one along."""


@contextmanager
def style() -> Iterator[None]:
    """The settings of every figure, restored afterwards: 8 pt sans serif, thin lines, text embedded as text."""
    installed = set(font_manager.get_font_names())
    settings: dict[Any, Any] = {
        "font.family": [font for font in FONTS if font in installed],
        "font.size": 8,
        "axes.titlesize": 8,
        "axes.labelsize": 8,
        "xtick.labelsize": 7,
        "ytick.labelsize": 7,
        "legend.fontsize": 7,
        "legend.frameon": False,
        "legend.handlelength": 1.2,
        "legend.handletextpad": 0.5,
        "legend.columnspacing": 1.4,
        "axes.linewidth": 0.6,
        "xtick.major.width": 0.6,
        "ytick.major.width": 0.6,
        "xtick.major.size": 2.5,
        "ytick.major.size": 2.5,
        "lines.linewidth": 1.2,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "text.parse_math": False,
        "text.usetex": False,
        "text.hinting": "none",
        "pdf.fonttype": 42,
        "svg.hashsalt": "csg-analyze",
        "figure.facecolor": "white",
        "savefig.facecolor": "white",
    }
    with matplotlib.rc_context(settings):
        yield


def captioned(figure: Figure, caption: str) -> Figure:
    """The same figure with a caption of its own; without one, the drawing function's docstring stands below it."""
    figure.set_label(caption)
    return figure


def save(figure: Figure, folder: Path, name: str) -> bytes:
    """Write `name`.pdf and `name`.png, the same bytes for the same figure, and return the latter's."""
    with style():
        figure.savefig(folder / f"{name}.pdf", dpi=300, metadata={"CreationDate": None})
        stream = io.BytesIO()
        figure.savefig(stream, format="png", dpi=220, metadata={"Software": None})
    png = compact(stream.getvalue())
    (folder / f"{name}.png").write_bytes(png)
    return png


def compact(png: bytes) -> bytes:
    """The same picture; one of more than a megabyte (rows of photographs) in 256 colours, a third of the bytes."""
    if len(png) <= LARGE_PNG:
        return png
    stream = io.BytesIO()
    Image.open(io.BytesIO(png)).convert("RGB").quantize(256).save(stream, format="png", optimize=True)
    return stream.getvalue()


def colour_map(name: str) -> Colormap:
    """A colour map by name, with grey for NaN."""
    return matplotlib.colormaps[name].with_extremes(bad=MISSING)


def colour_scale(
    matrices: Sequence[FloatArray], *, signed: bool = False, vmin: float | None = None, vmax: float | None = None
) -> Normalize:
    """One scale for all matrices: zero included, symmetric where signed, never of width zero."""
    finite = np.concatenate([np.zeros(1), *(matrix[np.isfinite(matrix)] for matrix in matrices)])
    low, high = float(finite.min()), float(finite.max())
    if signed:
        low, high = -max(-low, high), max(-low, high)
    low, high = low if vmin is None else vmin, high if vmax is None else vmax
    return Normalize(low, high if high > low else low + 1.0)


def frame(axes: Axes) -> None:
    """A thin line around a matrix, on all four sides."""
    for spine in axes.spines.values():
        spine.set_visible(True)
        spine.set_linewidth(0.4)
