"""`prepare-voc`: objects cut out of a devkit into files, in the folders of the CSG authors."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image

from csg_analyze.data import memory
from csg_analyze.data.decoding import opened_rgb, sides_and_orientation
from csg_analyze.data.geometry import tight_boxes
from csg_analyze.data.sources import Source
from csg_analyze.data.voc.devkit import SETS, Devkit, classes_of, find_devkit
from csg_analyze.data.voc.division import as_the_authors, seeded
from csg_analyze.data.voc.instances import cut_image, cut_mask, window_around
from csg_analyze.data.voc.masked import MaskedPictures, masked_pictures
from csg_analyze.data.voc.parts import PartObject
from csg_analyze.data.voc.pictures import AnnotatedPicture, picture_as_annotated
from csg_analyze.data.voc.prepared import IMAGES, MASK_SUFFIX, MASKS, METADATA, PARTS
from csg_analyze.data.voc.samples import instance_name
from csg_analyze.data.voc.spec import CROP_SIZE, SIX_ANIMALS, VocSpec
from csg_analyze.data.voc.tally import Account, Tally
from csg_analyze.errors import UsageError
from csg_analyze.files import replacing

Division = Literal["seeded", "authors"]

JPEG_QUALITY = 95
SETTINGS = "settings.json"


@dataclass
class Prepared:
    """What was made. instances: their number by class. pictures: their number by split. account: remarks."""

    instances: dict[str, int] = field(default_factory=dict)
    pictures: dict[str, int] = field(default_factory=dict)
    account: Account = field(default_factory=Account)

    @property
    def left_out(self) -> Tally:
        """What was left out."""
        return self.account.left_out


def prepare_voc(
    root: str,
    out: Path,
    *,
    parts: Path | None = None,
    classes: Sequence[str] | None = None,
    crop_size: int = CROP_SIZE,
    split: Division = "seeded",
    seed: int = 0,
    track: Callable[[Iterable[str], str, int], Iterable[str]],
) -> Prepared:
    """Cut every object of the classes out of a devkit, and divide the pictures 70 / 30 into training and test.

    Masks and parts come from Pascal-Part (`Annotations_Part` within the devkit, or the folder `parts`), else masks
    alone from `SegmentationObject`. An object is cut out as the square around its mask whose side is the mask's longer
    one, black outside the picture, and resized to crop_size: the image by Lanczos, masks by the nearest pixel. `out`
    gets `<size>x<size>/{obj_img,obj_mask,part_mask}` and, last of all, `metadata/{train,val}.txt`.

    split: "seeded" divides the pictures that have cut-out objects, see `division.seeded`; "authors" all pictures that
    `ImageSets/Main/trainval.txt` lists, see `division.as_the_authors`. The authors' published checkpoints were trained
    on 70 % of VOC 2010 divided in the latter way: most pictures of any other test set were in their training set. (The
    authors say that the paper's data was made before they corrected some errors in that script; their
    `metadata/val.txt` shows whether the division is the same.)

    Other differences to the authors' script: their square is one pixel smaller (the distance between the mask's first
    and last pixel, not the number of pixels), and its place is rounded half to even; they merge the parts to HEAD,
    TORSO, FLIMB, BLIMB and TAIL, while parts keep their names of Pascal-Part here; their masks have 1 bit per pixel,
    here 8; they number objects through all pictures from 0, here within a picture from 1; their .jpg have PIL's quality
    75, here 95.

    Existing files are kept, so that an interrupted call goes on where it was. Raises UsageError if there is no devkit,
    if it has no masks, for an unknown class, for a split that cannot be drawn, and for an `out` that was begun with
    other settings.
    """
    if crop_size < 8:
        raise UsageError(f"the side of cut-out objects must be at least 8 pixels, not {crop_size}.")
    devkit, prepared = find_devkit(root, memory.memory_budget())
    if prepared:
        raise UsageError(f"{root!r} was prepared already; analyse it with --data voc:{root}.")
    pictures = masked_pictures(devkit, parts)
    spec = VocSpec(root, None if classes is None else tuple(classes))
    annotated = classes_of(devkit, tuple(SETS))  # none, if only the files of Pascal-Part exist
    names = spec.chosen(annotated) if annotated else spec.classes or SIX_ANIMALS
    division = as_the_authors(_trainval(devkit, seed)) if split == "authors" else None
    settings = {"classes": list(names), "crop_size": crop_size, "seed": seed, "masks": pictures.origin}
    begin(out, settings if division is None else {**settings, "split": split})
    done = Prepared(instances=dict.fromkeys(names, 0))
    used = _cut_out(devkit, pictures, names, out / f"{crop_size}x{crop_size}", crop_size, track, done)
    division = seeded(used, seed) if division is None else division
    listed = {image for ids in division.values() for image in ids}
    for image in used:
        if image not in listed:
            done.left_out.add("picture", "that trainval.txt does not list: cut, in neither split", image)
    for part, ids in division.items():
        done.pictures[part] = len(set(ids).intersection(used))
        _write(out / "metadata" / METADATA[part], "".join(f"{image}\n" for image in ids).encode())
    return done


def _trainval(devkit: Devkit, seed: int) -> list[str]:
    """The ids that the authors divide. Raises UsageError if there are none, and for another seed than theirs."""
    if seed:
        raise UsageError(f"--split authors is drawn with their seed, 0, not with {seed}; leave --seed away.")
    ids = devkit.image_set("trainval")
    if not ids:
        raise UsageError(
            f"{devkit.path!r} has no trainval.txt in ImageSets/Main/, which the authors divide; give the devkit of VOC "
            "2010, or leave --split away."
        )
    return ids


def _cut_out(
    devkit: Devkit,
    pictures: MaskedPictures,
    names: Sequence[str],
    folder: Path,
    size: int,
    track: Callable[[Iterable[str], str, int], Iterable[str]],
    done: Prepared,
) -> list[str]:
    """Write the files of all objects and return the ids of their pictures. Raises UsageError if there is no object."""
    used: dict[str, None] = {}
    seen: set[str] = set()
    for image in track(pictures.ids, "pictures", len(pictures.ids)):
        objects = list(pictures.objects(image, done.account))
        seen.update(entry.class_name for entry in objects)
        chosen = [entry for entry in objects if entry.class_name in names]
        if chosen and image not in devkit.images:
            done.left_out.add("annotated image", "without a file in JPEGImages/", image)
            continue
        picture = _picture(devkit, image, chosen, done.account) if chosen else None
        for entry in chosen:
            name = instance_name(entry.class_name, entry.number, image)
            if picture is None or not entry.mask.any():
                done.left_out.add("object", "with an empty mask", name)
                continue
            if entry.difficult:
                done.account.notes.add("object", "marked difficult and cut out like any other", name)
            _cut(devkit.source, picture, name, entry, folder, size)
            done.instances[entry.class_name] += 1
            used[image] = None
    if not used:
        raise UsageError(
            f"{devkit.path!r} has no object of {', '.join(names)}; it has {', '.join(sorted(seen)) or 'none at all'}: "
            "choose with --classes."
        )
    return list(used)


def _picture(devkit: Devkit, image: str, objects: Sequence[PartObject], account: Account) -> AnnotatedPicture:
    """The picture on which the masks of some objects were drawn. Raises UsageError if one of them has another size."""
    file = devkit.images[image]
    height, width = objects[0].mask.shape
    picture = picture_as_annotated(devkit.source, file, image, (height, width), lambda: None, account)
    for entry in objects:
        if picture is None or entry.mask.shape != picture.size:
            own_height, own_width = entry.mask.shape
            stored_height, stored_width = sides_and_orientation(devkit.source.read(file), file)[0]
            raise UsageError(
                f"the mask of {file!r} is {own_width}x{own_height}, the image {stored_width}x{stored_height}."
            )
    assert picture is not None  # there is an object at least
    return picture


def _cut(source: Source, picture: AnnotatedPicture, name: str, entry: PartObject, folder: Path, size: int) -> None:
    """Write one object's files, unless they exist."""
    target = folder / IMAGES / f"{name}.jpg"
    if target.exists():  # written last: if it exists, all files of this object do
        return
    window = window_around(*tight_boxes(entry.mask[None])[0].tolist())
    files = {folder / MASKS / f"{name}{MASK_SUFFIX}": entry.mask}
    files |= {folder / PARTS / name / f"{part}.bmp": mask for part, mask in entry.parts.items()}
    pixels = opened_rgb(source.read(picture.file), picture.file, upright=picture.turned)
    for path, mask in files.items():
        _write(path, _encoded(Image.fromarray(cut_mask(mask, window, size).astype(np.uint8) * 255), "bmp"))
    _write(target, _encoded(cut_image(pixels, window, size), "jpeg"))


def begin(out: Path, settings: Mapping[str, Any]) -> None:
    """Record the settings in a new folder. Raises UsageError if it has other settings, or other content."""
    recorded = out / "metadata" / SETTINGS
    text = json.dumps(settings, indent=2, sort_keys=True) + "\n"
    if recorded.exists():
        if recorded.read_text(encoding="utf-8") != text:
            raise UsageError(f"{str(out)!r} was begun with other settings ({str(recorded)!r}); give another --out.")
        return
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{str(out)!r} holds other things; give a new folder with --out.")
    _write(recorded, text.encode())


def _encoded(image: Image.Image, kind: str) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **({"quality": JPEG_QUALITY} if kind == "jpeg" else {}))
    return stream.getvalue()


def _write(path: Path, data: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot make the folder {str(path.parent)!r}: {error.strerror or error}.") from error
    with replacing(path) as temporary:
        temporary.write_bytes(data)
