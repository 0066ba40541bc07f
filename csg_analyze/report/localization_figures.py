"""Fig. 9: maps of the compared models side by side; and IoU over the threshold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from csg_analyze.metrics.arrays import BoolArray, FloatArray
from csg_analyze.metrics.localization.baselines import BASELINES
from csg_analyze.report.overlays import overlays
from csg_analyze.report.reduction import shortened
from csg_analyze.report.style import COLUMN, FULL, MODEL_COLOURS, captioned, style
from csg_analyze.result import Tables

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
    n = len(first)
    height, width = pictures.images.shape[1:3]
    side = (FULL - 0.55) / max(n, 4)
    with style():
        figure = Figure(
            figsize=(0.55 + side * n, 0.2 + (side * height / width + 0.14) * (len(rows) + 1)),
            layout=ConstrainedLayoutEngine(w_pad=0.01, h_pad=0.01, hspace=0.02, wspace=0.02),
        )
        panels = figure.subplots(len(rows) + 1, n, squeeze=False)
        plain = overlays(pictures.images, None, pictures.regions)
        for column, axes in enumerate(panels[0]):
            axes.imshow(plain[column], interpolation="nearest")
            axes.set_title(shortened(str(first["class"].iloc[column]), int(side * 18)), fontsize=7, pad=2)
        for index, (method, model, values, table) in enumerate(rows, 1):
            drawn = _drawn(pictures, table, first["sample_id"].tolist(), method)
            for column, axes in enumerate(panels[index]):
                axes.imshow(drawn[column], interpolation="nearest")
                iou = float(values[f"{method}_iou"].iloc[column])
                axes.set_xlabel("–" if np.isnan(iou) else f"{iou:.2f}", fontsize=6, labelpad=1)
            panels[index, 0].set_ylabel(f"{short(method)}\n{shortened(model, 14)}", fontsize=7)
        panels[0, 0].set_ylabel("image", fontsize=7)
        for axes in panels.flat:
            axes.set_xticks([])
            axes.set_yticks([])
            axes.spines[:].set_visible(False)
    return figure


def _drawn(pictures: Pictures, table: object, wanted: list[str], method: str) -> np.ndarray:
    """This model's maps on the first model's images; where a model was scored on others, its maps are blank."""
    own: Pictures = table.attrs[PICTURES]  # type: ignore[attr-defined]
    places = {name: place for place, name in enumerate(table["sample_id"])}  # type: ignore[index]
    blank = np.full(own.maps[method].shape[1:], np.nan)
    maps = np.stack([own.maps[method][places[name]] if name in places else blank for name in wanted])
    return overlays(pictures.images, maps, pictures.regions)


def draw_iou_curves(models: Mapping[str, Tables]) -> Figure:
    """Mean IoU with the objects of the region above each threshold of the maps, scaled to [0, 1] one by one; a panel a
    method, the baselines dashed. The peak is what the best threshold for all images together would reach.
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
                axes.plot(line["threshold"], line["mean_iou"], color="0.5", lw=0.9, dashes=dashes, label=name)
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
