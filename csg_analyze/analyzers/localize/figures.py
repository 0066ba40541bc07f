"""Fig. 9: maps of the compared models side by side; and IoU over the threshold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from csg_analyze.analyzers.localize.baselines import BASELINES
from csg_analyze.analyzers.localize.overlays import overlays
from csg_analyze.metrics.arrays import FloatArray
from csg_analyze.plots.charts import draw_lines, line_panels, together
from csg_analyze.plots.style import FULL, style
from csg_analyze.result import Result
from csg_analyze.wording import shortened

IMAGES, REGIONS_OF = "images", "regions of objects"
"""What the pictures of the examples call the images and their objects; all else is a method's maps."""

SHORT = {"gradmap": "GradMap", "activmap": "ActivMap", "cam": "CAM", "gradcam": "Grad-CAM"}


def short(method: str) -> str:
    """A method's name where there is little room."""
    return SHORT.get(method, method.removeprefix("captum:"))


def draw_maps(models: Mapping[str, Result]) -> Figure:
    """Fig. 9: a row of images, then one per method and model; images and outlines are those of the first model."""
    first = next(iter(models.values()))
    table, images = first.frame("examples"), np.stack(list(first.pictures["examples"][IMAGES]))
    regions, sample_ids = np.stack(list(first.pictures["examples"][REGIONS_OF])), table["sample_id"].tolist()
    rows = [
        (method, model, result)
        for method in dict.fromkeys(name for result in models.values() for name in _methods(result))
        for model, result in models.items()
        if method in _methods(result)
    ]
    with style():
        figure, panels = _grid(len(rows) + 1, len(table), images.shape[1:3])
        panels[0][0].set_ylabel("image", fontsize=7)
        for axes, picture, name in zip(panels[0], overlays(images, None, regions), table["class"], strict=True):
            axes.imshow(picture, interpolation="nearest")
            axes.set_title(shortened(str(name), 14), fontsize=7, pad=2)
        for line, (method, model, result) in zip(panels[1:], rows, strict=True):
            pictures = overlays(images, _maps(result, sample_ids, method), regions)
            ious = result.frame("examples").set_index("sample_id").reindex(sample_ids)[f"{method}_iou"]
            line[0].set_ylabel(f"{short(method)}\n{shortened(model, 14)}", fontsize=7)
            for axes, picture, iou in zip(line, pictures, ious, strict=True):
                axes.imshow(picture, interpolation="nearest")
                axes.set_xlabel("–" if np.isnan(iou) else f"{iou:.2f}", fontsize=6, labelpad=1)
    return figure


def _methods(result: Result) -> list[str]:
    return [name for name in result.pictures["examples"].arrays if name not in (IMAGES, REGIONS_OF)]


def _maps(result: Result, sample_ids: Sequence[str], method: str) -> FloatArray:
    """This model's maps of some images; of images that it was not scored on, blank ones."""
    maps = result.pictures["examples"][method]
    places = {name: place for place, name in enumerate(result.frame("examples")["sample_id"])}
    blank = np.full(maps[0].shape, np.nan)
    return np.stack([maps[places[name]] if name in places else blank for name in sample_ids])


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


def draw_iou_curves(models: Mapping[str, Result]) -> Figure:
    """Mean IoU by threshold, a panel per method, a line per model; grey: the first model's baselines."""
    rows = together({model: result.frame("iou_by_threshold") for model, result in models.items()})
    first = rows[rows["model"] == next(iter(models))]
    # the whole image has no threshold: it is a level to compare with
    level = first["mean_iou"].where(first["method"] != "all-ones", first.groupby("method")["mean_iou"].transform("max"))
    first = first.assign(mean_iou=level)

    def draw(axes: Axes, curves: pd.DataFrame) -> None:
        for name, dashes in zip(BASELINES, ((1, 1), (4, 2), (4, 1, 1, 1)), strict=True):
            line = first[first["method"] == name]
            axes.plot(line["threshold"], line["mean_iou"], color="0.5", lw=0.9, dashes=dashes, label=name)
        draw_lines(axes, curves, models, "threshold", "mean_iou")
        axes.set_xlim(0, 1)

    scored = rows[~rows["method"].isin(BASELINES)].assign(method=rows["method"].map(short))
    figure = line_panels(models, scored, "method", draw, x_label="threshold of the scaled map", y_label="mean IoU")
    figure.axes[0].set_ylim(bottom=0)  # shared, and only now known: later lines would not move it
    return figure
