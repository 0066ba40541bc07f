"""A gallery of filters: an overview of the classes, and one page per class with a card for each of its filters.

Only sorting needs JavaScript, and the pages load only the files written here. They lie two folders below the report's
index.html, to which they link back.
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
"""Largest size of one picture, and of all pictures of a gallery together, which makes many pictures smaller."""

PREVIEW_FILTERS = 9
"""Number of filters of a class in the overview, each with the image that activates it most."""


@dataclass(frozen=True)
class Page:
    """One page: filters of one class, the most informative first. stem: of file names. part: 1 to `parts`."""

    stem: str
    group: int
    part: int
    parts: int
    filters: IntArray


@dataclass(frozen=True)
class ClassRow:
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

    model: its name. per_page: largest number of filters on a page.
    """
    pages = _layout(gallery, per_page)
    homes = {k: f"{page.stem}.html" for page in pages for k in page.filters.tolist()}
    n_exemplars = gallery.exemplars.images.shape[1]
    budget = min(PICTURE_BYTES, SPRITE_BYTES / max(1, int(gallery.alive.sum()) * n_exemplars))
    scale = float(gallery.information.max()) or 1.0
    common = {"model": model, "gallery": gallery, "scale": scale, "digits": decimals(scale)}
    templates = environment("csg_analyze.analyzers.gallery", autoescape=True)

    rows, overview_sheet = _overview(gallery, pages, homes, budget)
    overview = templates.get_template("gallery_overview.html.j2")
    yield "index.html", _as_bytes(overview.render(rows=rows, sheet=overview_sheet, n_exemplars=n_exemplars, **common))
    if overview_sheet is not None:
        yield f"overview{overview_sheet.suffix}", overview_sheet.content
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
    # names may contain bytes that are no text in any encoding
    return text.encode("utf-8", errors="backslashreplace")


def _layout(gallery: Gallery, per_page: int) -> list[Page]:
    """The pages in the order of the classes; filters without a class of their own come last."""
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
            filters = members[part * per_page : (part + 1) * per_page]
            pages.append(Page(stem if part == 0 else f"{stem}-{part + 1}", group, part + 1, parts, filters))
    return pages


def _draw(gallery: Gallery, filters: IntArray, budget: float) -> Sprite | None:
    """All exemplars of the filters that are alive, filter after filter; None if no filter is."""
    alive = filters[gallery.alive[filters]]
    if not len(alive):
        return None
    images = gallery.exemplars.thumbnails[gallery.exemplars.thumbnail_of[alive].ravel()]
    maps = np.concatenate(gallery.exemplars.maps[alive])
    return sprite(pictures(images, maps), budget)


def _overview(
    gallery: Gallery, pages: Sequence[Page], homes: Mapping[int, str], budget: float
) -> tuple[list[ClassRow], Sprite | None]:
    """One row per class with filters, and a sheet of the images that activate its strongest filters most."""
    first_pages = [page for page in pages if page.part == 1]
    previews = [page.filters[gallery.alive[page.filters]][:PREVIEW_FILTERS] for page in first_pages]
    filters = np.concatenate(previews)
    sheet = None
    if len(filters):
        images = gallery.exemplars.thumbnails[gallery.exemplars.thumbnail_of[filters, 0]]
        sheet = sprite(halved(pictures(images, gallery.exemplars.maps[filters, 0])), budget / 2)
    places = {} if sheet is None else {k: sheet.offset(index) for index, k in enumerate(filters.tolist())}
    rows = []
    for page, preview in zip(first_pages, previews, strict=True):
        members = gallery.filters[gallery.owner == page.group]
        share = members["exemplar_share"].mean()
        rows.append(
            ClassRow(
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
