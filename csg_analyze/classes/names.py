"""Names of classes that mean the same: other case or separators, synonyms, WordNet ids of ImageNet's classes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import NamedTuple

_SEPARATORS = re.compile(r"[\s_\-]+")
_WORDNET_ID = re.compile(r"n\d{8}")


class ImageNetClass(NamedTuple):
    """wordnet_id: n and eight digits. names: synonyms, the usual one first. category: torchvision's name, unique."""

    wordnet_id: str
    names: tuple[str, ...]
    category: str


@cache
def imagenet() -> tuple[ImageNetClass, ...]:
    """ImageNet's 1000 classes in the order of networks' outputs, which is that of their WordNet ids."""
    lines = files("csg_analyze.classes").joinpath("imagenet.tsv").read_text(encoding="utf-8").splitlines()
    return tuple(
        ImageNetClass(wordnet_id, tuple(names.split(", ")), category)
        for wordnet_id, names, category in (line.split("\t") for line in lines)
    )


def plain(name: str) -> str:
    """A name without regard to case, spaces, underscores and hyphens: "Polar_Bear" -> "polar bear"."""
    return _SEPARATORS.sub(" ", name).strip().casefold()


def is_wordnet_id(name: str) -> bool:
    """Whether a name has the form of a WordNet id, as ImageNet's folders have."""
    return _WORDNET_ID.fullmatch(name.strip()) is not None


def imagenet_index(name: str) -> int | None:
    """Which of ImageNet's classes has this WordNet id, this name or, separated by commas, all of these names.

    None where there is none, or several ("crane", a bird and a machine).
    """
    places = _imagenet_places()
    known = frozenset.intersection(*(places.get(part, frozenset()) for part in _synonyms(name) or ("",)))
    return next(iter(known)) if len(known) == 1 else _own_categories().get(_SEPARATORS.sub(" ", name))


def in_imagenet_order(names: Sequence[str] | None, n_outputs: int) -> bool:
    """Whether outputs are ImageNet's 1000 classes: so many without names, or with ImageNet's names in its order."""
    if n_outputs != len(imagenet()):
        return False
    if names is None:
        return True
    places = [imagenet_index(name) for name in names]
    as_there = sum(place == index for index, place in enumerate(places))
    # a few of its names are those of two classes
    return as_there + places.count(None) == n_outputs and as_there > 0.9 * n_outputs


def same_names(ours: Sequence[str], theirs: Sequence[str]) -> tuple[int | None, ...]:
    """For each of our names the index of the one of theirs that means the same; None where there is none, or several.

    A name as it is counts before one that differs in case or separators, this before a synonym, and this before a
    WordNet id.
    """
    tables = [(keys, _table(theirs, keys)) for keys in _KEYS]
    return tuple(_same_name(name, tables) for name in ours)


Keys = Callable[[str], Iterable[str]]
"""A name -> the texts by which it is compared."""
Table = Mapping[str, frozenset[int]]
"""Text -> where names have it."""


def _same_name(name: str, tables: Sequence[tuple[Keys, Table]]) -> int | None:
    for keys, table in tables:
        found = frozenset[int]().union(*(table.get(key, frozenset()) for key in keys(name)))
        if found:
            return next(iter(found)) if len(found) == 1 else None
    return None


def _table(names: Sequence[str], keys: Keys) -> Table:
    table: dict[str, set[int]] = {}
    for index, name in enumerate(names):
        for key in keys(name):
            table.setdefault(key, set()).add(index)
    return {key: frozenset(places) for key, places in table.items()}


def _synonyms(name: str) -> tuple[str, ...]:
    """The parts of a list of names such as ImageNet's "tench, Tinca tinca", plain."""
    return tuple(part for part in map(plain, name.split(",")) if part)


def _wordnet_ids(name: str) -> tuple[str, ...]:
    index = imagenet_index(name)
    return () if index is None else (imagenet()[index].wordnet_id,)


_KEYS: tuple[Keys, ...] = (lambda name: (name,), lambda name: (plain(name),), _synonyms, _wordnet_ids)


@cache
def _imagenet_places() -> Table:
    """Plain name or WordNet id -> the indices of the ImageNet classes that have it."""
    places: dict[str, set[int]] = {}
    for index, (wordnet_id, names, category) in enumerate(imagenet()):
        for text in (wordnet_id, *map(plain, names)):
            places.setdefault(text, set()).add(index)
        places.setdefault(plain(category), set()).add(index)
    return {text: frozenset(each) for text, each in places.items()}


@cache
def _own_categories() -> Mapping[str, int]:
    """torchvision's names, which mean one class each, without those that are the usual name of another class too."""
    usual = [each.names[0] for each in imagenet()]
    return {
        _SEPARATORS.sub(" ", each.category): index
        for index, each in enumerate(imagenet())
        if usual.count(each.category) <= (usual[index] == each.category)
    }
