"""The card of a filter in a gallery: numbers, bars, pictures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from csg_analyze.metrics.arrays import BoolArray, FloatArray, IntArray
from csg_analyze.metrics.exemplars import Exemplars
from csg_analyze.plots.sprites import Sprite
from csg_analyze.wording import cell, shortened

MOST_BARS = 20


@dataclass(frozen=True)
class Gallery:
    """The contents of a gallery of K filters and C classes.

    owner: (K,), class of the filter; C if several classes share it, C + 1 if it has none. by: source of `owner`, "gate"
    or "mutual information". filters: one row per filter, in order, with the columns mi, gate, mi_margin,
    exemplar_share, mean_activation, max_activation, active_on_class, nearest_filter and cosine, all of which may be
    blank. information: (K, C). gate: (C, K) or None. captions: K rows of n texts, one per exemplar. own: (K, n), True
    for exemplars of the filter's class. alive: (K,), False for a filter with the same activation on all images, whose
    exemplars are not shown.
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
        """The name of a class on the pages, or of a group of filters without a class of their own."""
        beyond = {len(self.class_names): "of several classes", len(self.class_names) + 1: "of no class"}
        return beyond.get(group) or cell(self.class_names[group]) or "(unnamed)"


@dataclass(frozen=True)
class ClassBar:
    """A class in the bars of a filter. up, down: heights of mutual information and gate, in percent."""

    name: str
    information: float
    up: int
    gate: float | None
    down: int
    own: bool


@dataclass(frozen=True)
class Card:
    """One filter. facts: its row of `Gallery.filters`, None for blanks. exemplars: (x, y), own, caption.

    strongest: the three classes with the highest mutual information, in words. nearest: number and page of its nearest
    filter.
    """

    filter: int
    facts: Mapping[str, Any]
    exemplars: tuple[tuple[tuple[int, int], bool, str], ...]
    bars: tuple[ClassBar, ...]
    strongest: str
    nearest: tuple[int, str] | None


def cards(
    gallery: Gallery, filters: IntArray, sheet: Sprite | None, homes: Mapping[int, str], scale: float
) -> Iterator[Card]:
    """The cards of some filters.

    sheet: the exemplars of those filters that are alive, one after the other. homes: the page of every filter. scale:
    the mutual information of the highest possible bar.
    """
    offset = 0
    for k, row in zip(filters.tolist(), gallery.filters.iloc[filters].to_dict("records"), strict=True):
        exemplars: tuple[tuple[tuple[int, int], bool, str], ...] = ()
        if sheet is not None and gallery.alive[k]:
            captions = gallery.captions[k]
            places = [sheet.offset(offset + rank) for rank in range(len(captions))]
            exemplars = tuple(zip(places, gallery.own[k].tolist(), captions, strict=True))
            offset += len(captions)
        facts = {str(name): None if pd.isna(value) else value for name, value in row.items()}
        nearest = facts["nearest_filter"]
        yield Card(
            filter=k,
            facts=facts,
            exemplars=exemplars,
            bars=tuple(_bars(gallery, k, scale)),
            strongest=_strongest(gallery, k, decimals(scale)),
            nearest=None if nearest is None else (nearest, homes[nearest]),
        )


def decimals(scale: float) -> int:
    """Decimals that distinguish values up to `scale`: at least three, and more if `scale` is small."""
    return max(3, 2 - int(np.floor(np.log10(scale))))


def _bars(gallery: Gallery, k: int, scale: float) -> Iterator[ClassBar]:
    """The classes in order; of more than 20 the 20 strongest by mutual information and gate, strongest first."""
    information = gallery.information[k]
    gate = None if gallery.gate is None else gallery.gate[:, k]
    classes: Iterable[int] = range(len(information))
    if len(information) > MOST_BARS:
        strength = information / (information.max() or 1.0) + (0 if gate is None else gate)
        classes = np.argsort(-strength, kind="stable")[:MOST_BARS].tolist()
    for c in classes:
        yield ClassBar(
            name=gallery.name(c),
            information=float(information[c]),
            up=round(100 * float(information[c]) / scale),
            gate=None if gate is None else float(gate[c]),
            down=0 if gate is None else round(100 * float(np.clip(gate[c], 0, 1))),
            own=bool(c == gallery.owner[k]),
        )


def _strongest(gallery: Gallery, k: int, digits: int) -> str:
    information = gallery.information[k]
    classes = np.argsort(-information, kind="stable")[:3].tolist()
    return ", ".join(f"{shortened(gallery.name(c), 20)} {information[c]:.{digits}f}" for c in classes)
