"""A split of a VOC devkit as a dataset: images, boxes and masks that went through the same resizing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from csg_analyze.data import memory
from csg_analyze.data.dataset import Dataset, Split, balanced_choice, limit_note
from csg_analyze.data.decoding import Decoded, decode_all
from csg_analyze.data.fingerprint import fingerprint_of
from csg_analyze.data.geometry import Placement, Progress, check_sizes, place_boxes, place_masks
from csg_analyze.data.listing import orientation_note
from csg_analyze.data.memory import gigabytes
from csg_analyze.data.sources import Source
from csg_analyze.data.voc.annotations import Mask
from csg_analyze.data.voc.devkit import SETS, Devkit, classes_of, find_devkit
from csg_analyze.data.voc.instances import Crops, cut_box, cut_mask
from csg_analyze.data.voc.pictures import Upright
from csg_analyze.data.voc.prepared import prepared_samples
from csg_analyze.data.voc.samples import GroundTruth, Listing, Sample, clipped, cut_out_objects, mask_of, whole_images
from csg_analyze.data.voc.spec import VocSpec
from csg_analyze.data.voc.tally import Account
from csg_analyze.errors import UsageError


def load_voc(
    spec: VocSpec,
    split: Split = "test",
    *,
    size: int | None = None,
    resize: int | None = None,
    limit: int | None = None,
    memory_budget: int | None = None,
    progress: Progress | None = None,
) -> Dataset:
    """One split of a devkit, with boxes, and masks if it has any, of all objects of an image's class.

    size, resize: see `geometry.placement`; limit: see `Dataset.limited`; memory_budget: see `load_folder`.
    Boxes and masks belong to the picture as its annotator saw it. A picture whose annotation gives other dimensions
    than its file is left out. A picture that EXIF says to turn is turned, unless `<size>` fits it only as stored.
    Everything that is left out is counted in the dataset's `left_out`. If only some images have a mask, all pixels of
    the others are ignored. A box outside its image, or outside the crop, becomes NaN.
    Raises UsageError for what is no devkit, for a split or class that it does not have, and for unreadable files.
    """
    check_sizes(size, resize)
    budget = memory.memory_budget() if memory_budget is None else memory_budget
    devkit, prepared = find_devkit(spec.root, budget)
    account = Account()
    listing = (prepared_samples if prepared else _annotated_samples)(devkit, spec, split, account)
    class_index = {name: index for index, name in enumerate(listing.class_names)}
    samples, files = listing.samples, listing.files
    if not samples:
        raise UsageError(
            f"{spec.root!r} has no image of {', '.join(listing.class_names) or 'any class'} in its {split} split"
            + (f" ({'; '.join(account.left_out.phrases())})." if account.left_out.names else ".")
        )
    labels = torch.tensor([class_index[sample.class_name] for sample in samples])
    notes = [*listing.notes, *account.notes.phrases()]
    chosen = balanced_choice(labels, limit)
    if chosen is not None:
        notes.append(limit_note(len(chosen), len(samples)))
        samples, files = tuple(samples[i] for i in chosen.tolist()), tuple(files[i] for i in chosen.tolist())
        labels = labels[chosen]
    decoded = decode_all(listing.source, files, size, resize, budget, progress)
    boxes, masks, ignored, remarks = _placed_ground_truth(samples, decoded, listing)
    if isinstance(decoded.images, Tensor):
        listing.source.close()
    else:
        needed = gigabytes(torch.Size(decoded.images.shape).numel())
        notes.append(f"images decoded on access: in memory they would take {needed}")
    if prepared and decoded.oriented:
        notes.append(orientation_note(decoded.oriented))
    if not decoded.untouched:
        notes.append(f"images resized and cropped to {decoded.images.shape[3]}x{decoded.images.shape[2]} pixels")
    notes += [*remarks, *_counted(labels, masks, ignored, listing.class_names, split)]
    names = tuple(sample.name for sample in samples)
    digests = (f"{name} {sha}" for name, sha in zip(names, decoded.digests, strict=True))
    sizes = repr(None if decoded.untouched else (size, resize))
    return Dataset(
        spec=spec.text,
        split=split,
        images=decoded.images,
        labels=labels,
        class_names=listing.class_names,
        sample_ids=names,
        fingerprint=fingerprint_of("voc", sizes, *listing.class_names, labels, *digests, boxes, masks, ignored),
        boxes=boxes,
        masks=masks,
        ignored=ignored,
        sources=tuple(sample.image for sample in samples) if any(s.name != s.image for s in samples) else None,
        notes=tuple(notes),
        left_out=account.left_out.phrases(),
    )


def _annotated_samples(devkit: Devkit, spec: VocSpec, split: Split, account: Account) -> Listing:
    """A devkit's own images, or the objects cut out of them."""
    ids = devkit.listed(split)
    class_names = spec.chosen(classes_of(devkit, tuple(SETS)))
    listed = whole_images if spec.instances == "image" else cut_out_objects
    samples = tuple(listed(devkit, ids, class_names, spec, account))
    pictures = [sample.picture for sample in samples if sample.picture is not None]
    files = tuple(picture.file for picture in pictures)
    source: Source = Upright(devkit.source, frozenset(picture.file for picture in pictures if picture.turned))
    if spec.instances == "crop":
        cut = {s.name: (file, s.window) for s, file in zip(samples, files, strict=True) if s.window is not None}
        source, files = Crops(source, cut, spec.crop_size), tuple(cut)

    def ground_truth(sample: Sample) -> GroundTruth:
        boxes = [entry.box for entry in sample.objects]
        pair = mask_of(devkit, sample)
        if sample.window is not None:
            window, side = sample.window, spec.crop_size
            size = sample.picture.size if sample.picture is not None else (side, side)
            boxes = [cut_box(clipped(box, size), window, side) for box in boxes]
            pair = None if pair is None else (cut_mask(pair[0], window, side), cut_mask(pair[1], window, side))
        return torch.tensor(boxes), pair

    note = f"objects cut out as squares of {spec.crop_size}x{spec.crop_size} pixels, black outside their picture"
    return Listing(source, class_names, samples, files, ground_truth, () if spec.instances == "image" else (note,))


def _placed_ground_truth(
    samples: Sequence[Sample], decoded: Decoded, listing: Listing
) -> tuple[Tensor, Tensor | None, Tensor | None, list[str]]:
    """Boxes (N, M, 4), masks and ignored pixels (N, H, W), scaled and cropped as the images were; and notes on them."""
    n, (height, width) = len(samples), tuple(decoded.images.shape[2:])
    boxes = torch.full((n, max(len(sample.objects) for sample in samples), 4), torch.nan)
    masks: Tensor | None = None
    ignored = torch.ones((n, height, width), dtype=torch.bool)
    beyond = lost = 0
    for i, (sample, place) in enumerate(zip(samples, decoded.placements, strict=True)):
        own, pair = listing.ground_truth(sample)
        boxes[i, : len(own)] = _inside(place_boxes(own, place))
        beyond += _reaching_beyond(sample)
        lost += int((boxes[i, : len(own), 0].isnan() & ~own[:, 0].isnan()).sum())
        if pair is not None:
            masks = torch.zeros((n, height, width), dtype=torch.bool) if masks is None else masks
            masks[i], ignored[i] = (_placed(part, place, sample.name) for part in pair)
    notes = [f"boxes that reach beyond their image, cut at its edge: {beyond}"] if beyond else []
    notes += [f"boxes outside their image or what is left of it: {lost}"] if lost else []
    return boxes, masks, ignored if masks is not None and bool(ignored.any()) else None, notes


def _reaching_beyond(sample: Sample) -> int:
    """How many annotated boxes lie partly inside their picture and reach more than a pixel beyond it."""
    if sample.picture is None:
        return 0
    boxes = torch.tensor([entry.box for entry in sample.objects])
    inside = torch.tensor([clipped(entry.box, sample.picture.size) for entry in sample.objects])
    return int((((boxes - inside).abs().amax(1) > 1) & ~_inside(inside).isnan().any(1)).sum())


def _inside(boxes: Tensor) -> Tensor:
    """Boxes (m, 4) after clipping to the image; NaN where nothing of a box is left."""
    empty = (boxes[:, 2] <= boxes[:, 0]) | (boxes[:, 3] <= boxes[:, 1])
    return torch.where(empty[:, None], torch.nan, boxes)


def _placed(mask: Mask, place: Placement, name: str) -> Tensor:
    if mask.shape != place.source:
        (height, width), (own_height, own_width) = place.source, mask.shape
        raise UsageError(f"the mask of {name!r} is {own_width}x{own_height}, its image {width}x{height}; replace it.")
    return place_masks(torch.from_numpy(np.ascontiguousarray(mask))[None], place)[0]


def _counted(
    labels: Tensor, masks: Tensor | None, ignored: Tensor | None, class_names: Sequence[str], split: str
) -> list[str]:
    """Notes on classes without images and on images without masks."""
    counts = torch.bincount(labels, minlength=len(class_names)).tolist()
    empty = [name for name, count in zip(class_names, counts, strict=True) if not count]
    notes = [f"no image of {name!r} in the {split} split" for name in empty]
    if masks is not None and ignored is not None:
        without = int(ignored.flatten(1).all(1).sum())
        notes += [f"{without} of {len(labels)} images have no mask"] if without else []
    return notes
