"""Image folders: `train/` and `test/` with one folder per class, on disk or in an archive."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from csg_analyze.data import memory
from csg_analyze.data.dataset import Dataset, Split, balanced_choice, limit_note
from csg_analyze.data.decoding import decode_all
from csg_analyze.data.fingerprint import fingerprint_of
from csg_analyze.data.geometry import Progress, check_sizes
from csg_analyze.data.memory import gigabytes
from csg_analyze.data.sources import Source, images_in, open_source
from csg_analyze.errors import UsageError

SPLIT_FOLDERS = {"train": ("train",), "test": ("test", "val", "valid", "validation")}
"""Split -> names of its folder, the preferred first; upper and lower case are the same."""
EXPECTED = "train/ and test/ (or val/) with one folder of images per class"


@dataclass(frozen=True)
class Layout:
    """root: the folder that holds the splits ("" for the top). splits: split -> its folder below the root."""

    root: str
    splits: Mapping[str, str]

    def inside(self, *parts: str) -> str:
        """A path within the source."""
        return "/".join(part for part in (self.root, *parts) if part)


def load_folder(
    path: str,
    split: Split = "test",
    *,
    size: int | None = None,
    resize: int | None = None,
    limit: int | None = None,
    memory_budget: int | None = None,
    progress: Progress | None = None,
) -> Dataset:
    """One split of an image folder: a directory, or a .zip or .tar of one, with or without a folder around it.

    Class indices follow the sorted names of the class folders of all splits. `~` and environment variables in
    `path` are expanded. size, resize: see `geometry.placement`. limit: see `Dataset.limited`; no other
    image is read. Images that take more than `memory_budget` bytes decoded (by default a quarter of the available
    memory) stay encoded and are decoded on access, to the same pixels.
    Pixels are those that torchvision's ImageFolder reads: EXIF rotation is not applied, but noted.
    The fingerprint covers names, encoded bytes, classes and sizes, not the path: a folder and an archive of it agree.
    Raises UsageError for data that cannot be read.
    """
    check_sizes(size, resize)
    budget = memory.memory_budget() if memory_budget is None else memory_budget
    source = open_source(Path(os.path.expandvars(path)).expanduser(), budget)
    layout = find_layout(source, path)
    if split not in layout.splits:
        expected = " or ".join(f"{name}/" for name in SPLIT_FOLDERS[split])
        present = ", ".join(f"{name}/" for name in layout.splits.values())
        raise UsageError(f"{path!r} has no {expected}, only {present}; a {split} split is needed here.")
    class_names = find_classes(source, layout, path)
    names, labels, notes = _list_images(source, layout, split, class_names, path)
    chosen = balanced_choice(labels, limit)
    if chosen is not None:
        notes.append(limit_note(len(chosen), len(names)))
        names, labels = [names[i] for i in chosen.tolist()], labels[chosen]
    decoded = decode_all(source, names, size, resize, budget, progress)
    shape = decoded.images.shape
    if decoded.oriented:
        notes.append(orientation_note(decoded.oriented))
    if not decoded.untouched:
        notes.append(f"images resized and cropped to {shape[3]}x{shape[2]} pixels")
    if isinstance(decoded.images, torch.Tensor):
        source.close()
    else:
        notes.append(f"images decoded on access: in memory they would take {gigabytes(torch.Size(shape).numel())}")
    sample_ids = tuple(name.removeprefix(f"{layout.root}/") if layout.root else name for name in names)
    files = zip(sample_ids, decoded.digests, strict=True)
    # sizes count only where they changed something
    sizes = repr(None if decoded.untouched else (size, resize))
    return Dataset(
        spec=f"folder:{path}",
        split=split,
        images=decoded.images,
        labels=labels,
        class_names=class_names,
        sample_ids=sample_ids,
        fingerprint=fingerprint_of("folder", sizes, *class_names, labels, *(f"{name} {sha}" for name, sha in files)),
        notes=tuple(notes),
    )


def orientation_note(count: int) -> str:
    """The note on images that EXIF says to turn."""
    return (
        f"images whose EXIF says to turn them, read as they are stored, as torchvision reads them: {count} (to have "
        "them upright, turn the files, e.g. with ImageMagick's mogrify -auto-orient)"
    )


def find_layout(source: Source, path: str) -> Layout:
    """The splits at the top of a source, or in the only folder there that holds splits.

    path: what the user wrote, for messages. Raises UsageError if there are no splits, or several such folders.
    """
    top = source.folders()
    if splits := _splits(top):
        return Layout("", splits)
    inner = {folder: _splits(source.folders(folder)) for folder in top}
    holders = [folder for folder, splits in inner.items() if splits]
    if len(holders) > 1:
        raise UsageError(f"{path!r} holds several image folders ({_list(holders)}); name one of them.")
    if holders:
        return Layout(holders[0], inner[holders[0]])
    if not top:
        raise UsageError(f"{path!r} has no folders; expected {EXPECTED}.")
    raise UsageError(
        f"{path!r} has no split folders, only {_list(top)}; expected {EXPECTED} (if this is one split, name the folder "
        "above it)."
    )


def find_classes(source: Source, layout: Layout, path: str) -> tuple[str, ...]:
    """The sorted names of the class folders of all splits. Raises UsageError for fewer than two."""
    names = {name for folder in layout.splits.values() for name in source.folders(layout.inside(folder))}
    if not names:
        raise UsageError(f"{path!r} has no class folders in {_list(layout.splits.values())}; expected {EXPECTED}.")
    if len(names) == 1:
        raise UsageError(f"{path!r} has only one class, {next(iter(names))!r}; at least 2 are needed.")
    return tuple(sorted(names))


def _list_images(
    source: Source, layout: Layout, split: str, class_names: tuple[str, ...], path: str
) -> tuple[list[str], torch.Tensor, list[str]]:
    """Image names sorted by class and name, labels (N,), notes. Raises UsageError if a class or all are empty."""
    folder = layout.inside(layout.splits[split])
    members: dict[str, list[str]] = {name: [] for name in class_names}
    stray = 0
    for image in images_in(source, folder):
        owner, _, rest = image.removeprefix(f"{folder}/").partition("/")
        if rest:
            members[owner].append(image)
        else:
            stray += 1
    if not any(members.values()):
        raise UsageError(f"{path!r} has no images in {folder}/; expected {EXPECTED}.")
    empty = [name for name, images in members.items() if not images]
    others = [other for name, other in layout.splits.items() if name != split]
    for name in empty:
        if not any(images_in(source, layout.inside(other, name)) for other in others):
            raise UsageError(f"{path!r} has no images of class {name!r}; remove its folder or put images there.")
    notes = [f"no image of {name!r} in {folder}/" for name in empty]
    notes += [f"{stray} images of {folder}/ lie in no class folder and were left out"] if stray else []
    labels = [label for label, name in enumerate(class_names) for _ in members[name]]
    return [image for name in class_names for image in members[name]], torch.tensor(labels), notes


def _splits(folders: list[str]) -> dict[str, str]:
    """Split -> the folder that holds it."""
    splits = {}
    for split, candidates in SPLIT_FOLDERS.items():
        # of train and Train, train is taken
        matches = [f for name in candidates for f in sorted(folders, reverse=True) if f.lower() == name]
        if matches:
            splits[split] = matches[0]
    return splits


def _list(names: Iterable[str]) -> str:
    names = list(names)
    return ", ".join(f"{name}/" for name in names[:5]) + (" ..." if len(names) > 5 else "")
