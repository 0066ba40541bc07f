"""A devkit's files: where they are, which images a split lists, and the annotations of an image."""

from __future__ import annotations

import io
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from csg_analyze.data.sources import Folder, Source, images_in, open_source
from csg_analyze.data.voc.annotations import Annotation, read_annotation
from csg_analyze.data.voc.imagesets import image_ids
from csg_analyze.errors import UsageError

Labels = NDArray[np.uint8]

SETS = {"train": ("train",), "test": ("test", "val")}
"""Split -> its possible image sets, the preferred first (only some years publish annotations of `test`)."""

VOID = 255
"""The value of a mask along the borders of objects, and where an object is too hard to tell."""

VOC_CLASSES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable", "dog",
    "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip
"""VOC's own classes; in `SegmentationClass`, pixels of the first are 1."""

DEPTH = 3
"""How many folders deep a devkit is searched for: an archive may hold TrainVal/VOCdevkit/VOC2011."""


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
        return _by_stem(images_in(self.source, self.inside("JPEGImages")))

    @cached_property
    def annotations(self) -> Mapping[str, str]:
        """Image id -> file."""
        return _by_stem(name for name in self._files("Annotations") if name.lower().endswith(".xml"))

    @cached_property
    def object_masks(self) -> Mapping[str, str]:
        """Image id -> file; empty where the devkit has no masks of objects."""
        return _by_stem(self._files("SegmentationObject"))

    @cached_property
    def class_masks(self) -> Mapping[str, str]:
        """Image id -> file; empty where the devkit has no masks of classes."""
        return _by_stem(self._files("SegmentationClass"))

    def listed(self, split: str) -> list[str]:
        """The image ids of a split. Raises UsageError if the devkit has no list of them."""
        for name in SETS[split]:
            ids = self.image_set(name)
            # an image set without annotations is a challenge's test set, whose annotations were never published
            if ids is not None and (any(image in self.annotations for image in ids) or name == SETS[split][-1]):
                return ids
        expected = " or ".join(f"{name}.txt" for name in SETS[split])
        raise UsageError(
            f"{self.path!r} has no {expected} in {self._sets_folder}/, only "
            f"{', '.join(sorted(self._sets)[:6]) or 'nothing'}; a {split} split is needed here."
        )

    def image_set(self, name: str) -> list[str] | None:
        """The image ids of <name>.txt, else of the lists of single classes, <class>_<name>.txt.

        In the order of the lists, without repetitions; None if there is neither.
        """
        files = [self._sets[name]] if name in self._sets else []
        files = files or [file for stem, file in self._sets.items() if stem.endswith(f"_{name}")]
        file_ids = self.annotations.keys() | self.images.keys()
        ids = (image for file in files for image in image_ids(self.source.read(file), file_ids))
        return list(dict.fromkeys(ids)) if files else None

    @cached_property
    def _sets_folder(self) -> str:
        return next(
            (f"ImageSets/{n}" for n in ("Main", "Segmentation") if self._files(f"ImageSets/{n}")), "ImageSets/Main"
        )

    @cached_property
    def _sets(self) -> Mapping[str, str]:
        return _by_stem(name for name in self._files(self._sets_folder) if name.endswith(".txt"))

    def annotation(self, image: str) -> Annotation:
        """The annotation of an image. Raises UsageError for a file that is no annotation."""
        file = self.annotations[image]
        return read_annotation(self.source.read(file), file)

    def masks(self, image: str) -> tuple[Labels | None, Labels | None]:
        """Two masks (H, W): the number of each pixel's object, and 1 + the index of its class in VOC_CLASSES.

        Pixels are 0 on the background and VOID where the mask is undefined. A mask that the devkit does not have of
        this image is None. Raises UsageError if the two differ in size.
        """
        labels, classes = (
            label_map(self.source, files[image]) if image in files else None
            for files in (self.object_masks, self.class_masks)
        )
        if labels is not None and classes is not None and labels.shape != classes.shape:
            (height, width), (other_height, other_width) = labels.shape, classes.shape
            raise UsageError(
                f"the masks of {image!r} differ in size: {width}x{height} in SegmentationObject, "
                f"{other_width}x{other_height} in SegmentationClass; replace one of them."
            )
        return labels, classes

    def _files(self, folder: str) -> list[str]:
        return self.source.files(self.inside(folder))


def _by_stem(files: Iterable[str]) -> dict[str, str]:
    """Name without folders and suffix -> file. Raises UsageError if two files have the same."""
    by_stem: dict[str, str] = {}
    for file in files:
        other = by_stem.setdefault(file.rpartition("/")[2].rpartition(".")[0], file)
        if other != file:
            raise UsageError(f"{other!r} and {file!r} have the same image id; remove or rename one of them.")
    return by_stem


def find_devkit(path: str, memory_budget: int) -> tuple[Devkit, bool]:
    """The devkit at `path`, below or above it, and whether it is a prepared one (`obj_img` and `obj_mask`).

    `path` is a folder or archive; `~` and environment variables are expanded. Raises UsageError if there is no devkit,
    saying where it looked, and if there are several.
    """
    place = Path(os.path.expandvars(path)).expanduser()
    source = open_source(place, memory_budget)
    roots = _roots(source)
    if not roots and isinstance(source, Folder):
        parents = (Folder(folder) for folder in list(place.resolve().parents)[:DEPTH])
        source, roots = next(((s, [""]) for s in parents if _kind(s.folders())), (source, []))
    if not roots:
        raise UsageError(
            f"no VOC devkit at {path!r}: neither there, nor up to {DEPTH} folders below or above it, is a folder that "
            "holds JPEGImages/ beside Annotations/ or SegmentationObject/, or obj_img/ beside obj_mask/; give that "
            "folder, e.g. VOCdevkit/VOC2010."
        )
    if len(roots) > 1:
        raise UsageError(f"{path!r} holds several VOC devkits ({', '.join(roots[:6])}); name one of them.")
    prepared = _kind(source.folders(roots[0])) == "prepared"
    if prepared and not roots[0] and isinstance(source, Folder):
        # metadata/ lies beside the folder that was named
        above = source.root.resolve()
        return Devkit(Folder(above.parent), above.name, path), True
    return Devkit(source, roots[0], path), prepared


def _roots(source: Source) -> list[str]:
    """The folders of the source that are a devkit, down to `DEPTH`; none inside another."""
    roots, level = [], [""]
    for _ in range(DEPTH + 1):
        inner = {folder: source.folders(folder) for folder in level}
        roots += [folder for folder, names in inner.items() if _kind(names)]
        level = [
            f"{folder}/{name}" if folder else name
            for folder, names in inner.items()
            if not _kind(names)
            for name in names
        ]
    return roots


def _kind(folders: Iterable[str]) -> str:
    """What a folder is that holds these folders: "devkit", "prepared", or "" for neither."""
    names = set(folders)
    if "JPEGImages" in names and names & {"Annotations", "SegmentationObject", "SegmentationClass"}:
        return "devkit"
    return "prepared" if {"obj_img", "obj_mask"} <= names else ""


def label_map(source: Source, file: str) -> Labels:
    """The numbers in an indexed image, (H, W). Raises UsageError for a broken image and for one with colours."""
    try:
        image = Image.open(io.BytesIO(source.read(file)))
        labels = np.asarray(image)
    except UsageError:
        raise
    except Exception as error:  # decoders raise all kinds of errors for garbage
        raise UsageError(f"the mask {file!r} is broken ({error}); replace or remove it.") from error
    if labels.ndim != 2:
        raise UsageError(f"the mask {file!r} has colours instead of one number per pixel; VOC's own have a palette.")
    return labels.astype(np.uint8)


def belongs_to(class_name: str, region: NDArray[np.bool_], classes: Labels | None) -> bool:
    """Whether the mask of classes, if there is one, gives most of an object's pixels the class of its annotation."""
    if classes is None or class_name not in VOC_CLASSES or not region.any():
        return True
    (most, _), *_ = Counter(classes[region].tolist()).most_common(1)
    return bool(most == VOC_CLASSES.index(class_name) + 1)


def classes_of(devkit: Devkit, splits: Sequence[str]) -> tuple[str, ...]:
    """The sorted names of the classes annotated on the images of these splits; a split without a list adds none."""
    names: set[str] = set()
    for split in splits:
        try:
            ids = devkit.listed(split)
        except UsageError:
            continue
        names.update(o.class_name for i in ids if i in devkit.annotations for o in devkit.annotation(i).objects)
    return tuple(sorted(names))
