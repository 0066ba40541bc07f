"""Where a network's preprocessing may be said, each place as a `Source`; `preprocessing` combines them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from torch import Tensor, nn

from csg_analyze.checkpoints.classifier import ChannelOrder, Preprocessing
from csg_analyze.checkpoints.folder_settings import of_processor, of_timm, of_timm_default
from csg_analyze.checkpoints.preprocessing import (
    HALF,
    IMAGENET_MEAN,
    IMAGENET_STD,
    Channels,
    Source,
    assumed,
    combined,
    normalisation,
    numbers,
    of_record,
)
from csg_analyze.checkpoints.reading import Contents
from csg_analyze.checkpoints.statements import (
    NORMALISATION,
    RESIZES,
    SIZES,
    TRANSFORM_INPUT,
    is_normalisation,
    side,
    three_numbers,
)
from csg_analyze.models import CAFFE, NETWORKS, TORCHVISION, architectures

OWN_SIZE = 32  # pixels, of the images that this project's own networks were made for
AUTHORS_SIZE = 128  # pixels, by the authors' script for VOC
TRANSFORMING = ("googlenet", "inception_v3")
"""Torchvision's networks whose published weights undo ImageNet's normalisation: (x - .5) / .5 reaches them."""


def preprocessing_of(
    contents: Contents,
    architecture: str | None,
    n_classes: int | None,
    flags: Iterable[Source],
    network: nn.Module | None = None,
) -> tuple[Preprocessing, tuple[str, ...]]:
    """The preprocessing of the network in a file, and remarks for a report.

    architecture: None for a network that no name builds. n_classes: of the head, if known. network: as it was built;
    one of timm's carries timm's data configuration.
    """
    record = contents.about.get("preprocessing") if contents.own else None
    beside = contents.beside
    said = tuple(of_file(contents.said)) if not contents.own else ()
    buffers = tuple(of_buffers(contents.tensors)) if not contents.own else ()
    library = _library(contents, architecture, n_classes, network, theirs=not (said or buffers))
    return combined(
        (
            *flags,
            *of_record(record),
            *of_processor(beside.get("preprocessor_config.json")),
            *of_timm(beside.get("config.json")),
            *(source for source, certain in library if certain),
            *said,
            *buffers,
            *_authors(contents, architecture, n_classes),
            *(source for source, certain in library if not certain),
        )
    )


def _library(
    contents: Contents, architecture: str | None, n_classes: int | None, network: nn.Module | None, *, theirs: bool
) -> tuple[tuple[Source, bool], ...]:
    """The sources that follow from the architecture, and whether they are certain.

    theirs: whether nothing in the file speaks against its being the library's own.
    """
    counted = (n_classes or getattr(network, "num_classes", None)) if theirs else None
    of_timm_itself = getattr(network, "pretrained_cfg", None)
    if isinstance(of_timm_itself, Mapping):
        return tuple(of_timm_default(of_timm_itself, counted))
    if architecture in NETWORKS:
        return ((Source("the network's own size", geometry=(OWN_SIZE, None)), False),)
    if architecture in CAFFE:
        return ((Source("the usual size of ImageNet's images", geometry=(224, 256)), False),)
    if architecture in architectures():
        return tuple(of_torchvision(str(architecture).removeprefix(TORCHVISION), counted, contents))
    return ()


def of_torchvision(name: str, n_classes: int | None, contents: Contents) -> Iterator[tuple[Source, bool]]:
    """Torchvision's transforms, and whether they are certain.

    They are for a file that torchvision publishes, by its SHA-256, and for one of as many classes as theirs. Files of
    other classes were made by somebody else, who may have prepared images in any way.
    """
    from torchvision.models import get_model_weights

    entries = list(get_model_weights(name))
    hashed = {entry: re.search(r"-([0-9a-f]{8,})\.\w+$", entry.url) for entry in entries}
    published = [entry for entry, found in hashed.items() if found and contents.sha256.startswith(found[1])]
    entry = published[0] if published else entries[0]  # the first, IMAGENET1K_V1, from which most files are derived
    certain = bool(published) or n_classes == len(entry.meta["categories"])
    transforms, origin = entry.transforms(), f"torchvision's transforms for {entry}"
    size, resize = transforms.crop_size[0], transforms.resize_size[0]
    mean, std = tuple(transforms.mean), tuple(transforms.std)
    if name in TRANSFORMING:
        yield _transformed(name, contents, origin, certain=certain, published=bool(published)), certain
    elif certain:
        yield Source(origin, mean, std), True
    else:
        yield assumed(Source(origin, mean, std)), False
    if not certain:
        yield assumed(Source(origin, geometry=(size, resize))), False
        return
    others = {other: other.transforms() for other in entries if other is not entry and not published}
    notes = [
        f"preprocessing as for {entry}; for {other} give --size {size} --resize {theirs.resize_size[0]}: the file does "
        "not say which it is"
        for other, theirs in others.items()
        if theirs.crop_size[0] == size and theirs.resize_size[0] != resize
    ]
    yield Source(origin, geometry=(size, resize), notes=tuple(notes)), True


def _transformed(name: str, contents: Contents, origin: str, *, certain: bool, published: bool) -> Source:
    """Mean and std for GoogLeNet and Inception-v3.

    Torchvision's builders set `transform_input` with their published weights and leave it off without them; a state
    dict does not say which. It turns ImageNet's normalisation into (x - .5) / .5, so it is that mean and std.
    GoogLeNet built with the weights has no auxiliary heads unless asked for, one built without them has.
    """
    said = next((bool(v) for place, v in contents.said.items() if place.rpartition(".")[2] == TRANSFORM_INPUT), None)
    auxiliary = any(re.search(r"(?:^|\.)aux[12]\.", place) for place in contents.tensors)
    switched = certain or not (name == "googlenet" and auxiliary) if said is None else said
    mean, std = (HALF, HALF) if switched else (IMAGENET_MEAN, IMAGENET_STD)
    origin = f"{origin}, with transform_input {'on' if switched else 'off'}"
    if said is not None:
        return Source(f"{origin} as the file says", mean, std)
    if published:
        return Source(origin, mean, std)
    derived, scratch = "derived from torchvision's weights", "trained from scratch"
    taken, other = (derived, scratch) if switched else (scratch, derived)
    values = (IMAGENET_MEAN, IMAGENET_STD) if switched else (HALF, HALF)
    note = (
        f"preprocessing assumed: {normalisation(mean, std)}, {origin}, as for networks {taken} (the file does not say; "
        f"if it was {other}, give --mean {numbers(values[0])} --std {numbers(values[1])})"
    )
    # of as many classes as torchvision's own: nearly sure, but a wrong guess must not be silent
    return Source(origin if certain else f"assumed: {origin}", mean, std, notes=(note,))


def of_file(said: Mapping[str, Any]) -> Iterator[Source]:
    """What the plain values of a foreign file say: mean and std together, sizes, the order of channels."""
    groups: dict[str, dict[str, Any]] = {}
    for place, value in said.items():
        group, _, key = place.rpartition(".")
        groups.setdefault(group, {})[key.lower()] = value
    for group, values in groups.items():
        where = f"{group}." if group else ""
        yield from _normalisation(values, partial(_in_file, where))
        size = next(((key, side(values[key])) for key in SIZES if key in values and side(values[key])), None)
        if size is not None:
            resize = next(((key, side(values[key])) for key in RESIZES if key in values and side(values[key])), None)
            keys, pixels = [size[0]], None
            if resize is not None and (resize[1] or 0) >= (size[1] or 0):
                keys, pixels = [size[0], resize[0]], resize[1]
            origin = _in_file(where, *keys)
            yield Source(origin, geometry=(size[1], pixels), notes=(f"preprocessing: size from {origin}",))


def of_buffers(tensors: Mapping[str, Tensor]) -> Iterator[Source]:
    """Mean and std kept among the weights: tensors of three numbers whose names say so, in units of 1 or of 255."""
    groups: dict[str, dict[str, Any]] = {}
    for place, tensor in tensors.items():
        group, _, key = place.rpartition(".")
        if is_normalisation(place, tensor):
            groups.setdefault(group, {})[key.lower()] = tensor
    for group, values in groups.items():
        yield from _normalisation(values, partial(_in_file, f"{group}." if group else ""))


def _normalisation(values: Mapping[str, Any], named: Any) -> Iterator[Source]:
    """named: from names of values to where they are, in words."""
    order = _order(values)
    for mean_key, std_key in NORMALISATION:
        mean, std = three_numbers(values.get(mean_key)), three_numbers(values.get(std_key))
        if mean is None or std is None or min(std) <= 0:
            continue
        origin = named(mean_key, std_key)
        if max(*mean, *std) > 2:  # pixels in [0, 255]
            mean, std = scaled(mean, 1 / 255), scaled(std, 1 / 255)
            origin += ", in units of 0 to 255"
        reverse = tuple(reversed(IMAGENET_MEAN))
        if order is None and max(abs(a - b) for a, b in zip(mean, reverse, strict=True)) < 0.01:
            order = "bgr"
            origin += ", in the order blue, green, red (its means are ImageNet's in that order)"
        if order == "bgr":  # mean and std are in the network's order
            mean, std = (mean[2], mean[1], mean[0]), (std[2], std[1], std[0])
        yield Source(origin, mean, std, channels=order, notes=(f"preprocessing: mean and std from {origin}",))
        return
    if order is not None:
        yield Source(named("order of channels"), channels=order)


def _order(values: Mapping[str, Any]) -> ChannelOrder | None:
    for key in ("to_rgb", "bgr_to_rgb"):
        if isinstance(values.get(key), bool | int):
            return "rgb" if values[key] else "bgr"
    for key in ("input_space", "channel_order", "channels"):
        value = values.get(key)
        if isinstance(value, str) and value.lower() in ("rgb", "bgr"):
            return "rgb" if value.lower() == "rgb" else "bgr"
    return None


def _authors(contents: Contents, architecture: str | None, n_classes: int | None) -> Iterator[Source]:
    """The size in the script of the paper's authors, whose files hold a gate of their own; of VOC, not of ImageNet."""
    if contents.own or contents.gate is None or architecture in NETWORKS or n_classes == 1000:
        return
    origin = "the script of the CSG paper's authors (their gate is in the file)"
    note = f"preprocessing: {AUTHORS_SIZE} pixels, as in {origin}; give --size if it was trained at another size"
    yield Source(origin, geometry=(AUTHORS_SIZE, None), notes=(note,))


def scaled(values: Channels, factor: float) -> Channels:
    """Three numbers, each times a factor."""
    return values[0] * factor, values[1] * factor, values[2] * factor


def _in_file(where: str, *keys: str) -> str:
    return "the file's " + " and ".join(f"{where}{key}" for key in keys)
