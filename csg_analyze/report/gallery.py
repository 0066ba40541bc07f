"""A gallery of filters: an overview of the classes, and a page a class with a card for every filter of it.

The pages need no JavaScript but for being sorted, and fetch nothing but the files written here. They lie two folders
below the report's index.html, to which they link back.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from csg_analyze.metrics.arrays import BoolArray, FloatArray, IntArray
from csg_analyze.metrics.exemplars import Exemplars
from csg_analyze.report.pages import environment
from csg_analyze.report.reduction import shortened
from csg_analyze.report.sprites import Sprite, halved, pictures, sprite
from csg_analyze.report.tables import cell

PICTURE_BYTES = 3_000
"""Bytes that one picture may take; fewer where there are many, so that all together stay below SPRITE_BYTES."""
SPRITE_BYTES = 16_000_000
MOST_BARS = 20
PREVIEW = 9
"""Filters of a class that the overview shows, each by the image that activates it most."""


@dataclass(frozen=True)
class Gallery:
    """What a gallery shows of K filters and C classes.

    owner: (K,), the filter's class, C where several share it, C + 1 where it has none. by: what says so, "gate" or
    "mutual information". filters: a row a filter, in their order, with mi, gate, mi_margin, exemplar_share,
    mean_activation, max_activation, active_on_class, nearest_filter and cosine. information: (K, C). gate: (C, K) or
    None. captions: K rows of n texts, what is said about each exemplar. own: (K, n), exemplars of the filter's class.
    alive: (K,), False for a filter with the same activation on every image: it has no exemplars worth a look.
    """

    class_names: Sequence[str]
    owner: IntArray
    by: str
    filters: pd.DataFrame
    information: FloatArray
    gate: FloatArray | None
    exemplars: Exemplars
    captions: Sequence[Sequence[str]]
    own: BoolArray
    alive: BoolArray

    def name(self, group: int) -> str:
        """What a page calls a class, or those filters that have none."""
        beyond = {len(self.class_names): "of several classes", len(self.class_names) + 1: "of no class"}
        return beyond.get(group) or cell(self.class_names[group]) or "(unnamed)"


@dataclass(frozen=True)
class Page:
    """One page: filters of one class, the most informative first. part: 1.. of `parts`."""

    stem: str
    group: int
    part: int
    parts: int
    filters: IntArray


def gallery_pages(gallery: Gallery, model: str, *, per_page: int = 100) -> Iterator[tuple[str, bytes]]:
    """Names and contents of the gallery's files, the overview index.html first; drawn one page at a time.

    model: its name. per_page: filters on one page at most.
    """
    pages = _layout(gallery, per_page)
    homes = {int(k): f"{page.stem}.html" for page in pages for k in page.filters}
    n_pictures = max(1, int(gallery.alive.sum()) * gallery.exemplars.images.shape[1])
    budget = min(PICTURE_BYTES, SPRITE_BYTES / n_pictures)
    templates = environment(autoescape=True)
    common = {"model": model, "gallery": gallery, "n_exemplars": gallery.exemplars.images.shape[1]}

    rows, previews = _overview(gallery, pages, homes, budget)
    overview = templates.get_template("gallery_overview.html.j2")
    yield "index.html", _as_bytes(overview.render(rows=rows, sprite=previews, **common))
    if previews is not None:
        yield f"overview{previews.suffix}", previews.content
    yield "gallery.css", _as_bytes("".join(templates.get_template(f).render() for f in ("style.css", "gallery.css")))
    yield "gallery.js", _as_bytes(templates.get_template("gallery.js").render())
    template = templates.get_template("gallery_class.html.j2")
    scale = float(gallery.information.max(initial=0)) or 1.0
    for index, page in enumerate(pages):
        sheet = _draw(gallery, page.filters, budget)
        around = (pages[index - 1] if index else None, pages[index + 1] if index + 1 < len(pages) else None)
        cards = _cards(gallery, page, sheet, homes, scale)
        text = template.render(page=page, cards=cards, sprite=sheet, around=around, scale=scale, **common)
        yield f"{page.stem}.html", _as_bytes(text)
        if sheet is not None:
            yield f"{page.stem}{sheet.suffix}", sheet.content


def _as_bytes(text: str) -> bytes:
    # names may hold bytes that are no text in any encoding
    return text.encode("utf-8", errors="backslashreplace")


def _layout(gallery: Gallery, per_page: int) -> list[Page]:
    n_classes = len(gallery.class_names)
    information = gallery.filters["mi"].to_numpy()
    digits = len(str(n_classes - 1))
    pages = []
    for group in range(n_classes + 2):
        stem = {n_classes: "several-classes", n_classes + 1: "no-class"}.get(group, f"class-{group:0{digits}d}")
        members = np.flatnonzero(gallery.owner == group)
        members = members[np.argsort(-information[members], kind="stable")]
        parts = -(-len(members) // per_page)
        for part in range(parts):
            shown = members[part * per_page : (part + 1) * per_page]
            pages.append(Page(stem if part == 0 else f"{stem}-{part + 1}", group, part + 1, parts, shown))
    return pages


def _draw(gallery: Gallery, filters: IntArray, budget: float) -> Sprite | None:
    """The exemplars of those filters that have any, filter after filter; None where none has."""
    shown = filters[gallery.alive[filters]]
    if not len(shown):
        return None
    maps = gallery.exemplars.maps[shown]
    images = gallery.exemplars.thumbnails[gallery.exemplars.thumbnail_of[shown].ravel()]
    return sprite(pictures(images, maps.reshape(-1, *maps.shape[2:])), budget)


def _overview(
    gallery: Gallery, pages: Sequence[Page], homes: dict[int, str], budget: float
) -> tuple[list[dict[str, Any]], Sprite | None]:
    """A row a class that has filters, and the pictures of its strongest filters on one sheet."""
    shown = {page.group: page.filters[gallery.alive[page.filters]][:PREVIEW] for page in pages if page.part == 1}
    filters = np.concatenate([*shown.values(), np.zeros(0, np.int64)]).astype(np.int64)
    sheet = None
    if len(filters):
        first = gallery.exemplars.thumbnails[gallery.exemplars.thumbnail_of[filters, 0]]
        sheet = sprite(halved(pictures(first, gallery.exemplars.maps[filters, 0])), budget / 2)
    place = {int(k): sheet.offset(i) for i, k in enumerate(filters)} if sheet is not None else {}
    rows = []
    for page in pages:
        if page.part == 1:
            members = gallery.filters[gallery.owner == page.group]
            preview = [(int(k), *place[int(k)], homes[int(k)]) for k in shown[page.group]]
            rows.append(
                {
                    "name": gallery.name(page.group),
                    "href": f"{page.stem}.html",
                    "n_filters": len(members),
                    "mi": _value(members["mi"].mean()),
                    "share": _value(members["exemplar_share"].mean()),
                    "mean": _value(members["mean_activation"].mean()),
                    "preview": preview,
                }
            )
    return rows, sheet


def _cards(
    gallery: Gallery, page: Page, sheet: Sprite | None, homes: dict[int, str], scale: float
) -> list[dict[str, Any]]:
    """What the template shows of every filter of a page; what is missing is None."""
    cards = []
    drawn = 0
    n = gallery.exemplars.images.shape[1]
    records = gallery.filters.iloc[page.filters].to_dict("records")
    for k, row in zip(page.filters.tolist(), records, strict=True):
        exemplars = []
        if sheet is not None and gallery.alive[k]:
            places = [sheet.offset(drawn + rank) for rank in range(n)]
            exemplars = list(zip(places, gallery.own[k].tolist(), gallery.captions[k], strict=True))
            drawn += n
        nearest = None if pd.isna(row["nearest_filter"]) else int(row["nearest_filter"])
        cards.append(
            {
                "filter": k,
                "facts": {name: _value(row[name]) for name in row if name not in ("nearest_filter", "active_on_class")},
                "silent": row["active_on_class"] is False,
                "exemplars": exemplars,
                "bars": _bars(gallery, k, scale),
                "strongest": _strongest(gallery, k),
                "nearest": None if nearest is None else (nearest, homes[nearest]),
            }
        )
    return cards


def _bars(gallery: Gallery, k: int, scale: float) -> list[dict[str, Any]]:
    """Height in per cent of both bars of every class; of more than 20 classes, the 20 the filter tells most about."""
    information = gallery.information[k]
    gate = None if gallery.gate is None else gallery.gate[:, k]
    classes = np.arange(len(information))
    if len(classes) > MOST_BARS:
        strength = information / (information.max() or 1.0) + (0 if gate is None else gate)
        classes = np.argsort(-strength, kind="stable")[:MOST_BARS]
    return [
        {
            "name": gallery.name(int(c)),
            "mi": float(information[c]),
            "up": round(100 * float(information[c]) / scale),
            "gate": None if gate is None else float(gate[c]),
            "down": 0 if gate is None else round(100 * float(np.clip(gate[c], 0, 1))),
            "own": bool(c == gallery.owner[k]),
        }
        for c in classes
    ]


def _strongest(gallery: Gallery, k: int) -> str:
    """The three classes that the filter tells most about, and how much."""
    information = gallery.information[k]
    classes = np.argsort(-information, kind="stable")[:3].tolist()
    return ", ".join(f"{shortened(gallery.name(c), 18)} {information[c]:.3f}" for c in classes)


def _value(number: Any) -> Any:
    return None if pd.isna(number) else number
