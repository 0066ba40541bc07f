"""`prepare-voc`: objects cut out of a devkit once and for all, in the folders of the CSG authors."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from csg_analyze.data import memory
from csg_analyze.data.decoding import opened_rgb
from csg_analyze.data.geometry import tight_boxes
from csg_analyze.data.voc.devkit import SETS, Devkit, LeftOut, belongs_to, classes_of, find_devkit
from csg_analyze.data.voc.instances import Window, cut_image, cut_mask, window_around
from csg_analyze.data.voc.parts import PartObject, read_parts
from csg_analyze.data.voc.prepared import IMAGES, MASK_SUFFIX, MASKS, METADATA, PARTS
from csg_analyze.data.voc.samples import instance_name
from csg_analyze.data.voc.wanted import CROP_SIZE, SIX_ANIMALS, Wanted
from csg_analyze.errors import UsageError
from csg_analyze.files import replacing

TRAIN_SHARE = 0.7
JPEG_QUALITY = 95
SETTINGS = "settings.json"


@dataclass
class Prepared:
    """What was made: instances by class, pictures by split, and what was left out."""

    instances: dict[str, int] = field(default_factory=dict)
    pictures: dict[str, int] = field(default_factory=dict)
    left_out: LeftOut = field(default_factory=LeftOut)


def prepare_voc(
    root: str,
    out: Path,
    *,
    parts: Path | None = None,
    classes: Sequence[str] | None = None,
    crop_size: int = CROP_SIZE,
    seed: int = 0,
    track: Callable[[Iterable[str], str, int], Iterable[str]],
) -> Prepared:
    """Cut every object of the classes out of a devkit, and divide the pictures 70 / 30 into training and test.

    Masks and parts come from Pascal-Part (`Annotations_Part` within the devkit, or the folder `parts`), else masks
    alone from `SegmentationObject`. Every object is a square around its mask, its side the longer one of the mask's
    extent, black outside the picture, resized to crop_size: the image by Lanczos, masks by the nearest pixel. `out`
    gets `<size>x<size>/{obj_img,obj_mask,part_mask}` and, at the very end, `metadata/{train,val}.txt`: the sorted ids
    of the pictures, shuffled by `random.seed(seed)`, the first 70 % for training.

    Files that are there already are kept, so that an interrupted call goes on where it was. Raises UsageError for what
    is no devkit or has no masks, for an unknown class, and for an `out` that was begun with other settings.
    """
    if crop_size < 8:
        raise UsageError(f"the side of cut-out objects must be at least 8 pixels, not {crop_size}.")
    devkit, prepared = find_devkit(root, memory.memory_budget())
    if prepared:
        raise UsageError(f"{root!r} was prepared already; analyse it with --data voc:{root}.")
    pictures = _pictures(devkit, parts)
    wanted = Wanted(root, None if classes is None else tuple(classes))
    annotated = classes_of(devkit, tuple(SETS))  # none, where only the files of Pascal-Part are there
    names = wanted.chosen(annotated) if annotated else wanted.classes or SIX_ANIMALS
    begin(out, {"classes": list(names), "crop_size": crop_size, "seed": seed, "masks": pictures.origin})
    done = Prepared(instances=dict.fromkeys(names, 0))
    used: list[str] = []
    seen: set[str] = set()
    folder = out / f"{crop_size}x{crop_size}"
    for image in track(pictures.ids, "pictures", len(pictures.ids)):
        objects = list(pictures.objects(image, done.left_out))
        seen.update(entry.class_name for entry in objects)
        chosen = [entry for entry in objects if entry.class_name in names]
        if chosen and image not in devkit.images:
            done.left_out.add("annotated image", "without a file in JPEGImages/", image)
            continue
        written = [entry for entry in chosen if _cut(devkit, image, entry, folder, crop_size, done.left_out)]
        for entry in written:
            done.instances[entry.class_name] += 1
        used += [image] if written else []
    if not used:
        raise UsageError(
            f"{root!r} has no object of {', '.join(names)}; it has {', '.join(sorted(seen)) or 'none at all'}: choose "
            "with --classes."
        )
    for split, ids in divided(used, seed).items():
        done.pictures[split] = len(ids)
        _write(out / "metadata" / METADATA[split], "".join(f"{image}\n" for image in ids).encode())
    return done


def divided(ids: Sequence[str], seed: int) -> dict[str, list[str]]:
    """Picture ids by split, each sorted: sorted ids shuffled by Python's generator of that seed, 70 % for training."""
    shuffled = sorted(ids)
    random.Random(seed).shuffle(shuffled)
    n_train = round(TRAIN_SHARE * len(shuffled))
    return {"train": sorted(shuffled[:n_train]), "test": sorted(shuffled[n_train:])}


@dataclass(frozen=True)
class Pictures:
    """Where masks come from: ids of the pictures that have some, and the objects of one of them."""

    ids: list[str]
    objects: Callable[[str, LeftOut], Iterator[PartObject]]
    origin: str


def _pictures(devkit: Devkit, parts: Path | None) -> Pictures:
    if parts is not None:
        files = {path.stem: path for path in sorted(parts.expanduser().rglob("*.mat"))}
        if not files:
            raise UsageError(f"no .mat file in {str(parts)!r}; give the folder Annotations_Part of Pascal-Part.")
        return Pictures(
            list(files), lambda image, _: iter(read_parts(files[image].read_bytes(), str(files[image]))), "Pascal-Part"
        )
    inside = [name for name in devkit.source.files(devkit.inside("Annotations_Part")) if name.endswith(".mat")]
    if inside:
        by_id = {name.rpartition("/")[2].removesuffix(".mat"): name for name in inside}
        read = devkit.source.read
        return Pictures(
            list(by_id),
            lambda image, _: iter(read_parts(read(by_id[image]), by_id[image])),
            "Pascal-Part",
        )
    if devkit.object_masks:
        ids = [image for image in devkit.object_masks if image in devkit.annotations]
        return Pictures(ids, lambda image, left_out: _segmented(devkit, image, left_out), "SegmentationObject")
    raise UsageError(
        f"{devkit.path!r} has no masks to cut objects out by (Annotations_Part/ or SegmentationObject/); with boxes "
        f"alone, use --data 'voc:{devkit.path}?instances=crop' as it is."
    )


def _segmented(devkit: Devkit, image: str, left_out: LeftOut) -> Iterator[PartObject]:
    labels, classes = devkit.object_mask(image), devkit.class_mask(image)
    assert labels is not None  # the ids are those that have one
    for entry in devkit.objects(image):
        region = labels == entry.number
        if belongs_to(entry.class_name, region, classes):
            yield PartObject(entry.number, entry.class_name, region, {})
        else:
            left_out.add("object", "whose class differs between annotation and mask", f"{image} {entry.number}")


def _cut(devkit: Devkit, image: str, entry: PartObject, folder: Path, size: int, left_out: LeftOut) -> bool:
    """Write one object's files, unless they are there; whether it has any."""
    name = instance_name(entry.class_name, entry.number, image)
    if not entry.mask.any():
        left_out.add("object", "with an empty mask", name)
        return False
    target = folder / IMAGES / f"{name}.jpg"
    if target.exists():  # it is written last: where it is, all of this object is
        return True
    window = window_around(*tight_boxes(entry.mask[None])[0].tolist())
    files = {folder / MASKS / f"{name}{MASK_SUFFIX}": entry.mask}
    files |= {folder / PARTS / name / f"{part}.bmp": mask for part, mask in entry.parts.items()}
    picture = _picture(devkit, image, entry, window, size)
    for path, mask in files.items():
        _write(path, _encoded(Image.fromarray(cut_mask(mask, window, size).astype(np.uint8) * 255), "bmp"))
    _write(target, _encoded(picture, "jpeg"))
    return True


def _picture(devkit: Devkit, image: str, entry: PartObject, window: Window, size: int) -> Image.Image:
    file = devkit.images[image]
    picture = opened_rgb(devkit.source.read(file), file)
    if (picture.height, picture.width) != entry.mask.shape:
        height, width = entry.mask.shape
        raise UsageError(f"the mask of {file!r} is {width}x{height}, the image {picture.width}x{picture.height}.")
    return cut_image(picture, window, size)


def begin(out: Path, settings: Mapping[str, Any]) -> None:
    """Note down the settings in a new folder. Raises UsageError where others are, or other things."""
    noted = out / "metadata" / SETTINGS
    text = json.dumps(settings, indent=2, sort_keys=True) + "\n"
    if noted.exists():
        if noted.read_text(encoding="utf-8") != text:
            raise UsageError(f"{str(out)!r} was begun with other settings ({str(noted)!r}); give another --out.")
        return
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{str(out)!r} holds other things; give a new folder with --out.")
    _write(noted, text.encode())


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
