"""The masks by which objects are cut out: those of Pascal-Part, or a devkit's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from csg_analyze.data.sources import Folder, Source
from csg_analyze.data.voc.devkit import Devkit, belongs_to
from csg_analyze.data.voc.parts import PartObject, read_parts
from csg_analyze.data.voc.tally import Account
from csg_analyze.errors import UsageError


@dataclass(frozen=True)
class MaskedPictures:
    """The pictures that have masks, by `ids`. objects: those of one picture. origin: where the masks are from."""

    ids: list[str]
    objects: Callable[[str, Account], Iterator[PartObject]]
    origin: str


def masked_pictures(devkit: Devkit, parts: Path | None) -> MaskedPictures:
    """The pictures of the folder `parts`, else of the devkit's `Annotations_Part`, else of its `SegmentationObject`.

    Raises UsageError if there are no masks, and for a folder that cannot be read.
    """
    if parts is not None:
        separate = _annotated_parts(Folder(parts.expanduser()), "")
        if separate is None:
            raise UsageError(f"no .mat file in {str(parts)!r}; give the folder Annotations_Part of Pascal-Part.")
        return separate
    inside = _annotated_parts(devkit.source, devkit.inside("Annotations_Part"))
    if inside is not None:
        return inside
    if devkit.object_masks:
        ids = list(devkit.object_masks)
        return MaskedPictures(ids, lambda image, account: _segmented(devkit, image, account), "SegmentationObject")
    raise UsageError(
        f"{devkit.path!r} has no masks to cut objects out by (Annotations_Part/ or SegmentationObject/); with boxes "
        f"alone, use --data 'voc:{devkit.path}?instances=crop' as it is."
    )


def _annotated_parts(source: Source, folder: str) -> MaskedPictures | None:
    """The pictures in a folder of Pascal-Part; None if it has no .mat file."""
    files = {n.rpartition("/")[2].removesuffix(".mat"): n for n in source.files(folder) if n.endswith(".mat")}

    def objects(image: str, _account: Account) -> Iterator[PartObject]:
        return iter(read_parts(source.read(files[image]), files[image]))

    return MaskedPictures(list(files), objects, "Pascal-Part") if files else None


def _segmented(devkit: Devkit, image: str, account: Account) -> Iterator[PartObject]:
    if image not in devkit.annotations:
        account.left_out.add("mask", "without an annotation", image)
        return
    labels, classes = devkit.masks(image)
    assert labels is not None  # ids are those of pictures with a mask
    for entry in devkit.annotation(image).objects:
        region = labels == entry.number
        if belongs_to(entry.class_name, region, classes):
            yield PartObject(entry.number, entry.class_name, region, {}, entry.difficult)
        else:
            account.left_out.add("object", "whose class differs between annotation and mask", f"{image} {entry.number}")
