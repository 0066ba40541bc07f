"""Which colour and marker a model has in every figure: one hue a training, one tone and marker a seed.

Figures know their models only by name, and often only some of them. Whoever draws several figures says once which
models belong together (`grouped`); each then looks the same in all, and a figure of the CSG models alone does not
borrow STD's colour.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np
import seaborn as sns

MARKERS = "osD^vP*"
APART = (0, 3, 2, 4, 1, 9, 7, 8, 5, 6)
"""The order of the palette's colours: those that are most alike come last."""
PALEST = 0.55
"""How far the last seed's tone is on the way to white."""

_places: ContextVar[Mapping[str, tuple[int, int, int]] | None] = ContextVar("places", default=None)
"""Model -> its group's number, its own number in the group, and the group's size."""


@contextmanager
def grouped(groups: Iterable[Sequence[str]]) -> Iterator[None]:
    """Within, the models of a group share a hue, and the groups have theirs in this order."""
    token = _places.set({m: (g, own, len(group)) for g, group in enumerate(groups) for own, m in enumerate(group)})
    try:
        yield
    finally:
        _places.reset(token)


def colours_of(models: Iterable[str]) -> dict[str, Any]:
    """A colour for every model, of seaborn's palette for colour-blind readers."""
    palette = np.array(sns.color_palette("colorblind"))
    colours = {}
    for model, (group, own, size) in _placed(models).items():
        pale = PALEST * own / max(1, size - 1)
        hue = palette[APART[group % len(APART)]]
        colours[model] = tuple((hue + pale * (1 - hue)).tolist())
    return colours


def markers_of(models: Iterable[str]) -> dict[str, str]:
    """A marker for every model: the seed's where a group has several, or else the group's."""
    places = _placed(models)
    several = any(size > 1 for _, _, size in {**(_places.get() or {}), **places}.values())
    return {m: MARKERS[(own if several else group) % len(MARKERS)] for m, (group, own, _) in places.items()}


def _placed(models: Iterable[str]) -> dict[str, tuple[int, int, int]]:
    """Where each model stands; names that no group has are groups of their own, if it is so for one of them."""
    known, names = _places.get() or {}, list(models)
    if all(name in known for name in names):
        return {name: known[name] for name in names}
    return {name: (place, 0, 1) for place, name in enumerate(names)}
