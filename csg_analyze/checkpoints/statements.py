"""What a file of another program says, besides its weights, of classes and of how pixels are prepared.

Values count where they are plain: numbers, texts, lists and mappings of them. A place is all keys on the way to a
value, joined by dots: `hyper_parameters.class_names`. Nothing here raises for what a file says: what does not fit is
passed over.
"""

from __future__ import annotations

import ast
import math
import re
from argparse import Namespace
from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
from torch import Tensor

from csg_analyze.checkpoints.admitted import PlainArray

CLASS_NAMES = (
    "class_names", "classes", "classnames", "class_to_idx", "idx_to_class", "id2label", "label2id", "idx2label",
    "label_names", "labels", "categories", "names",
)  # fmt: skip
"""Where programs keep the names of classes, in lower case."""
NORMALISATION = (
    ("mean", "std"), ("image_mean", "image_std"), ("img_mean", "img_std"), ("pixel_mean", "pixel_std"),
    ("norm_mean", "norm_std"), ("_mean", "_std"), ("mu", "sigma"),
)  # fmt: skip
"""What programs call mean and std."""
ORDER = ("to_rgb", "bgr_to_rgb", "input_space", "channel_order", "channels")
SIZES = ("val_crop_size", "crop_size", "input_size", "img_size", "image_size", "imgsz")
RESIZES = ("val_resize_size", "resize_size")
TRANSFORM_INPUT = "transform_input"
DEPTH = 5
MAX_CODE = 2**20
BUFFERS = frozenset(name for pair in NORMALISATION for name in pair)
_SAYING = BUFFERS | {*CLASS_NAMES, *ORDER, *SIZES, *RESIZES, TRANSFORM_INPUT}
_UNNAMED = re.compile(r"(?:label|class)[_ ]?\d+", re.IGNORECASE)


def said_in(content: object) -> dict[str, Any]:
    """Place -> value of all that may speak of classes or pixels; the values nearest to the file's top come first."""
    found = list(_walk(content, ()))
    return {".".join(keys): value for keys, value in sorted(found, key=lambda pair: len(pair[0]))}


def _walk(content: object, keys: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(content, Namespace | SimpleNamespace):
        content = vars(content)
    if not isinstance(content, Mapping) or (keys and any(isinstance(value, Tensor) for value in content.values())):
        return
    for key, value in content.items():
        place = (*keys, str(key))
        if str(key).lower() in _SAYING and _is_plain(value):
            yield place, value
        if isinstance(value, str) and "mean" in value and "std" in value:
            yield from _in_code(value, place)
        elif len(place) < DEPTH:
            yield from _walk(value, place)


def _is_plain(value: object) -> bool:
    return isinstance(value, str | int | float | list | tuple | dict | np.ndarray | PlainArray)


def _in_code(text: str, keys: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """mean, std and order of the first call or dict that names both, as in the configurations that OpenMMLab keeps.

    The text is parsed, never run.
    """
    if len(text) > MAX_CODE:
        return
    try:
        nodes = list(ast.walk(ast.parse(text)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    for node in nodes:
        pairs: list[tuple[Any, ast.expr]] = []
        if isinstance(node, ast.Call):
            pairs = [(word.arg, word.value) for word in node.keywords]
        elif isinstance(node, ast.Dict):
            pairs = [(key.value, value) for key, value in zip(node.keys, node.values, strict=True)
                     if isinstance(key, ast.Constant)]  # fmt: skip
        values = {name: value for name, value in pairs if name in ("mean", "std", "to_rgb", "bgr_to_rgb")}
        if {"mean", "std"} <= values.keys():
            try:
                yield from (((*keys, name), ast.literal_eval(value)) for name, value in values.items())
            except (ValueError, TypeError, SyntaxError, RecursionError):
                continue
            return


def class_names_in(said: Mapping[str, Any]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """(place, names in the order of their indices) of every list of class names."""
    ranked = [(place, value) for place, value in said.items() if _key(place) in CLASS_NAMES]
    ranked.sort(key=lambda pair: (pair[0].count("."), CLASS_NAMES.index(_key(pair[0]))))
    for place, value in ranked:
        names = as_names(value)
        # names that a program gave because it had none say nothing; numbers do where they are in another order
        if names and not all(map(_UNNAMED.fullmatch, names)) and names != tuple(map(str, range(len(names)))):
            yield place, names


def as_names(value: object) -> tuple[str, ...] | None:
    """Names from a list of them, from name -> index, or from index -> name; None from anything else."""
    if isinstance(value, Mapping):
        texts = all(isinstance(each, str) for each in value.values())
        pairs = ((_index(key), each) if texts else (_index(each), str(key)) for key, each in value.items())
        by_index = {index: name for index, name in pairs if index is not None}
        if len(by_index) != len(value) or sorted(by_index) != list(range(len(by_index))):
            return None
        value = [by_index[index] for index in sorted(by_index)]
    if isinstance(value, PlainArray):
        value = value.values
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if not isinstance(value, list | tuple) or len(value) < 2:
        return None
    return tuple(value) if all(isinstance(name, str) and name for name in value) else None


def _index(value: object) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    return int(value) if isinstance(value, str) and value.isdecimal() else None


def three_numbers(value: object) -> tuple[float, float, float] | None:
    """Three finite numbers from a list, an array or a tensor of any shape that holds three; None from anything else."""
    if isinstance(value, PlainArray):
        value = value.values
    if isinstance(value, Tensor | np.ndarray):
        value = value.reshape(-1).tolist() if value.size and math.prod(value.shape) == 3 else None
    if not isinstance(value, list | tuple) or len(value) != 3:
        return None
    if not all(isinstance(each, int | float) and not isinstance(each, bool) and math.isfinite(each) for each in value):
        return None
    return float(value[0]), float(value[1]), float(value[2])


def is_normalisation(name: str, tensor: Tensor) -> bool:
    """Whether a tensor is a mean or std of the three channels, by its name and size, and no weight of a network."""
    return tensor.numel() == 3 and _key(name) in BUFFERS


def side(value: object) -> int | None:
    """The side of square images in pixels from 224, [224, 224] or (3, 224, 224); None from anything else."""
    if isinstance(value, list | tuple) and value and all(each == value[-1] for each in value[-2:]):
        value = value[-1]
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and 8 <= value <= 4096 else None


def _key(place: str) -> str:
    return place.rpartition(".")[2].lower()
