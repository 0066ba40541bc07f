"""Data in hand -> `Dataset`: arrays, a torch Dataset, a DataLoader; no file and no spec is needed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch.utils.data import DataLoader, IterableDataset

from csg_analyze.data.dataset import Dataset, balanced_choice, limit_note
from csg_analyze.data.gathering import limited, of_arrays, of_items, of_loader
from csg_analyze.data.geometry import check_sizes, resized
from csg_analyze.data.pairs import IN_WORDS, Pairs, numbered, one_by_one, side_by_side
from csg_analyze.data.stored import Items
from csg_analyze.errors import UsageError

ACCEPTED = "a spec, (images, labels), a list of pairs, a torch Dataset of (image, label) or a DataLoader"


class DataInHand:
    """What a user holds, opened for one network after the other and read once for each size.

    data: (images, labels) of NumPy or torch, uint8 or floats in [0, 1], (N, 3, H, W) or (N, H, W, 3), or images as a
    list, of arrays or of PIL, and labels as a list or a series of pandas; a list of pairs of these; a map-style Dataset
    of (image, label); a DataLoader of such batches, which is iterated once, in its own order; one that draws a new
    order each time is refused. Labels are class indices, or words (see `pairs.numbered`). class_names: in the order of
    the labels; None: those in the data's attribute `classes`, if it has one. Raises UsageError for anything else, and
    for what cannot be used.
    """

    def __init__(self, data: Any, class_names: Sequence[str] | None = None) -> None:
        self._opened: dict[tuple[int | None, int | None, int | None], Dataset] = {}
        self._names = tuple(class_names) if class_names is not None else _class_names_of(data)
        self._items: Any = None
        self._notes: tuple[str, ...] = ()
        if isinstance(data, Dataset):
            self._whole = data if class_names is None else data.named(class_names)
        elif (held := side_by_side(data)) is not None:
            images, (labels, names) = held[0], numbered(held[1], self._names)
            self._notes = (IN_WORDS,) if names != self._names else ()
            self._names = names
            if one_by_one(images):
                self._items = Pairs(images, labels)
            else:
                self._whole = self._named(of_arrays(images, labels))
        elif isinstance(data, DataLoader):
            self._whole = self._named(of_loader(data))
        elif isinstance(data, IterableDataset):
            raise UsageError("an IterableDataset has no order to go back to; give DataLoader(dataset) of it.")
        elif hasattr(data, "__getitem__") and hasattr(data, "__len__") and not _is_no_dataset(data):
            self._items = data
        else:
            raise UsageError(f"data may be {ACCEPTED}; not {type(data).__name__}.")

    def opened(self, size: int | None = None, resize: int | None = None, limit: int | None = None) -> Dataset:
        """The data scaled, cropped and limited as by `load_dataset`; the same object where that was asked for before.

        Its `class_names` are empty if nobody named the classes.
        """
        check_sizes(size, resize)
        key = (size, resize, limit)
        if key not in self._opened:
            if self._items is None:
                dataset = resized(limited(self._whole, limit), size, resize)
            else:
                dataset = self._read(Items(self._items, size, resize), limit)
            self._opened[key] = dataset
        return self._opened[key]

    def _read(self, items: Items, limit: int | None) -> Dataset:
        targets = items.targets()
        chosen = None if targets is None else balanced_choice(targets, limit)
        if targets is not None and chosen is not None:  # the labels are known: no other image is read
            dataset = self._named(of_items(items, chosen.tolist()))
            if torch.equal(dataset.labels, targets[chosen]):
                return replace(dataset, notes=(*dataset.notes, limit_note(len(chosen), len(items))))
        if limit is None:
            return self._named(of_items(items, range(len(items))))
        return limited(self.opened(items.size, items.resize), limit)

    def _named(self, dataset: Dataset) -> Dataset:
        dataset = dataset.named(self._names) if self._names else dataset
        return replace(dataset, notes=(*self._notes, *dataset.notes)) if self._notes else dataset


def _is_no_dataset(data: Any) -> bool:
    """Whether items are no pairs of an image and a label: of a list (handled already), a dict, a frame of pandas."""
    return isinstance(data, tuple | list | dict) or hasattr(data, "iloc")


def _class_names_of(data: Any) -> tuple[str, ...]:
    """`classes` of a dataset, or of the one that a loader or a subset holds; none if they are no texts."""
    for holder in _inwards(data):
        names = getattr(holder, "classes", None)
        if isinstance(names, tuple | list) and names and all(isinstance(name, str) for name in names):
            return tuple(names)
    return ()


def _inwards(data: Any) -> Iterator[Any]:
    for _ in range(4):
        yield data
        data = getattr(data, "dataset", None)
