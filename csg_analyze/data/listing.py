"""Encoded images of one split with their labels, listed before any is decoded, however they are stored -> `Dataset`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from csg_analyze.data import memory
from csg_analyze.data.dataset import Dataset, Split, balanced_choice, limit_note
from csg_analyze.data.decoding import decode_all
from csg_analyze.data.fingerprint import fingerprint_of
from csg_analyze.data.geometry import Progress, check_sizes
from csg_analyze.data.memory import gigabytes
from csg_analyze.data.sources import Readable
from csg_analyze.errors import UsageError

SPLIT_NAMES: Mapping[Split, tuple[str, ...]] = {"train": ("train",), "test": ("test", "val", "valid", "validation")}
"""Split -> its names in data, the preferred first; upper and lower case are the same."""


@dataclass(frozen=True)
class Listing:
    """What a split consists of.

    source: gives the encoded image of each of the N `names`. labels: int64 (N,), indices into `class_names`.
    notes, left_out: as in `Dataset`. ids: from a name to that of the image without regard to where the data lie; those
    of a training and a test split differ.
    """

    source: Readable
    names: Sequence[str]
    labels: Tensor
    class_names: tuple[str, ...]
    notes: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    ids: Callable[[str], str] = str


def read_listing(
    kind: str,
    argument: str,
    split: Split,
    listing: Listing,
    *,
    size: int | None = None,
    resize: int | None = None,
    limit: int | None = None,
    memory_budget: int | None = None,
    progress: Progress | None = None,
) -> Dataset:
    """The listed images, decoded: into memory, or on access where they take more than `memory_budget` bytes.

    kind, argument: of the spec that names the data. The other arguments are those of `load_folder`. The fingerprint
    covers ids, encoded bytes, classes and sizes. Raises UsageError for an image that cannot be read.
    """
    check_sizes(size, resize)
    budget = memory.memory_budget() if memory_budget is None else memory_budget
    names, labels, notes = list(listing.names), listing.labels, list(listing.notes)
    chosen = balanced_choice(labels, limit)
    if chosen is not None:
        notes.append(limit_note(len(chosen), len(names)))
        names, labels = [names[i] for i in chosen.tolist()], labels[chosen]
    decoded = decode_all(listing.source, names, size, resize, budget, progress)
    shape = decoded.images.shape
    if decoded.oriented:
        notes.append(orientation_note(decoded.oriented))
    if not decoded.untouched:
        notes.append(f"images resized and cropped to {shape[3]}x{shape[2]} pixels")
    if isinstance(decoded.images, torch.Tensor):
        listing.source.close()
    else:
        notes.append(f"images decoded on access: in memory they would take {gigabytes(torch.Size(shape).numel())}")
    sample_ids = tuple(map(listing.ids, names))
    files = zip(sample_ids, decoded.digests, strict=True)
    # sizes count only where they changed something
    sizes = repr(None if decoded.untouched else (size, resize))
    return Dataset(
        spec=f"{kind}:{argument}",
        split=split,
        images=decoded.images,
        labels=labels,
        class_names=listing.class_names,
        sample_ids=sample_ids,
        fingerprint=fingerprint_of(
            kind, sizes, *listing.class_names, labels, *(f"{name} {sha}" for name, sha in files)
        ),
        notes=tuple(notes),
        left_out=listing.left_out,
    )


def classes_of(labels: Sequence[str | int], what: str) -> tuple[str, ...]:
    """The class names of labels of all splits: texts in alphabetical order, whole numbers in their own.

    what: the data as the user wrote it. Raises UsageError for fewer than two classes, and for a negative number.
    """
    numbers = [label for label in labels if isinstance(label, int)]
    if numbers and min(numbers) < 0:
        raise UsageError(f"{what!r} has a label {min(numbers)}, which stands for none; choose a split with labels.")
    values = sorted(set(numbers)) if len(numbers) == len(labels) else sorted({str(label) for label in labels})
    if len(values) < 2:
        only = f"only one class, {str(values[0])!r}" if values else "no labels"
        raise UsageError(f"{what!r} has {only}; at least 2 are needed.")
    return tuple(map(str, values))


def indices_of(labels: Sequence[str | int], class_names: Sequence[str]) -> Tensor:
    """Labels as int64 (N,), indices into the class names that `classes_of` gives."""
    places = {name: place for place, name in enumerate(class_names)}
    return torch.tensor([places[str(label)] for label in labels], dtype=torch.int64)


def whole_note(split: Split, named: str = "") -> str:
    """The note on data without splits. named: the name of their folder or file, which may say what they are."""
    note = f"the data has no splits: all its images were taken as the {split} split"
    other = split_named(named)
    return note if other in (None, split) else f"{note}, though {named!r} sounds like the {other} split"


def split_named(name: str) -> Split | None:
    """The split that a word of a name says: "imagenet-val-000000.tar" is of the test split."""
    words = re.findall("[a-z]+", name.lower())
    return next((split for word in words for split, names in SPLIT_NAMES.items() if word in names), None)


def orientation_note(count: int) -> str:
    """The note on images that EXIF says to turn."""
    return (
        f"images whose EXIF says to turn them, read as they are stored, as torchvision reads them: {count} (to have "
        "them upright, turn the files, e.g. with ImageMagick's mogrify -auto-orient)"
    )
