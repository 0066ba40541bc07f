"""Fig. 9: maps of the compared models side by side; and IoU over the threshold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from csg_analyze.analyzers.localize.baselines import BASELINES
from csg_analyze.analyzers.localize.overlays import overlays
from csg_analyze.metrics.arrays import BoolArray, FloatArray
from csg_analyze.plots.style import COLUMN, FULL, MODEL_COLOURS, captioned, style
from csg_analyze.result import Tables
from csg_analyze.wording import shortened

PICTURES = "pictures"
"""Where the table of examples keeps what its rows look like: in its `attrs`."""

SHORT = {"gradmap": "GradMap", "activmap": "ActivMap", "cam": "CAM", "gradcam": "Grad-CAM"}


@dataclass(frozen=True, eq=False)
class Pictures:
    """E images, uint8 (E, H, W, 3); where their objects are, (E, H, W); and by method the maps (E, h, w).

    Compared by identity, as pandas compares `attrs` where frames are joined.
    """

    images: np.ndarray
    regions: BoolArray
    maps: Mapping[str, FloatArray]


def short(method: str) -> str:
    """A method's name where there is little room."""
    return SHORT.get(method, method.removeprefix("captum:"))


def draw_maps(models: Mapping[str, Tables]) -> Figure:
    """Fig. 9: images drawn at random, the objects outlined, and below them every model's maps, each on its own scale
    from dark (lowest) to bright (highest), with the IoU of the region it is cut to. Of GradMap and ActivMap the mean of
    the maps of the filters of the image's class.
    """
    examples = {model: tables["examples"] for model, tables in models.items()}
    first = next(iter(examples.values()))
    pictures: Pictures = first.attrs[PICTURES]
    methods = list(dict.fromkeys(name for table in examples.values() for name in table.attrs[PICTURES].maps))
    rows = [
        (method, model, table.set_index("sample_id").reindex(first["sample_id"]), table)
        for method in methods
        for model, table in examples.items()
        if method in table.attrs[PICTURES].maps
    ]
    plain = overlays(pictures.images, None, pictures.regions)
    with style():
        figure, panels = _grid(len(rows) + 1, len(first), pictures.images.shape[1:3])
        panels[0][0].set_ylabel("image", fontsize=7)
        for axes, picture, name in zip(panels[0], plain, first["class"], strict=True):
            axes.imshow(picture, interpolation="nearest")
            axes.set_title(shortened(str(name), 14), fontsize=7, pad=2)
        for line, (method, model, values, table) in zip(panels[1:], rows, strict=True):
            drawn = _drawn(pictures, table, first["sample_id"].tolist(), method)
            line[0].set_ylabel(f"{short(method)}\n{shortened(model, 14)}", fontsize=7)
            for axes, picture, iou in zip(line, drawn, values[f"{method}_iou"], strict=True):
                axes.imshow(picture, interpolation="nearest")
                axes.set_xlabel("–" if np.isnan(iou) else f"{iou:.2f}", fontsize=6, labelpad=1)
    return figure


def _grid(rows: int, columns: int, size: tuple[int, ...]) -> tuple[Figure, list[list[Axes]]]:
    """A figure with that many places for pictures of a size (height, width), and room for words around them.

    Placed by hand: an engine that measures every label takes seconds for as many panels.
    """
    left, top, between, below = 0.42, 0.18, 0.03, 0.14
    wide = (FULL - left) / max(columns, 4) - between
    tall = wide * size[0] / size[1]
    width, height = left + columns * (wide + between), top + rows * (tall + below)
    figure = Figure(figsize=(width, height))
    panels = []
    for row in range(rows):
        bottom = height - top - row * (tall + below) - tall
        places = ((left + column * (wide + between), bottom) for column in range(columns))
        panels.append([figure.add_axes((x / width, y / height, wide / width, tall / height)) for x, y in places])
    for axes in figure.axes:
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines[:].set_visible(False)
    return figure, panels


def _drawn(pictures: Pictures, table: object, wanted: list[str], method: str) -> np.ndarray:
    """This model's maps on the first model's images; where a model was scored on others, its maps are blank."""
    own: Pictures = table.attrs[PICTURES]  # type: ignore[attr-defined]
    places = {name: place for place, name in enumerate(table["sample_id"])}  # type: ignore[index]
    blank = np.full(own.maps[method].shape[1:], np.nan)
    maps = np.stack([own.maps[method][places[name]] if name in places else blank for name in wanted])
    return overlays(pictures.images, maps, pictures.regions)


def draw_iou_curves(models: Mapping[str, Tables]) -> Figure:
    """Mean IoU with the objects of the region above each threshold of the maps, scaled to [0, 1] one by one.

    A panel a method, at most 100 thresholds, evenly spaced; the baselines are grey, the whole image as a level. The
    peak of a line is what the best threshold for all images together would reach.
    """
    curves = {model: tables["iou_by_threshold"] for model, tables in models.items()}
    methods = list(dict.fromkeys(name for table in curves.values() for name in table["method"]))
    shown = [name for name in methods if name not in BASELINES]
    first = next(iter(curves.values()))
    with style():
        width = COLUMN if len(shown) == 1 else FULL
        figure = Figure(figsize=(width, 2.3), layout="constrained")
        panels = figure.subplots(1, len(shown), sharey=True, squeeze=False)[0]
        for axes, method in zip(panels, shown, strict=True):
            for name, dashes in zip(BASELINES, ((1, 1), (4, 2), (4, 1, 1, 1)), strict=True):
                line = first[first["method"] == name]
                # the whole image has no threshold: it is a level to compare with
                heights = np.full(len(line), line["mean_iou"].max()) if name == "all-ones" else line["mean_iou"]
                axes.plot(line["threshold"], heights, color="0.5", lw=0.9, dashes=dashes, label=name)
            for index, (model, table) in enumerate(curves.items()):
                line = table[table["method"] == method]
                colour = MODEL_COLOURS[index % len(MODEL_COLOURS)]
                axes.plot(line["threshold"], line["mean_iou"], color=colour, label=shortened(model, 24))
            axes.set_title(short(method))
            axes.set_xlabel("threshold of the scaled map")
            axes.set_xlim(0, 1)
        panels[0].set_ylim(bottom=0)  # shared, and only now known: later lines would not move it
        panels[0].set_ylabel("mean IoU")
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=min(len(labels), 5 if width == FULL else 2))
    return captioned(figure, " ".join((draw_iou_curves.__doc__ or "").split()))
