"""A gallery of filters: an overview of the classes, and a page a class with a card for every filter of it.

The pages need JavaScript for nothing but being sorted, and fetch nothing but the files written here. They lie two
folders below the report's index.html, to which they link back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from csg_analyze.analyzers.gallery.cards import Gallery, cards, decimals
from csg_analyze.html import environment
from csg_analyze.metrics.arrays import IntArray
from csg_analyze.plots.sprites import Sprite, halved, pictures, sprite

PICTURE_BYTES, SPRITE_BYTES = 3_000, 16_000_000
"""What one picture, and all of a gallery together, may take: of many, each has to be content with less."""

PREVIEW = 9
"""Filters of a class that the overview shows, each by the image that activates it most."""


@dataclass(frozen=True)
class Page:
    """One page: filters of one class, the most informative first. stem: of its files. part: 1.. of `parts`."""

    stem: str
    group: int
    part: int
    parts: int
    filters: IntArray


@dataclass(frozen=True)
class Row:
    """A class in the overview; numbers are means over its filters. preview: (filter, page, (x, y))."""

    name: str
    page: str
    n_filters: int
    information: float
    share: float | None
    activation: float
    preview: tuple[tuple[int, str, tuple[int, int]], ...]


def gallery_pages(gallery: Gallery, model: str, *, per_page: int = 100) -> Iterator[tuple[str, bytes]]:
    """Names and contents of the gallery's files, the overview index.html first; drawn one page at a time.

    model: its name. per_page: filters on one page at most.
    """
    pages = _layout(gallery, per_page)
    homes = {k: f"{page.stem}.html" for page in pages for k in page.filters.tolist()}
    n_exemplars = gallery.exemplars.images.shape[1]
    budget = min(PICTURE_BYTES, SPRITE_BYTES / max(1, int(gallery.alive.sum()) * n_exemplars))
    scale = float(gallery.information.max()) or 1.0
    common = {"model": model, "gallery": gallery, "scale": scale, "digits": decimals(scale)}
    templates = environment("csg_analyze.analyzers.gallery", autoescape=True)

    rows, previews = _overview(gallery, pages, homes, budget)
    overview = templates.get_template("gallery_overview.html.j2")
    yield "index.html", _as_bytes(overview.render(rows=rows, sheet=previews, n_exemplars=n_exemplars, **common))
    if previews is not None:
        yield f"overview{previews.suffix}", previews.content
    for file, parts in {"gallery.css": ("style.css", "gallery.css"), "gallery.js": ("gallery.js",)}.items():
        yield file, _as_bytes("".join(templates.get_template(part).render() for part in parts))

    template = templates.get_template("gallery_class.html.j2")
    for index, page in enumerate(pages):
        sheet = _draw(gallery, page.filters, budget)
        text = template.render(
            page=page,
            cards=cards(gallery, page.filters, sheet, homes, scale),
            sheet=sheet,
            before=pages[index - 1] if index else None,
            after=pages[index + 1] if index + 1 < len(pages) else None,
            n_exemplars=n_exemplars,
            **common,
        )
        yield f"{page.stem}.html", _as_bytes(text)
        if sheet is not None:
            yield f"{page.stem}{sheet.suffix}", sheet.content


def _as_bytes(text: str) -> bytes:
    # names may hold bytes that are no text in any encoding
    return text.encode("utf-8", errors="backslashreplace")


def _layout(gallery: Gallery, per_page: int) -> list[Page]:
    """The pages in the order of the classes; those of filters without a class of their own come last."""
    n_classes = len(gallery.class_names)
    digits = len(str(n_classes - 1))
    beyond = {n_classes: "several-classes", n_classes + 1: "no-class"}
    order = np.argsort(-gallery.filters["mi"].to_numpy(), kind="stable")
    pages = []
    for group in np.unique(gallery.owner).tolist():
        stem = beyond.get(group, f"class-{group:0{digits}d}")
        members = order[gallery.owner[order] == group]
        parts = -(-len(members) // per_page)
        for part in range(parts):
            shown = members[part * per_page : (part + 1) * per_page]
            pages.append(Page(stem if part == 0 else f"{stem}-{part + 1}", group, part + 1, parts, shown))
    return pages


def _draw(gallery: Gallery, filters: IntArray, budget: float) -> Sprite | None:
    """All exemplars of those filters that have any, filter after filter; None where none has."""
    shown = filters[gallery.alive[filters]]
    if not len(shown):
        return None
    images = gallery.exemplars.thumbnails[gallery.exemplars.thumbnail_of[shown].ravel()]
    maps = np.concatenate(gallery.exemplars.maps[shown])
    return sprite(pictures(images, maps), budget)


def _overview(
    gallery: Gallery, pages: Sequence[Page], homes: Mapping[int, str], budget: float
) -> tuple[list[Row], Sprite | None]:
    """A row a class that has filters, and on one sheet the images that activate its strongest filters most."""
    first_pages = [page for page in pages if page.part == 1]
    shown = [page.filters[gallery.alive[page.filters]][:PREVIEW] for page in first_pages]
    filters = np.concatenate(shown)
    sheet = None
    if len(filters):
        images = gallery.exemplars.thumbnails[gallery.exemplars.thumbnail_of[filters, 0]]
        sheet = sprite(halved(pictures(images, gallery.exemplars.maps[filters, 0])), budget / 2)
    places = {} if sheet is None else {k: sheet.offset(index) for index, k in enumerate(filters.tolist())}
    rows = []
    for page, preview in zip(first_pages, shown, strict=True):
        members = gallery.filters[gallery.owner == page.group]
        share = members["exemplar_share"].mean()
        rows.append(
            Row(
                name=gallery.name(page.group),
                page=f"{page.stem}.html",
                n_filters=len(members),
                information=float(members["mi"].mean()),
                share=None if pd.isna(share) else float(share),
                activation=float(members["mean_activation"].mean()),
                preview=tuple((k, homes[k], places[k]) for k in preview.tolist()),
            )
        )
    return rows, sheet
