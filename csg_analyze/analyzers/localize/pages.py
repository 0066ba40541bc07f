"""Pages with the best and the worst images of every class, one page per method."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from csg_analyze.analyzers.localize.comparisons import NAMES
from csg_analyze.analyzers.localize.overlays import overlays
from csg_analyze.analyzers.localize.task import LocalizationTask, Scored
from csg_analyze.html import environment
from csg_analyze.metrics.arrays import FloatArray, IntArray
from csg_analyze.plots.sprites import sprite

IMAGES_PER_END = 6
"""Number of best images of a class, and of worst ones."""

CLASSES_PER_PAGE = 100
"""Largest number of classes on a page; of more classes, those with the lowest mean IoU are there."""

PICTURE_BYTES = 12_000


@dataclass(frozen=True)
class Ranking:
    """The contents of the pages: the scored images, their scores by every method, and their pictures."""

    task: LocalizationTask
    scored: Mapping[str, Scored]
    class_names: Sequence[str]
    sample_ids: Sequence[str]
    pictures: Callable[[IntArray], np.ndarray]


@dataclass(frozen=True)
class Thumbnail:
    """One picture: its caption, and its place (x, y) on the sheet in pixels."""

    caption: str
    place: tuple[int, int]


@dataclass(frozen=True)
class Ends:
    """A class's best and worst images, and its mean IoU over n of them."""

    name: str
    mean: float
    n: int
    best: tuple[Thumbnail, ...]
    worst: tuple[Thumbnail, ...]


def extremes_pages(ranking: Ranking, model: str) -> Iterator[tuple[str, bytes]]:
    """Names and contents of the files: index.html for the last method, one more page for every other method."""
    templates = environment("csg_analyze.analyzers.localize", autoescape=True)
    methods = list(ranking.scored)[::-1]
    files = {name: "index.html" if place == 0 else f"{_stem(name)}.html" for place, name in enumerate(methods)}
    template = templates.get_template("localization.html.j2")
    for name in methods:
        iou = ranking.scored[name].scores.iou[ranking.task.scored]
        images, groups = _ends(ranking, iou)
        sheet = None
        if len(images):
            maps = ranking.scored[name].previews[images].astype(np.float32)
            regions = ranking.task.objects.regions(images)[0]
            sheet = sprite(overlays(ranking.pictures(images), maps, regions), PICTURE_BYTES)
        rows = [] if sheet is None else [_row(ranking, name, group, sheet.offset) for group in groups]
        text = template.render(
            model=model,
            method=NAMES.get(name, name),
            rows=rows,
            sheet=sheet,
            stem=_stem(name),
            others=[(NAMES.get(other, other), file) for other, file in files.items() if other != name],
            n_classes=len(ranking.class_names),
            n_shown=IMAGES_PER_END,
        )
        yield files[name], text.encode("utf-8", errors="backslashreplace")
        if sheet is not None:
            yield f"{_stem(name)}{sheet.suffix}", sheet.content
    css = "".join(templates.get_template(part).render() for part in ("style.css", "localization.css"))
    yield "localization.css", css.encode()


def _stem(method: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "-", method).strip("-")


@dataclass(frozen=True)
class _Group:
    """A class: its images with a map, the best and the worst of them, and their first place on the sheet."""

    c: int
    members: IntArray
    best: IntArray
    worst: IntArray
    start: int


def _ends(ranking: Ranking, iou: FloatArray) -> tuple[IntArray, list[_Group]]:
    """The images on the sheet, class by class, the best first."""
    task = ranking.task
    with_map, values = task.scored[~np.isnan(iou)], iou[~np.isnan(iou)]
    members = [np.flatnonzero(task.labels[with_map] == c) for c in range(len(ranking.class_names))]
    means = {c: values[places].mean() for c, places in enumerate(members) if len(places)}
    chosen = sorted(sorted(means, key=lambda c: means[c])[:CLASSES_PER_PAGE])
    images: list[int] = []
    groups = []
    for c in chosen:
        order = members[c][np.argsort(-values[members[c]], kind="stable")]
        best = with_map[order[:IMAGES_PER_END]]
        worst = with_map[
            order[max(IMAGES_PER_END, len(order) - IMAGES_PER_END) :][::-1]
        ]  # a small class shows no image twice
        groups.append(_Group(c, with_map[members[c]], best, worst, len(images)))
        images += [*best.tolist(), *worst.tolist()]
    return np.array(images, np.int64), groups


def _row(ranking: Ranking, method: str, group: _Group, offset: Callable[[int], tuple[int, int]]) -> Ends:
    iou = ranking.scored[method].scores.iou

    def thumbnails(images: IntArray, start: int) -> tuple[Thumbnail, ...]:
        return tuple(
            Thumbnail(f"IoU {iou[i]:.3f}, {ranking.sample_ids[i]}", offset(start + place))
            for place, i in enumerate(images.tolist())
        )

    return Ends(
        name=ranking.class_names[group.c],
        mean=float(iou[group.members].mean()),
        n=len(group.members),
        best=thumbnails(group.best, group.start),
        worst=thumbnails(group.worst, group.start + len(group.best)),
    )
