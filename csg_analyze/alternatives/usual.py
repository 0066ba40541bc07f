"""The usual ways to prepare images and to order classes, by name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from csg_analyze.checkpoints import Preprocessing
from csg_analyze.checkpoints.preprocessing import HALF, IMAGENET_MEAN, IMAGENET_STD, numbers
from csg_analyze.models import NETWORKS

Geometry = tuple[int | None, int | None]
"""(size, resize) as in `Preprocessing`."""

SMALL = 64
"""Side in pixels up to which images are tried as they were made for 32x32, above which as for 224x224."""


@dataclass(frozen=True)
class Normalisation:
    """mean, std: red, green, blue, for pixels in [0, 1]. name: in words."""

    name: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    bgr: bool = False

    def applied(self, preprocessing: Preprocessing) -> Preprocessing:
        """The preprocessing with this mean, std and order of channels."""
        return replace(preprocessing, mean=self.mean, std=self.std, channels="bgr" if self.bgr else "rgb")


NORMALISATIONS = (
    Normalisation("ImageNet's mean and std", IMAGENET_MEAN, IMAGENET_STD),
    Normalisation("CIFAR-10's mean and std", (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)),
    Normalisation("CIFAR-100's mean and std", (0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762)),
    Normalisation("mean and std .5", HALF, HALF),
    Normalisation("no normalisation (0 to 1)", (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
    Normalisation(
        "Caffe's: 0 to 255, minus the mean, BGR",
        (123.68 / 255, 116.779 / 255, 103.939 / 255),
        (1 / 255, 1 / 255, 1 / 255),
        bgr=True,
    ),
)


def normalisations(current: Preprocessing) -> Iterator[Normalisation]:
    """The usual ones and the current one with the channels the other way, but for the current one itself."""
    now = (current.mean, current.std, current.channels == "bgr")
    yield from (each for each in NORMALISATIONS if not _alike((each.mean, each.std, each.bgr), now))
    yield turned(current)


def turned(current: Preprocessing) -> Normalisation:
    """The current normalisation with the channels in the other order."""
    other = current.channels != "bgr"
    return Normalisation(f"channels {_order(bgr=other)}", current.mean, current.std, other)


Values = tuple[Sequence[float], Sequence[float], bool]


def _alike(first: Values, second: Values) -> bool:
    pairs = zip((*first[0], *first[1]), (*second[0], *second[1]), strict=True)
    return first[2] == second[2] and all(abs(a - b) < 1e-4 for a, b in pairs)


def _order(*, bgr: bool) -> str:
    return "blue, green, red" if bgr else "red, green, blue"


def geometries(current: Preprocessing, native: tuple[int, int] | None, architecture: str) -> list[Geometry]:
    """Usual sizes that make sense for the data, but for the current one.

    native: (height, width) of its images, None if they differ in size.
    """
    shorter = None if native is None else min(native)
    usual: list[Geometry] = []
    if native is not None and native[0] == native[1]:
        usual.append((native[0], None))
    if shorter is not None and shorter <= SMALL:
        usual.append((32, None))
    if shorter is None or shorter > SMALL or architecture not in NETWORKS:
        usual.append((224, None))
    if shorter is None or shorter > SMALL:
        usual.append((224, 256))
    now = {(current.size, current.resize)}
    if current.size is None and native is not None and native[0] == native[1]:
        now.add((native[0], None))
    return [each for each in dict.fromkeys(usual) if each not in now]


def class_orders(names: Sequence[str], of_data: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """Usual orders of a network's outputs, by name: for every class of `names`, its output in that order.

    names: in the order that is assumed for the outputs now. of_data: in the data's own order. Only orders that differ.
    No order is made to fit: that would find one for any network.
    """
    n = len(names)
    if len(set(names)) < n:
        return {}
    candidates: dict[str, Sequence[str]] = {
        "classes in the data's own order": of_data if set(of_data) == set(names) else names,
        "classes sorted by name": sorted(names),
        "classes sorted by name, capitals as small letters": sorted(names, key=lambda name: (name.casefold(), name)),
        "classes sorted by the numbers in their names": sorted(names, key=_by_numbers),
        "indices sorted as text (0, 1, 10, 11 ...)": [names[i] for i in sorted(range(n), key=str)],
    }
    orders: dict[str, tuple[int, ...]] = {}
    for name, order in candidates.items():
        output = {each: place for place, each in enumerate(order)}
        places = tuple(output[each] for each in names)
        if places != tuple(range(n)) and places not in orders.values():
            orders[name] = places
    return orders


def _by_numbers(name: str) -> list[tuple[bool, int, str]]:
    parts = re.split(r"(\d+)", name)
    return [(False, int(part), "") if part.isdecimal() else (True, 0, part) for part in parts if part]


def in_words(geometry: Geometry) -> str:
    """A size for people."""
    size, resize = geometry
    if size is None:
        return "images as they are"
    return f"{size}x{size} pixels" if resize is None else f"the middle {size} of {resize} pixels"


def changes(tried: Preprocessing, current: Preprocessing) -> Iterator[str]:
    """What is different in the one preprocessing, in words."""
    if (tried.size, tried.resize) != (current.size, current.resize):
        yield in_words((tried.size, tried.resize))
    bgr, expected = tried.channels == "bgr", current.channels == "bgr"
    if (tried.mean, tried.std) != (current.mean, current.std):
        named = next(each for each in NORMALISATIONS if (each.mean, each.std) == (tried.mean, tried.std))
        expected = named.bgr
        yield named.name
    if bgr != expected:
        yield f"channels {_order(bgr=bgr)}"


def flags(tried: Preprocessing, current: Preprocessing) -> list[str]:
    """The flags that make the one preprocessing out of the other."""
    given = []
    if (tried.mean, tried.std) != (current.mean, current.std):
        given.append(f"--mean {numbers(tried.mean)} --std {numbers(tried.std)}")
    if tried.channels != current.channels:
        given.append(f"--channels {tried.channels}")
    if (tried.size, tried.resize) != (current.size, current.resize):
        given.append(f"--size {tried.size}" + (f" --resize {tried.resize}" if tried.resize else ""))
    return given
