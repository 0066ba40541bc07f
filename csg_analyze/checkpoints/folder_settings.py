"""Preprocessing as the files beside the weights say it: Hugging Face's image processors, timm's data configurations."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from csg_analyze.checkpoints.preprocessing import Channels, Source, assumed
from csg_analyze.checkpoints.statements import side, three_numbers

PROCESSOR, CONFIG = "preprocessor_config.json", "config.json"
BILINEAR = 2
"""PIL's number for the interpolation that is used here."""
WARPED_FROM = 384
"""ConvNeXt's processor scales images of this size and above without a crop."""
_IMAGE_SETTINGS = {"image_mean", "image_std", "size", "crop_size", "do_normalize", "do_rescale", "do_resize"}


def of_processor(processor: Mapping[str, Any] | None) -> Iterator[Source]:
    """A Hugging Face image processor, from its preprocessor_config.json.

    Range and offset of the values are part of mean and std here, as these are for pixels in [0, 1]: of pixels p in
    [0, 255] a network gets (p * factor - offset - mean) / std.
    """
    if processor is None or not _IMAGE_SETTINGS & processor.keys():
        return
    origin = f"the folder's {PROCESSOR}"
    kind = str(processor.get("image_processor_type") or processor.get("feature_extractor_type") or "")
    size, resize, notes = _geometry_of_processor(processor, kind)
    mean, std = _normalisation_of_processor(processor, kind)
    order = processor.get("do_flip_channel_order", kind.startswith("MobileViT"))
    yield Source(origin, mean, std, channels="bgr" if order is True else "rgb")
    if size is not None:
        yield Source(origin, geometry=(size, resize), notes=tuple(f"preprocessing: {note}" for note in notes))


def _normalisation_of_processor(processor: Mapping[str, Any], kind: str) -> tuple[Channels | None, Channels | None]:
    mean, std = three_numbers(processor.get("image_mean")), three_numbers(processor.get("image_std"))
    known = mean is not None and std is not None and min(std) > 0
    by_default = known and not kind.startswith("MobileViT")
    if not processor.get("do_normalize", by_default):  # false, null, or neither it nor a mean
        mean, std = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    elif not known:
        return None, None  # it normalises, by the defaults of its class
    assert mean is not None
    assert std is not None
    factor = 1.0
    if processor.get("do_rescale", True):
        value = processor.get("rescale_factor", 1 / 255)
        factor = float(value) if isinstance(value, int | float) and value > 0 else 1 / 255
    offset = 1.0 if processor.get("rescale_offset") is True and processor.get("do_rescale", True) else 0.0
    again = (1.0, 1.0, 1.0)
    if kind.startswith("EfficientNet") and processor.get("include_top", True):  # it divides by std a second time
        again = three_numbers(processor.get("image_std")) or again
    unit = 255 * factor  # what a pixel of 1 becomes
    red, green, blue = ((each + offset) / unit for each in mean)
    spread_red, spread_green, spread_blue = (a * b / unit for a, b in zip(std, again, strict=True))
    return (red, green, blue), (spread_red, spread_green, spread_blue)


def _geometry_of_processor(processor: Mapping[str, Any], kind: str) -> tuple[int | None, int | None, list[str]]:
    """(size, resize, remarks); size None where it says none."""
    size, crop = processor.get("size"), processor.get("crop_size")
    shortest = side(size.get("shortest_edge")) if isinstance(size, Mapping) else None
    box = _box(size)
    # older files have one number: the shorter side for those that crop, both sides for all others
    if isinstance(size, int):
        crops = processor.get("do_center_crop") or "crop_pct" in processor
        shortest, box = (side(size), None) if crops else (None, side(size))
    notes = []
    resample = processor.get("resample")
    if isinstance(resample, int) and resample != BILINEAR and processor.get("do_resize", True):
        notes.append(f"its {PROCESSOR} interpolates otherwise (PIL's method {resample}); here it is bilinear")
    cropped = (_box(crop) or side(crop)) if processor.get("do_center_crop") else None
    if processor.get("do_resize", True) is False:
        return cropped, None, notes
    share = processor.get("crop_pct")
    if kind.startswith("Levit"):
        share = 224 / 256
    share = float(share) if isinstance(share, int | float) and 0 < share <= 1 else None
    scaled = shortest or box
    if shortest is not None and share is not None:
        if kind.startswith("ConvN") and shortest >= WARPED_FROM:
            box, shortest = shortest, None
        else:
            return cropped or shortest, int(shortest / share), notes
    if cropped is not None:
        return cropped, scaled if scaled is not None and scaled >= cropped else None, notes
    if box is not None:
        notes.append(
            f"its {PROCESSOR} squeezes pictures to {box}x{box} pixels; here the shorter side is scaled and the middle "
            "taken"
        )
        return box, None, notes
    return shortest, None, notes


def _box(value: object) -> int | None:
    """The side of {height, width}, if both are the same."""
    if not isinstance(value, Mapping) or value.get("height") != value.get("width"):
        return None
    return side(value.get("height"))


def of_timm(config: Mapping[str, Any] | None) -> Iterator[Source]:
    """The data configuration in the config.json of a timm folder."""
    settings = config.get("pretrained_cfg") if config is not None else None
    if isinstance(settings, Mapping):
        yield from _of_timm(settings, f"timm's data configuration in the folder's {CONFIG}")


def of_timm_default(settings: Mapping[str, Any], n_classes: int | None) -> Iterator[tuple[Source, bool]]:
    """The data configuration that a network built by timm carries, and whether it is certain.

    n_classes: of the file, None where it may be anybody's. Networks of other classes than timm's own weights may have
    been trained otherwise.
    """
    certain = n_classes is not None and settings.get("num_classes") == n_classes
    for source in _of_timm(settings, "timm's data configuration for the architecture"):
        yield (source, True) if certain else (assumed(source), False)


def _of_timm(settings: Mapping[str, Any], origin: str) -> Iterator[Source]:
    mean, std = three_numbers(settings.get("mean")), three_numbers(settings.get("std"))
    if mean is not None and std is not None and min(std) > 0:
        yield Source(origin, mean, std)
    size, share = side(settings.get("input_size")), settings.get("crop_pct")
    if size is None:
        return
    resize = math.floor(size / share) if isinstance(share, int | float) and 0 < share < 1 else None
    notes = []
    mode, method = settings.get("crop_mode"), settings.get("interpolation")
    if mode not in (None, "", "center"):
        notes.append(f"preprocessing: timm's crop_mode for it is {mode!r}; here the middle is taken")
    if method not in (None, "", "bilinear"):
        notes.append(f"preprocessing: timm interpolates {method} for it; here it is bilinear")
    yield Source(origin, geometry=(size, resize), notes=tuple(notes))
