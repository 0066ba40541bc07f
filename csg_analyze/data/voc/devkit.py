"""A devkit's files: where it lies, which images a split lists, what is annotated on them."""

from __future__ import annotations

import io
import os
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from csg_analyze.data.sources import Folder, Source, open_source
from csg_analyze.errors import UsageError

Labels = NDArray[np.uint8]

SETS = {"train": ("train",), "test": ("test", "val")}
"""Split -> the image sets that can be it, the preferred first (only some years publish annotations of `test`)."""

VOID = 255
"""What masks hold along the borders of objects, and where an object is too hard to tell."""

CLASSES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable", "dog",
    "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip
"""VOC's own classes; in `SegmentationClass`, pixels of the first are 1."""

DEPTH = 3
"""How many folders down a devkit is looked for: an archive holds TrainVal/VOCdevkit/VOC2011."""


@dataclass(frozen=True)
class Object:
    """One annotated object.

    number: its place in the annotation, from 1, which is also the value of its pixels in `SegmentationObject`.
    box: x0, y0, x1, y1 in pixels from 0, x1 and y1 exclusive (the file counts from 1, both ends included).
    """

    number: int
    class_name: str
    box: tuple[float, float, float, float]


@dataclass
class LeftOut:
    """What a dataset does not take over from the data, each kind with the names concerned."""

    names: dict[tuple[str, str], list[str]] = field(default_factory=dict)

    def add(self, noun: str, why: str, name: str) -> None:
        """Count one more: "image", "without an annotation", its name."""
        self.names.setdefault((noun, why), []).append(name)

    def phrases(self) -> tuple[str, ...]:
        """For instance "2 images without an annotation (a, b)"."""
        return tuple(
            f"{len(names)} {noun}{'s' if len(names) > 1 else ''} {why} "
            f"({', '.join(names[:3])}{', ...' if len(names) > 3 else ''})"
            for (noun, why), names in self.names.items()
        )


@dataclass(frozen=True)
class Devkit:
    """One devkit. root: its folder within the source ("" for the top). path: what the user wrote, for messages."""

    source: Source
    root: str
    path: str

    def inside(self, *parts: str) -> str:
        """A path within the source."""
        return "/".join(part for part in (self.root, *parts) if part)

    @cached_property
    def images(self) -> Mapping[str, str]:
        """Image id -> file."""
        return self._by_stem("JPEGImages")

    @cached_property
    def annotations(self) -> Mapping[str, str]:
        """Image id -> file."""
        return self._by_stem("Annotations")

    @cached_property
    def object_masks(self) -> Mapping[str, str]:
        """Image id -> file; empty where the devkit has no masks of objects."""
        return self._by_stem("SegmentationObject")

    @cached_property
    def class_masks(self) -> Mapping[str, str]:
        """Image id -> file; empty where the devkit has no masks of classes."""
        return self._by_stem("SegmentationClass")

    def listed(self, split: str) -> list[str]:
        """The image ids of a split. Raises UsageError where the devkit has no such list, or an empty one."""
        folder = next((name for name in ("Main", "Segmentation") if self._files(f"ImageSets/{name}")), "Main")
        lists = self._by_stem(f"ImageSets/{folder}")
        for name in SETS[split]:
            if name in lists:
                lines = self._text(lists[name]).splitlines()
                ids = list(dict.fromkeys(line.split()[0] for line in lines if line.strip()))
                # an image set without annotations is a challenge's test set: its answers were never published
                if any(image in self.annotations for image in ids) or name == SETS[split][-1]:
                    return ids
        wanted = " or ".join(f"{name}.txt" for name in SETS[split])
        raise UsageError(
            f"{self.path!r} has no {wanted} in ImageSets/{folder}/, only "
            f"{', '.join(sorted(lists)[:6]) or 'nothing'}; a {split} split is needed here."
        )

    def objects(self, image: str) -> list[Object]:
        """What is annotated on an image. Raises UsageError for a file that is no annotation."""
        file = self.annotations[image]
        try:
            tree = ET.fromstring(self.source.read(file))
            return [_object(number, entry) for number, entry in enumerate(tree.iterfind("object"), 1)]
        except (ET.ParseError, ValueError, TypeError) as error:
            raise UsageError(f"the annotation {file!r} cannot be read ({error}); replace or remove it.") from error

    def object_mask(self, image: str) -> Labels | None:
        """(H, W), the number of the object that each pixel belongs to, 0 for none, 255 where that is not said."""
        return label_map(self.source, self.object_masks[image]) if image in self.object_masks else None

    def class_mask(self, image: str) -> Labels | None:
        """(H, W), 1 + the index in CLASSES; as `object_mask`."""
        return label_map(self.source, self.class_masks[image]) if image in self.class_masks else None

    def _by_stem(self, folder: str) -> dict[str, str]:
        return {name.rpartition("/")[2].rpartition(".")[0]: name for name in self._files(folder)}

    def _files(self, folder: str) -> list[str]:
        return self.source.files(self.inside(folder))

    def _text(self, file: str) -> str:
        return self.source.read(file).decode("utf-8", errors="replace")


def find_devkit(path: str, memory_budget: int) -> tuple[Devkit, bool]:
    """The devkit at `path`, below or above it, and whether it is a prepared one (`obj_img` and `obj_mask`).

    A folder or archive; `~` and environment variables are expanded. Raises UsageError, saying where it looked, where
    there is none, and where there are several.
    """
    place = Path(os.path.expandvars(path)).expanduser()
    source = open_source(place, memory_budget)
    found = _roots(source)
    if not found and isinstance(source, Folder):
        parents = (Folder(folder) for folder in list(place.resolve().parents)[:DEPTH])
        source, found = next(((s, [""]) for s in parents if _kind(s.folders())), (source, []))
    if not found:
        raise UsageError(
            f"no VOC devkit at {path!r}: neither there, nor up to {DEPTH} folders below or above it, is a folder that "
            "holds JPEGImages/ beside Annotations/ or SegmentationObject/, or obj_img/ beside obj_mask/; give that "
            "folder, e.g. VOCdevkit/VOC2010."
        )
    if len(found) > 1:
        raise UsageError(f"{path!r} holds several VOC devkits ({', '.join(found[:6])}); name one of them.")
    prepared = _kind(source.folders(found[0])) == "prepared"
    if prepared and not found[0] and isinstance(source, Folder):
        # metadata/ lies beside the folder that was named
        above = source.root.resolve()
        return Devkit(Folder(above.parent), above.name, path), True
    return Devkit(source, found[0], path), prepared


def _roots(source: Source) -> list[str]:
    """Every folder of the source that is a devkit, down to `DEPTH`; none inside another."""
    found, level = [], [""]
    for _ in range(DEPTH + 1):
        inner = {folder: source.folders(folder) for folder in level}
        found += [folder for folder, names in inner.items() if _kind(names)]
        level = [
            f"{folder}/{name}" if folder else name
            for folder, names in inner.items()
            if not _kind(names)
            for name in names
        ]
    return found


def _kind(folders: Iterable[str]) -> str:
    """What a folder with these folders in it is: "devkit", "prepared", or "" for neither."""
    names = set(folders)
    if "JPEGImages" in names and names & {"Annotations", "SegmentationObject", "SegmentationClass"}:
        return "devkit"
    return "prepared" if {"obj_img", "obj_mask"} <= names else ""


def _object(number: int, entry: ET.Element) -> Object:
    name = (entry.findtext("name") or "").strip()
    x0, y0, x1, y1 = (float(entry.findtext(f"bndbox/{side}") or "") for side in ("xmin", "ymin", "xmax", "ymax"))
    if not name or not np.isfinite([x0, y0, x1, y1]).all():
        raise ValueError(f"object {number} has no name or no box")
    return Object(number, name, (x0 - 1, y0 - 1, x1, y1))


def label_map(source: Source, file: str) -> Labels:
    """The numbers that an indexed image holds, (H, W). Raises UsageError for a broken image and for one of colours."""
    try:
        image = Image.open(io.BytesIO(source.read(file)))
        labels = np.asarray(image)
    except UsageError:
        raise
    except Exception as error:  # a decoder fed with garbage raises whatever it stumbles on
        raise UsageError(f"the mask {file!r} is broken ({error}); replace or remove it.") from error
    if labels.ndim != 2:
        raise UsageError(f"the mask {file!r} has colours instead of one number a pixel; VOC's own have a palette.")
    return labels.astype(np.uint8)


def belongs_to(class_name: str, region: NDArray[np.bool_], classes: Labels | None) -> bool:
    """Whether a mask of classes, where there is one, says the same of most of an object's pixels as its annotation."""
    if classes is None or class_name not in CLASSES or not region.any():
        return True
    (most, _), *_ = Counter(classes[region].tolist()).most_common(1)
    return bool(most == CLASSES.index(class_name) + 1)


def classes_of(devkit: Devkit, splits: Sequence[str]) -> tuple[str, ...]:
    """The sorted names of all classes annotated on the images of these splits; a split without a list has none."""
    found: set[str] = set()
    for split in splits:
        try:
            ids = devkit.listed(split)
        except UsageError:
            continue
        found.update(o.class_name for image in ids if image in devkit.annotations for o in devkit.objects(image))
    return tuple(sorted(found))
