"""Folders as the CSG authors prepare them: `obj_img` and `obj_mask` beside each other, `metadata` next to them."""

from __future__ import annotations

import re
from typing import Literal

import numpy as np
import torch

from csg_analyze.data.geometry import tight_boxes
from csg_analyze.data.sources import images_in
from csg_analyze.data.voc.annotations import NO_BOX, Object
from csg_analyze.data.voc.devkit import Devkit, label_map
from csg_analyze.data.voc.imagesets import lines_of
from csg_analyze.data.voc.samples import Listing, Sample, Truth
from csg_analyze.data.voc.tally import Account
from csg_analyze.data.voc.wanted import Wanted
from csg_analyze.errors import UsageError

METADATA = {"train": "train.txt", "test": "val.txt"}
"""Split -> the list of its image ids."""

IMAGES, MASKS, PARTS, MASK_SUFFIX = "obj_img", "obj_mask", "part_mask", ".mask.bmp"


def prepared_samples(devkit: Devkit, wanted: Wanted, split: Literal["train", "test"], account: Account) -> Listing:
    """The cut-out objects whose picture's id is listed for the split; boxes are those of their masks.

    Raises UsageError where there is no such list, and for a choice among objects that the folder cannot make.
    """
    if wanted.difficult == "skip":
        raise UsageError(
            f"{devkit.path!r} holds objects that were cut out already, and does not say which of them are difficult; "
            "give the devkit that they come from."
        )
    ids = _listed(devkit, split)
    masks = set(devkit.source.files(devkit.inside(MASKS)))
    named = [(file, _stem(file), read_name(_stem(file))) for file in images_in(devkit.source, devkit.inside(IMAGES))]
    class_names = wanted.chosen(sorted({parts[0] for _, _, parts in named if parts is not None}))
    samples, files = [], []
    for file, stem, parts in named:
        if parts is None:
            account.left_out.add("file", f"of {IMAGES}/ not named <class>-<n>-<image id>", stem)
        elif parts[2] in ids and parts[0] in class_names:
            if _mask_file(devkit, stem) not in masks:
                account.left_out.add("image", f"without a mask in {MASKS}/", stem)
                continue
            samples.append(Sample(stem, parts[2], parts[0], (Object(parts[1], parts[0], NO_BOX),)))
            files.append(file)

    def truth(sample: Sample) -> Truth:
        mask = label_map(devkit.source, _mask_file(devkit, sample.name)) > 0
        return torch.from_numpy(tight_boxes(mask[None])), (mask, np.zeros_like(mask))

    return Listing(devkit.source, class_names, tuple(samples), tuple(files), truth)


def read_name(stem: str) -> tuple[str, int, str] | None:
    """Class, number and image id of a file's name without its suffix; None for another kind of name."""
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
