"""One card per filter: its class, how certain the class is, and the images that activate the filter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Annotated

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from csg_analyze.about import about
from csg_analyze.analyzers.gallery.cards import Gallery
from csg_analyze.analyzers.gallery.certainty import share_of_class
from csg_analyze.analyzers.gallery.pages import gallery_pages
from csg_analyze.analyzers.gallery.tables import (
    captions_of,
    class_table,
    exemplar_table,
    filter_table,
    nearest,
    purity_table,
)
from csg_analyze.errors import UsageError
from csg_analyze.metrics.arrays import BoolArray, FloatArray, IntArray
from csg_analyze.metrics.correlation import FilterWeights
from csg_analyze.metrics.exemplars import Exemplars
from csg_analyze.metrics.filters import dead_filters, owners
from csg_analyze.metrics.keeping import NOTHING_KEPT, Arrays, Keep
from csg_analyze.metrics.mutual_information import mutual_information
from csg_analyze.plots.charts import counts
from csg_analyze.result import Drawing, Number, Result, Table
from csg_analyze.wording import listed

MEASURES = """
A card shows the class of the filter and how certain that is, its mutual information with every class and its gate, the
images that activate it most, with its map over each, and the most similar filter.

A filter belongs to the class of its largest gate entry, or without a gate to the class with which it has the highest
mutual information. If several classes share the largest value, the filter is shared. If its gate is closed to all
classes, or its activation is the same on all images, it is unassigned.
"""
READING = """
Three numbers say how certain the class is. `exemplar_share` is the share of the images that activate the
filter most that are of its class. `mi_margin` is 1 if the filter has information about its own class only, 0 if it has
as much about another class, and negative if it has more. `active_on_class` is "no" if the filter is less active on its
class than on average: then its silence indicates the class. The nearest filter is the one whose weights have the
largest absolute cosine with those of this filter.
"""
FIGURE = "How many of the images that activate a filter most are of the filter's own class."


@about(
    "A gallery of all filters",
    "Every filter on a card of its own: its class, how sure that is, and what it looks at.",
    measures=MEASURES,
    reading=READING,
)
def filters(
    activations: FloatArray,
    labels: IntArray,
    class_names: Sequence[str],
    sample_ids: Sequence[str],
    predictions: IntArray,
    exemplars: Exemplars,
    gate: FloatArray | None,
    filter_weights: FilterWeights | None,
    cache: Keep = NOTHING_KEPT,
    *,
    n_neighbors: Annotated[int, "neighbours k of the mutual information's estimator"] = 3,
    seed: Annotated[int, "seed of the noise that breaks ties in the mutual information"] = 0,
    per_page: Annotated[int, "largest number of filters on a page of the gallery"] = 100,
) -> Result:
    """One card per filter: its class and how certain it is, mutual information, gate, exemplars, nearest filter.

    activations: (N, K), averaged maps. gate: (C, K) or None. mi_margin is (M[k, c] - m) / max(M[k, c], m), where m is
    the highest mutual information with another class.

    Raises UsageError for unusable options.
    """
    if n_neighbors < 1 or per_page < 1:
        raise UsageError("--n-neighbors and --per-page must be at least 1.")
    n_classes = len(class_names)
    settings = {"n_classes": n_classes, "n_neighbors": n_neighbors, "seed": seed}
    information = cache.of(_information, activations, labels, **settings)["matrix"]
    alive: BoolArray = ~dead_filters(activations)
    # the estimate for a constant activation comes from the noise that breaks ties
    owner = owners(np.where(alive, information.T, 0.0) if gate is None else gate)
    exemplar_labels = labels[exemplars.images]
    table = filter_table(activations, labels, class_names, owner, information, gate)
    # exemplars of a filter with a constant activation are arbitrary
    table["exemplar_share"] = share_of_class(exemplar_labels, np.where(alive, owner, n_classes), n_classes)
    table["nearest_filter"], table["cosine"] = nearest(filter_weights, len(table))
    listed_exemplars = exemplar_table(exemplars, labels, predictions, class_names, sample_ids)
    gallery = Gallery(
        class_names=class_names,
        owner=owner,
        by="mutual information" if gate is None else "gate",
        filters=table,
        information=information,
        gate=gate,
        exemplars=exemplars,
        captions=captions_of(listed_exemplars, exemplars.images.shape),
        own=exemplar_labels == owner[:, None],
        alive=alive,
    )
    per_class = class_table(table, owner, class_names)
    n_exemplars = exemplars.images.shape[1]
    return Result(
        summary=_summary(table, owner, alive, per_class, n_classes, n_exemplars),
        tables={
            "per_class": Table(per_class),
            "filters": Table(table),
            "exemplars": Table(listed_exemplars),
            "purity": Table(purity_table(table["exemplar_share"], n_exemplars)),
        },
        figures={"purity": Drawing(draw_purity, FIGURE)},
        notes=_notes(table, gate, filter_weights, per_class, n_exemplars),
        pages=partial(gallery_pages, gallery, per_page=per_page),
    )


def _information(activations: FloatArray, labels: IntArray, **settings: int) -> Arrays:
    return {"matrix": mutual_information(activations, labels, **settings)}


def _summary(
    table: pd.DataFrame, owner: IntArray, alive: BoolArray, per_class: pd.DataFrame, n_classes: int, n_exemplars: int
) -> dict[str, Number]:
    shares = table["exemplar_share"].dropna()
    return {
        "mean_exemplar_share": _mean(shares),
        "pure_filters": _mean(shares == 1),
        "mean_mi_margin": _mean(table["mi_margin"].dropna()),
        "silent_filters": int((table["active_on_class"] == False).sum()),  # noqa: E712 (pd.NA is neither)
        "dead_filters": int((~alive).sum()),
        "shared_filters": int((owner == n_classes).sum()),
        "unassigned_filters": int((owner > n_classes).sum()),
        "classes_without_filters": int((per_class["n_filters"][:n_classes] == 0).sum()),
        "n_filters": len(table),
        "n_exemplars": n_exemplars,
    }


def _mean(values: pd.Series) -> float | None:
    return float(values.mean()) if len(values) else None


def _notes(
    table: pd.DataFrame,
    gate: FloatArray | None,
    filter_weights: FilterWeights | None,
    per_class: pd.DataFrame,
    n_exemplars: int,
) -> tuple[str, ...]:
    notes = [
        f"a filter's class is that of its {'highest mutual information' if gate is None else 'largest gate entry'}; "
        f"its exemplars are the {n_exemplars} images with its highest averaged activation."
    ]
    if gate is None:
        notes.append("the class is chosen on the images that are then counted, which raises exemplar_share.")
    if table["nearest_filter"].isna().all():
        reason = (
            "there are no weights"
            if filter_weights is None
            else f"the filters of {filter_weights.layer} are not the channels of the feature layer one by one"
        )
        notes.append(f"no nearest neighbours: {reason}.")
    empty = per_class.loc[per_class["n_filters"] == 0, "class"].tolist()
    if empty:
        notes.append(f"no filter belongs to: {listed(empty)}.")
    return tuple(notes)


def draw_purity(models: Mapping[str, Result]) -> Figure:
    """Number of filters by how many exemplars are of the filter's class, for all models."""
    tables = {model: result.frame("purity") for model, result in models.items()}
    figure = counts(tables, category="of_class", value="n_filters", label="filters")
    most = max(len(table) - 1 for table in tables.values())
    figure.axes[0].set_xlabel(f"of the {most} images, so many of the class")
    return figure
