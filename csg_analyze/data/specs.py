"""Data specs, by which users name a dataset: `scenes`, `folder:PATH`, `voc:ROOT`, `hf:DIR` ..."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from csg_analyze.data.dataset import Dataset, Split
from csg_analyze.data.geometry import Progress, check_sizes, resized
from csg_analyze.data.listing import Listing, read_listing
from csg_analyze.data.memory import memory_budget
from csg_analyze.errors import UsageError, unknown

DATA_KINDS: Mapping[str, str] = {
    "scenes": "scenes or scenes:SEED - the embedded data: handwritten digits in 32x32 scenes, with masks and boxes",
    "folder": "folder:PATH - train/ and test/ (or val/) with one folder of images per class, or such folders alone; a "
    "directory, .zip or .tar",
    "voc": "voc:ROOT - a VOC devkit of any year, or what prepare-voc made of it; ?classes=A,B&instances=crop to choose",
    "cifar10": "cifar10:ROOT - CIFAR-10 as torchvision downloads it below ROOT",
    "torchvision": "torchvision:NAME:ROOT - another set of torchvision's below ROOT: MNIST, SVHN, ImageNet ...",
    "hf": "hf:PATH - what datasets.save_to_disk wrote, or parquet files as on the hub; ?image=A&label=B to choose",
    "webdataset": "webdataset:PATH - shards with KEY.jpg and KEY.cls: a .tar, a folder of them, or a-{000..009}.tar",
    "csv": "csv:FILE - columns for path, label and maybe split; paths relative to the file; ?path=A&label=B to choose",
}
"""Kind of data -> its spec and its description, in one line."""


@dataclass(frozen=True)
class Reading:
    """How the images of a dataset are read; see `load_dataset`. The fields are arguments of all loaders."""

    size: int | None = None
    resize: int | None = None
    limit: int | None = None
    progress: Progress | None = None

    def applied_to(self, dataset: Dataset) -> Dataset:
        """A dataset that is in memory, cut to the limit, then resized."""
        return resized(dataset.limited(self.limit), self.size, self.resize, self.progress)

    def of_listing(self, kind: str, argument: str, split: Split, listing: Listing) -> Dataset:
        """The dataset that a listing describes, decoded so."""
        return read_listing(kind, argument, split, listing, **vars(self))


def load_dataset(
    spec: str,
    split: Split = "test",
    *,
    size: int | None = None,
    resize: int | None = None,
    limit: int | None = None,
    progress: Progress | None = None,
) -> Dataset:
    """One split of the dataset that `spec` names, of one of the DATA_KINDS.

    size, resize: the shorter side of every image is scaled to `resize` (by default to `size`), then the central
    size x size pixels are taken; both None: images as they are. limit: largest number of images, balanced over classes.
    progress: called now and then with the number of images done and of all images.
    Raises UsageError if the spec names no data, or the data cannot be read.
    """
    if split not in ("train", "test"):
        raise unknown("split", split, ("train", "test"))
    kind, _, argument = spec.partition(":")
    if kind not in _LOADERS:
        if spec and Path(os.path.expandvars(spec)).expanduser().exists():
            raise UsageError(f"unknown data spec {spec!r}; did you mean 'folder:{spec}'?")
        raise unknown("data spec", spec if spec == kind else kind, DATA_KINDS)
    check_sizes(size, resize)
    return _LOADERS[kind](argument, split, Reading(size, resize, limit, progress))


def _scenes(argument: str, split: Split, reading: Reading) -> Dataset:
    from csg_analyze.data.scenes import make_scenes

    if argument and not argument.isdecimal():
        raise UsageError(f"the seed of 'scenes:{argument}' must be a whole number of at least 0, as in scenes:3.")
    return reading.applied_to(make_scenes(split, seed=int(argument or 0)))


def _folder(argument: str, split: Split, reading: Reading) -> Dataset:
    from csg_analyze.data.folders import load_folder

    return load_folder(_needed("folder:PATH", argument), split, **vars(reading))


def _voc(argument: str, split: Split, reading: Reading) -> Dataset:
    from csg_analyze.data.voc import VocSpec, load_voc

    return load_voc(VocSpec.parsed(_needed("voc:ROOT", argument)), split, **vars(reading))


def _cifar10(argument: str, split: Split, reading: Reading) -> Dataset:
    from csg_analyze.data.cifar10 import load_cifar10

    return reading.applied_to(load_cifar10(_needed("cifar10:ROOT", argument), split))


def _torchvision(argument: str, split: Split, reading: Reading) -> Dataset:
    from csg_analyze.data.torchvision_sets import load_torchvision

    return load_torchvision(_needed("torchvision:NAME:ROOT", argument), split, **vars(reading))


def _hf(argument: str, split: Split, reading: Reading) -> Dataset:
    from csg_analyze.data.hub import list_hub

    return reading.of_listing("hf", argument, split, list_hub(_needed("hf:PATH", argument), split))


def _webdataset(argument: str, split: Split, reading: Reading) -> Dataset:
    from csg_analyze.data.webdataset import list_webdataset

    listing = list_webdataset(_needed("webdataset:PATH", argument), split, memory_budget())
    return reading.of_listing("webdataset", argument, split, listing)


def _csv(argument: str, split: Split, reading: Reading) -> Dataset:
    from csg_analyze.data.csv_files import list_csv

    return reading.of_listing("csv", argument, split, list_csv(_needed("csv:FILE", argument), split))


def _needed(form: str, argument: str) -> str:
    kind, _, name = form.partition(":")
    if not argument:
        raise UsageError(f"{kind!r} alone names no data; write {form} with a path for {name}.")
    return argument


_LOADERS: Mapping[str, Callable[[str, Split, Reading], Dataset]] = {
    "scenes": _scenes,
    "folder": _folder,
    "voc": _voc,
    "cifar10": _cifar10,
    "torchvision": _torchvision,
    "hf": _hf,
    "webdataset": _webdataset,
    "csv": _csv,
}
