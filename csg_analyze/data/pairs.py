"""Lists of images and labels as users hold them: pairs, pictures of any size, labels in words, series of pandas."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from csg_analyze.errors import UsageError

IN_WORDS = "labels in words were numbered in alphabetical order, which must be that of the network's outputs"


class Pairs:
    """A map-style dataset of images and their labels, held side by side. targets: the labels."""

    def __init__(self, images: Sequence[Any], labels: Sequence[Any]) -> None:
        if len(images) != len(labels):
            raise UsageError(f"{len(images)} images, but {len(labels)} labels; give one for each image.")
        self.images, self.targets = images, labels

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, i: int) -> tuple[Any, Any]:
        return self.images[i], self.targets[i]


def side_by_side(data: Any) -> tuple[Any, Any] | None:
    """Images and labels of (images, labels), of a list of pairs, or of neither.

    A list of two pairs of an image and a number is taken for what it is: labels of two images are no pair.
    """
    if not isinstance(data, tuple | list) or not data:
        return None
    if all(isinstance(each, tuple | list) and len(each) == 2 and _is_label(each[1]) for each in data):
        return [image for image, _ in data], [label for _, label in data]
    return (plain(data[0]), plain(data[1])) if len(data) == 2 else None


def plain(values: Any) -> Any:
    """A series of pandas as an array, or as a list where it holds objects; anything else as it is."""
    pandas = sys.modules.get("pandas")  # whoever gives a series has imported it
    if pandas is None or not isinstance(values, pandas.Series):
        return values
    array = values.to_numpy()
    return array.tolist() if array.dtype == object else array


def one_by_one(images: Any) -> bool:
    """Whether images are to be read one by one: pictures of PIL, and arrays of several sizes."""
    if not isinstance(images, tuple | list) or not images:
        return False
    return isinstance(images[0], Image.Image) or len({getattr(image, "shape", None) for image in images}) > 1


def numbered(labels: Any, class_names: Sequence[str]) -> tuple[Any, tuple[str, ...]]:
    """Labels in words as class indices, and the names of the classes: by default in alphabetical order, as of folders.

    Labels that are numbers stay as they are. Raises UsageError for a word that is none of the names.
    """
    words = labels.tolist() if isinstance(labels, np.ndarray) and labels.dtype.kind in "OU" else labels
    if not isinstance(words, tuple | list) or not words or not isinstance(words[0], str):
        return labels, tuple(class_names)
    names = tuple(class_names) or tuple(sorted(set(map(str, words))))
    places = {name: place for place, name in enumerate(names)}
    foreign = next((word for word in words if word not in places), None)
    if foreign is not None:
        known = ", ".join(names[:5]) + ", ..." * (len(names) > 5)
        raise UsageError(f"a label is {foreign!r}, which is none of the classes ({known}).")
    return [places[word] for word in words], names


def _is_label(value: Any) -> bool:
    return isinstance(value, str | int) or getattr(value, "ndim", None) == 0
