"""Folders as the CSG authors prepare them: `obj_img`, `obj_mask` and `metadata`."""

from __future__ import annotations

import re

import numpy as np
import torch

from csg_analyze.data.dataset import Split
from csg_analyze.data.geometry import tight_boxes
from csg_analyze.data.sources import images_in
from csg_analyze.data.voc.annotations import NO_BOX, AnnotatedObject
from csg_analyze.data.voc.devkit import Devkit, label_map
from csg_analyze.data.voc.imagesets import lines_of
from csg_analyze.data.voc.samples import GroundTruth, Listing, Sample
from csg_analyze.data.voc.spec import VocSpec
from csg_analyze.data.voc.tally import Account
from csg_analyze.errors import UsageError

METADATA = {"train": "train.txt", "test": "val.txt"}
"""Split -> the list of its image ids."""

IMAGES, MASKS, PARTS, MASK_SUFFIX = "obj_img", "obj_mask", "part_mask", ".mask.bmp"


def prepared_samples(devkit: Devkit, spec: VocSpec, split: Split, account: Account) -> Listing:
    """The cut-out objects of the pictures that are listed for the split; boxes are those of their masks.

    Raises UsageError if there is no such list, and for `difficult=skip`, which the folder does not record.
    """
    if spec.difficult == "skip":
        raise UsageError(
            f"{devkit.path!r} holds objects that were cut out already, and does not say which of them are difficult; "
            "give the devkit that they come from."
        )
    ids = _listed(devkit, split)
    masks = set(devkit.source.files(devkit.inside(MASKS)))
    named = [(file, _stem(file), read_name(_stem(file))) for file in images_in(devkit.source, devkit.inside(IMAGES))]
    class_names = spec.chosen(sorted({parts[0] for _, _, parts in named if parts is not None}))
    samples, files = [], []
    for file, stem, parts in named:
        if parts is None:
            account.left_out.add("file", f"of {IMAGES}/ not named <class>-<n>-<image id>", stem)
        elif parts[2] in ids and parts[0] in class_names:
            if _mask_file(devkit, stem) not in masks:
                account.left_out.add("image", f"without a mask in {MASKS}/", stem)
                continue
            samples.append(Sample(stem, parts[2], parts[0], (AnnotatedObject(parts[1], parts[0], NO_BOX),)))
            files.append(file)

    def ground_truth(sample: Sample) -> GroundTruth:
        mask = label_map(devkit.source, _mask_file(devkit, sample.name)) > 0
        return torch.from_numpy(tight_boxes(mask[None])), (mask, np.zeros_like(mask))

    return Listing(devkit.source, class_names, tuple(samples), tuple(files), ground_truth)


def read_name(stem: str) -> tuple[str, int, str] | None:
    """Class, number and image id in a file's name without its suffix; None for another kind of name."""
    match = re.fullmatch(r"(.+?)-(\d+)-(.+)", stem)
    return (match[1], int(match[2]), match[3]) if match else None


def _listed(devkit: Devkit, split: str) -> set[str]:
    parent = devkit.root.rpartition("/")[0]
    places = [f"{folder}/metadata/{METADATA[split]}".lstrip("/") for folder in (devkit.root, parent)]
    for place in places:
        if place in devkit.source.files(place.rpartition("/")[0]):
            return set(lines_of(devkit.source.read(place)))
    raise UsageError(
        f"{devkit.path!r} has no {METADATA[split]} in metadata/ beside its folder of images; give the folder that "
        "holds metadata/ and the folder of one size (128x128), as prepare-voc writes it."
    )


def _mask_file(devkit: Devkit, stem: str) -> str:
    return devkit.inside(MASKS, stem + MASK_SUFFIX)


def _stem(file: str) -> str:
    return file.rpartition("/")[2].rpartition(".")[0]
