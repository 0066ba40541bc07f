"""Image folders: one folder per class, below `train/` and `test/` or as one split, on disk or in an archive."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from csg_analyze.data import memory
from csg_analyze.data.dataset import Dataset, Split
from csg_analyze.data.geometry import Progress, check_sizes
from csg_analyze.data.listing import SPLIT_NAMES, Listing, read_listing, whole_note
from csg_analyze.data.sources import Source, images_in, open_source
from csg_analyze.errors import UsageError

EXPECTED = "train/ and test/ (or val/) with one folder of images per class"


@dataclass(frozen=True)
class Layout:
    """root: the folder that holds the splits ("" for the top). splits: split -> its folder below the root.

    Without splits, the root holds the class folders of one split.
    """

    root: str
    splits: Mapping[Split, str]

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
    if layout.splits and split not in layout.splits:
        expected = " or ".join(f"{name}/" for name in SPLIT_NAMES[split])
        present = ", ".join(f"{name}/" for name in layout.splits.values())
        raise UsageError(f"{path!r} has no {expected}, only {present}; a {split} split is needed here.")
    class_names = find_classes(source, layout, path)
    names, labels, notes = _list_images(source, layout, split, class_names, path)
    prefix = f"{layout.root}/" if layout.root else ""
    listing = Listing(source, names, labels, class_names, tuple(notes), ids=lambda name: name.removeprefix(prefix))
    return read_listing(
        "folder",
        path,
        split,
        listing,
        size=size,
        resize=resize,
        limit=limit,
        memory_budget=budget,
        progress=progress,
    )


def find_layout(source: Source, path: str) -> Layout:
    """The splits at the top of a source, or in the only folder there that holds splits; else the class folders there.

    path: what the user wrote, for messages. Raises UsageError if there are neither, or several such folders.
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
    return Layout(_root_of_classes(source, top, path), {})


def _root_of_classes(source: Source, top: Sequence[str], path: str) -> str:
    """The folder that holds class folders: "" for the top, or the only folder there, around them.

    Raises UsageError if the folders look like splits of other names rather than like classes.
    """
    root = ""
    if len(top) == 1 and len(source.folders(top[0])) > 1 and not _directly_in(source, top[0]):
        root, top = top[0], source.folders(top[0])
    folders = [f"{root}/{name}" if root else name for name in top]
    inner = {folder: frozenset(source.folders(folder)) for folder in folders if not _directly_in(source, folder)}
    shared = frozenset.intersection(*inner.values()) if len(inner) == len(folders) else frozenset()
    if len(shared) > 1:
        raise UsageError(
            f"{path!r} has no split folders, only {_list(top)} with folders of the same names in each "
            f"({_list(sorted(shared))}); expected {EXPECTED}: if these are splits, rename them."
        )
    return root


def _directly_in(source: Source, folder: str) -> bool:
    """Whether images lie in a folder itself, not only below it."""
    return any("/" not in image.removeprefix(f"{folder}/") for image in images_in(source, folder))


def find_classes(source: Source, layout: Layout, path: str) -> tuple[str, ...]:
    """The sorted names of the class folders of all splits. Raises UsageError for fewer than two."""
    holders = layout.splits.values() or ("",)
    names = {name for folder in holders for name in source.folders(layout.inside(folder))}
    if not names:
        raise UsageError(f"{path!r} has no class folders in {_list(layout.splits.values())}; expected {EXPECTED}.")
    if len(names) == 1:
        raise UsageError(f"{path!r} has only one class, {next(iter(names))!r}; at least 2 are needed.")
    return tuple(sorted(names))


def _list_images(
    source: Source, layout: Layout, split: Split, class_names: tuple[str, ...], path: str
) -> tuple[list[str], torch.Tensor, list[str]]:
    """Image names sorted by class and name, labels (N,), notes. Raises UsageError if a class or all are empty."""
    folder = layout.inside(layout.splits.get(split, ""))
    prefix = f"{folder}/" if folder else ""
    members: dict[str, list[str]] = {name: [] for name in class_names}
    stray = 0
    for image in images_in(source, folder):
        owner, _, rest = image.removeprefix(prefix).partition("/")
        if rest:
            members[owner].append(image)
        else:
            stray += 1
    where = f"{folder}/" if folder else "its folders"
    if not any(members.values()):
        raise UsageError(f"{path!r} has no images in {where}; expected {EXPECTED}.")
    empty = [name for name, images in members.items() if not images]
    others = [other for name, other in layout.splits.items() if name != split]
    for name in empty:
        if not any(images_in(source, layout.inside(other, name)) for other in others):
            raise UsageError(f"{path!r} has no images of class {name!r}; remove its folder or put images there.")
    notes = [] if layout.splits else [whole_note(split, named=Path(layout.root or path).name)]
    notes += [f"no image of {name!r} in {where}" for name in empty]
    notes += [f"{stray} images of {folder or path}/ lie in no class folder and were left out"] if stray else []
    labels = [label for label, name in enumerate(class_names) for _ in members[name]]
    return [image for name in class_names for image in members[name]], torch.tensor(labels), notes


def _splits(folders: list[str]) -> dict[Split, str]:
    """Split -> the folder that holds it."""
    splits: dict[Split, str] = {}
    for split, candidates in SPLIT_NAMES.items():
        # of train and Train, train is taken
        matches = [f for name in candidates for f in sorted(folders, reverse=True) if f.lower() == name]
        if matches:
            splits[split] = matches[0]
    return splits


def _list(names: Iterable[str]) -> str:
    names = list(names)
    return ", ".join(f"{name}/" for name in names[:5]) + (" ..." if len(names) > 5 else "")
