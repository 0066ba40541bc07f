"""A network's preprocessing, each part from the first source that says it, with its origin.

The order of sources: flags, the checkpoint's own record, the image processor of Hugging Face's or timm's folder,
torchvision's transforms for a file that is torchvision's own, what else the file says or holds (mean, std, sizes), the
library's transforms for files derived from its own (assumed), ImageNet's mean and std (assumed).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from csg_analyze.checkpoints.classifier import ChannelOrder, Preprocessing
from csg_analyze.errors import UsageError

Channels = tuple[float, float, float]
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
HALF = (0.5, 0.5, 0.5)
ASSUMED = (
    "assumed: ImageNet's mean and std (the file does not say; give --mean and --std if it was trained with others)"
)
RECORD = "the checkpoint's own record"
NOBODY_SAYS = "assumed: nobody says otherwise"


@dataclass(frozen=True)
class Source:
    """What one source says of how images are prepared; None: nothing of that part.

    mean, std: in the order red, green, blue, for pixels in [0, 1]. geometry: (size, resize) as in `Preprocessing`.
    notes: remarks for a report, if anything of this source is used.
    """

    origin: str
    mean: Channels | None = None
    std: Channels | None = None
    geometry: tuple[int | None, int | None] | None = None
    channels: ChannelOrder | None = None
    notes: tuple[str, ...] = ()


def assumed(source: Source) -> Source:
    """The same values, taken for want of better ones: origin and remark say so, and which flags give others."""
    what, flags = [], []
    if source.mean is not None and source.std is not None:
        what, flags = [normalisation(source.mean, source.std)], ["--mean and --std"]
    if source.geometry is not None:
        size, resize = source.geometry
        what += [f"{size} pixels" if resize is None else f"the middle {size} of {resize} pixels"]
        flags += ["--size"]
    note = (
        f"preprocessing assumed: {' and '.join(what)}, as in {source.origin} (the file does not say; give "
        f"{' and '.join(flags)} if it was trained with others)"
    )
    return replace(source, origin=f"assumed: {source.origin}", notes=(note, *source.notes))


def normalisation(mean: Channels, std: Channels) -> str:
    """Mean and std in words."""
    if (mean, std) == (IMAGENET_MEAN, IMAGENET_STD):
        return "ImageNet's mean and std"
    return f"mean {numbers(mean)}, std {numbers(std)}"


def numbers(values: Channels) -> str:
    """As flags take them: 0.485,0.456,0.406."""
    return ",".join(f"{value:.6g}" for value in values)


IMAGENETS = Source(ASSUMED, IMAGENET_MEAN, IMAGENET_STD, notes=(f"preprocessing {ASSUMED}",))


def combined(sources: Sequence[Source]) -> tuple[Preprocessing, tuple[str, ...]]:
    """Each part from the first source that says it, and the notes of the sources that were used.

    sources: the first counts most; ImageNet's mean and std come last of all by themselves.
    """
    taken: dict[str, Source] = {}
    for source in (*sources, IMAGENETS):
        for part in ("mean", "std", "geometry", "channels"):
            if getattr(source, part) is not None:
                taken.setdefault(part, source)
    mean, std = taken["mean"].mean, taken["std"].std
    assert mean is not None
    assert std is not None
    size, resize = (taken["geometry"].geometry if "geometry" in taken else None) or (None, None)
    channels = (taken["channels"].channels if "channels" in taken else None) or "rgb"
    origins = {
        "mean": taken["mean"].origin,
        "std": taken["std"].origin,
        "size": taken["geometry"].origin if "geometry" in taken else "nobody says: images stay as they are",
        "channels": taken["channels"].origin if "channels" in taken else NOBODY_SAYS,
    }
    said = [origins[part] for part in ("mean", "std")]
    said += [origins["size"]] if size is not None else []
    said += [origins["channels"]] if channels == "bgr" else []
    notes = dict.fromkeys(note for source in taken.values() for note in source.notes)
    return Preprocessing(mean, std, size, resize, _in_one_phrase(said), channels, origins), tuple(notes)


def of_flags(
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    size: int | None = None,
    resize: int | None = None,
    channels: str | None = None,
) -> Iterator[Source]:
    """What the user says, None: nothing.

    Raises UsageError for flags without exactly three numbers, a std that is not positive, sizes below 1, a crop that
    does not fit, an unknown order of channels.
    """
    if mean is not None:
        yield Source("--mean", mean=three("--mean", mean))
    if std is not None:
        if min(three("--std", std)) <= 0:
            raise UsageError(f"--std needs three numbers above 0, not {list(std)}.")
        yield Source("--std", std=three("--std", std))
    for name, pixels in (("--size", size), ("--resize", resize)):
        if pixels is not None and pixels < 1:
            raise UsageError(f"{name} must be at least 1 pixel, not {pixels}.")
    if resize is not None and size is None:
        raise UsageError("--resize is the shorter side before the crop to --size; give --size as well.")
    if size is not None:
        if resize is not None and resize < size:
            raise UsageError(f"--size {size} does not fit in images of --resize {resize}; give a smaller --size.")
        yield Source("--size" if resize is None else "--size, --resize", geometry=(size, resize))
    if channels is not None:
        if channels not in ("rgb", "bgr"):
            raise UsageError(f"--channels is rgb or bgr, not {channels!r}.")
        yield Source("--channels", channels="bgr" if channels == "bgr" else "rgb")


def of_record(recorded: Mapping[str, Any] | None) -> Iterator[Source]:
    """What a checkpoint of this project records: all parts."""
    if recorded is not None:
        yield Source(
            RECORD,
            three("mean", recorded["mean"]),
            three("std", recorded["std"]),
            (recorded.get("size"), recorded.get("resize")),
            recorded.get("channels") or "rgb",
        )


def three(name: str, values: Sequence[float]) -> Channels:
    """Three numbers. Raises UsageError for any other number of them."""
    if len(values) != 3:
        raise UsageError(f"{name} needs three numbers (red,green,blue), not {len(values)}.")
    red, green, blue = (float(value) for value in values)
    return red, green, blue


def _in_one_phrase(origins: Sequence[str]) -> str:
    """Flags by commas, all else by semicolons, each once."""
    distinct = list(dict.fromkeys(origins))
    flags = ", ".join(origin for origin in distinct if origin.startswith("--"))
    return "; ".join([*([flags] if flags else []), *(origin for origin in distinct if not origin.startswith("--"))])
