"""Pages of the best and the worst images of every class, one page a method."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from csg_analyze.analyzers.localize.comparisons import NAMES
from csg_analyze.analyzers.localize.methods import Scored, Setting
from csg_analyze.analyzers.localize.overlays import overlays
from csg_analyze.html import environment
from csg_analyze.metrics.arrays import FloatArray, IntArray
from csg_analyze.plots.sprites import sprite

SHOWN = 6
"""Images of a class at each end."""

CLASSES = 100
"""Classes on a page at most; of more, those with the lowest mean IoU."""

PICTURE_BYTES = 12_000


@dataclass(frozen=True)
class Ranking:
    """What the pages are made from: the scored images, what methods score on them, and what they look like."""

    setting: Setting
    scored: Mapping[str, Scored]
    class_names: Sequence[str]
    sample_ids: Sequence[str]
    pictures: Callable[[IntArray], np.ndarray]


@dataclass(frozen=True)
class Shown:
    """One picture: what it says, and its place (x, y) on the sheet in pixels."""

    caption: str
    place: tuple[int, int]


@dataclass(frozen=True)
class Ends:
    """A class's best and worst images, and its mean IoU over n of them."""

    name: str
    mean: float
    n: int
    best: tuple[Shown, ...]
    worst: tuple[Shown, ...]


def extremes_pages(ranking: Ranking, model: str) -> Iterator[tuple[str, bytes]]:
    """Names and contents of the files: index.html for the last, most summary method, one more page for every other."""
    templates = environment("csg_analyze.analyzers.localize", autoescape=True)
    methods = list(ranking.scored)[::-1]
    files = {name: "index.html" if place == 0 else f"{_stem(name)}.html" for place, name in enumerate(methods)}
    template = templates.get_template("localization.html.j2")
    for name in methods:
        iou = ranking.scored[name].scores.iou[ranking.setting.scored]
        images, groups = _ends(ranking, iou)
        sheet = None
        if len(images):
            maps = ranking.scored[name].previews[images].astype(np.float32)
            regions = ranking.setting.objects.regions(images)[0]
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
            n_shown=SHOWN,
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
    """A class, all its images with a map, the best and the worst of them, and where these begin on the sheet."""

    c: int
    members: IntArray
    best: IntArray
    worst: IntArray
    start: int


def _ends(ranking: Ranking, iou: FloatArray) -> tuple[IntArray, list[_Group]]:
    """The images on the sheet, class by class, the best first."""
    setting = ranking.setting
    known, values = setting.scored[~np.isnan(iou)], iou[~np.isnan(iou)]
    members = [np.flatnonzero(setting.labels[known] == c) for c in range(len(ranking.class_names))]
    means = {c: values[places].mean() for c, places in enumerate(members) if len(places)}
    chosen = sorted(sorted(means, key=lambda c: means[c])[:CLASSES])
    images: list[int] = []
    groups = []
    for c in chosen:
        order = members[c][np.argsort(-values[members[c]], kind="stable")]
        best = known[order[:SHOWN]]
        worst = known[order[max(SHOWN, len(order) - SHOWN) :][::-1]]  # a small class shows no image twice
        groups.append(_Group(c, known[members[c]], best, worst, len(images)))
        images += [*best.tolist(), *worst.tolist()]
    return np.array(images, np.int64), groups


def _row(ranking: Ranking, method: str, group: _Group, offset: Callable[[int], tuple[int, int]]) -> Ends:
    iou = ranking.scored[method].scores.iou

    def shown(images: IntArray, start: int) -> tuple[Shown, ...]:
        return tuple(
            Shown(f"IoU {iou[i]:.3f}, {ranking.sample_ids[i]}", offset(start + place))
            for place, i in enumerate(images.tolist())
        )

    return Ends(
        name=ranking.class_names[group.c],
        mean=float(iou[group.members].mean()),
        n=len(group.members),
        best=shown(group.best, group.start),
        worst=shown(group.worst, group.start + len(group.best)),
    )
