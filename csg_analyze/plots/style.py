"""How every figure looks, and how it is saved.

Text is never read as mathematics in this style: class and model names come from outside, and may hold a `$`. Write
symbols as Unicode, and give a logarithmic axis a plain formatter. Figures are drawn by seaborn on axes of their own: no
figure of pyplot is opened, and no setting stays changed.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import seaborn as sns
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

SEQUENTIAL, SIGNED = "Blues", "RdBu_r"
"""Colour maps: white is zero, so that sparse matrices print as ink on paper; safe for colour-blind readers."""

MISSING = "#d9d9d9"

FONTS = ("Arial", "Helvetica", "Liberation Sans", "Noto Sans CJK JP", "DejaVu Sans")
"""In this order where installed; matplotlib brings the last one along."""


@contextmanager
def style() -> Iterator[None]:
    """The settings of every figure, restored afterwards: seaborn's for papers with 8 pt sans serif and thin lines."""
    installed = set(font_manager.get_font_names())
    lines = {f"{axis}tick.major.{part}": size for axis in "xy" for part, size in (("width", 0.6), ("size", 2.5))}
    settings: dict[Any, Any] = {
        **sns.plotting_context("paper", font_scale=5 / 6),
        **sns.axes_style("ticks", {"axes.spines.top": False, "axes.spines.right": False}),
        **lines,
        "axes.linewidth": 0.6,
        "patch.edgecolor": "0.15",  # seaborn's white would hide the lines from names to groups
        "patch.force_edgecolor": False,
        "font.family": [font for font in FONTS if font in installed],
        "legend.frameon": False,
        "legend.handlelength": 1.2,
        "legend.handletextpad": 0.5,
        "legend.columnspacing": 1.4,
        "text.parse_math": False,
        "text.usetex": False,
        "text.hinting": "none",
        "pdf.fonttype": 42,  # text, not outlines
        "svg.hashsalt": "csg-analyze",
        "savefig.facecolor": "white",
    }
    with matplotlib.rc_context(settings):
        yield


def captioned(figure: Figure, caption: str) -> Figure:
    """The same figure with a caption of its own; without one, the drawing function's docstring stands below it."""
    figure.set_label(caption)
    return figure


def save(figure: Figure, folder: Path, name: str) -> bytes:
    """Write `name`.pdf, `name`.svg and `name`.png, the same bytes for the same figure, and return the last's.

    A character that no installed font has is a box in all three, without a warning for each time it is drawn.
    """
    with style(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"Glyph \d+ .* missing from")
        warnings.filterwarnings("ignore", message="Matplotlib currently does not support .* natively")
        figure.savefig(folder / f"{name}.pdf", dpi=300, metadata={"CreationDate": None})
        figure.savefig(folder / f"{name}.svg", dpi=300, metadata={"Date": None})
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
