"""Data in hand -> `Dataset`: arrays, a torch Dataset, a DataLoader; no file and no spec is needed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import (
    DataLoader,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)
from torch.utils.data.distributed import DistributedSampler

from csg_analyze.data import memory
from csg_analyze.data.dataset import Dataset, Images
from csg_analyze.data.geometry import check_sizes, resized
from csg_analyze.data.pixels import as_tensor, channels_first, class_indices, eight_bits
from csg_analyze.data.stored import ArrayImages, ItemImages, Items, batches_of, digest_of
from csg_analyze.errors import UsageError

SPEC = "data in memory"
AT_ONCE = 256  # images that are converted together
READ_TWICE = 8  # the first images, to notice random changes
ACCEPTED = "a spec, (images, labels), a torch Dataset of (image, label) or a DataLoader"


class DataInHand:
    """What a user holds, opened for one network after the other and read once for each size.

    data: (images, labels) of NumPy or torch, uint8 or floats in [0, 1], (N, 3, H, W) or (N, H, W, 3); a map-style
    Dataset of (image, label), images as arrays or of PIL; a DataLoader of such batches, which is iterated once, in its
    own order; one that draws a new order each time is refused. class_names: in the order of the labels; None: those in
    the data's attribute `classes`, if it has one. Raises UsageError for anything else, and for what cannot be used.
    """

    def __init__(self, data: Any, class_names: Sequence[str] | None = None) -> None:
        self._opened: dict[tuple[int | None, int | None, int | None], Dataset] = {}
        self._names = tuple(class_names) if class_names is not None else _class_names_of(data)
        self._items: Any = None
        if isinstance(data, Dataset):
            self._whole = data if class_names is None else data.named(class_names)
        elif isinstance(data, tuple | list) and len(data) == 2:
            self._whole = self._named(_of_arrays(*data))
        elif isinstance(data, DataLoader):
            self._whole = self._named(_of_loader(data))
        elif isinstance(data, IterableDataset):
            raise UsageError("an IterableDataset has no order to go back to; give DataLoader(dataset) of it.")
        elif hasattr(data, "__getitem__") and hasattr(data, "__len__") and not isinstance(data, tuple | list | dict):
            self._items = data
        else:
            raise UsageError(f"data may be {ACCEPTED}; not {type(data).__name__}.")

    def opened(self, size: int | None = None, resize: int | None = None, limit: int | None = None) -> Dataset:
        """The data scaled, cropped and limited as by `load_dataset`; the same object where that was asked for before.

        Its `class_names` are empty if nobody named the classes.
        """
        check_sizes(size, resize)
        key = (size, resize, limit)
        if key not in self._opened:
            if self._items is None:
                dataset = resized(self._whole.limited(limit), size, resize)
            elif limit is not None:
                dataset = self.opened(size, resize).limited(limit)
            else:
                dataset = self._named(_of_items(Items(self._items, size, resize)))
            self._opened[key] = dataset
        return self._opened[key]

    def _named(self, dataset: Dataset) -> Dataset:
        return dataset.named(self._names) if self._names else dataset


def _of_arrays(images: Any, labels: Any) -> Dataset:
    pixels = channels_first(as_tensor(images, "images"), "images")
    indices = class_indices(labels)
    if pixels.ndim != 4:
        raise UsageError(f"images: shape {tuple(pixels.shape)}; give all of them at once, (N, 3, H, W).")
    if indices.ndim != 1 or len(indices) != len(pixels):
        raise UsageError(f"{len(pixels)} images, but labels of shape {tuple(indices.shape)}; give one for each image.")
    digest, rounded = hashlib.sha256(), 0
    for start in range(0, len(pixels), AT_ONCE):
        chunk, was_rounded = eight_bits(pixels[start : start + AT_ONCE], "images")
        rounded += was_rounded
        digest.update(chunk.numpy().data)
    return _dataset(ArrayImages(pixels), indices, digest, rounded=rounded > 0)


def _of_loader(loader: DataLoader[Any]) -> Dataset:
    drawn = (RandomSampler, SubsetRandomSampler, WeightedRandomSampler)
    sampler = loader.sampler
    if isinstance(sampler, drawn) or (isinstance(sampler, DistributedSampler) and sampler.shuffle):
        raise UsageError(
            f"this DataLoader draws a new order each time ({type(sampler).__name__}); make it with shuffle=False, or "
            "give its dataset instead."
        )
    total = len(loader.dataset) if hasattr(loader.dataset, "__len__") else 0
    buffer, labels, digest, rounded = torch.empty(0), list[Tensor](), hashlib.sha256(), False
    n = 0
    for images, indices, was_rounded in batches_of(loader):
        if n and images.shape[1:] != buffer.shape[1:]:
            raise UsageError(f"images differ in size: {_size(buffer)} and {_size(images)}; resize them to one size.")
        if n + len(images) > len(buffer):
            grown = _room((max(total, n + max(n, len(images))), *images.shape[1:]))
            if n:
                grown[:n] = buffer[:n]
            buffer = grown
        buffer[n : n + len(images)] = images
        n += len(images)
        labels.append(indices)
        rounded |= was_rounded
        digest.update(images.numpy().data)
    if not n:
        raise UsageError("the DataLoader gives no images.")
    left_out = total - n if loader.drop_last and isinstance(sampler, SequentialSampler) else 0
    phrases = (f"{left_out} images that the DataLoader drops (drop_last)",) if left_out > 0 else ()
    return _dataset(buffer[:n], torch.cat(labels), digest, rounded=rounded, left_out=phrases)


def _of_items(items: Items) -> Dataset:
    n = len(items)
    if not n:
        raise UsageError("the data holds no images.")
    first, _ = items.read(0)
    in_memory = n * first.numel() <= memory.memory_budget()
    pixels = torch.empty((n, *first.shape), dtype=torch.uint8) if in_memory else None
    labels, digests, digest = torch.empty(n, dtype=torch.int64), list[bytes](), hashlib.sha256()
    for i, (image, label) in enumerate(items.read(i) for i in range(n)):
        if image.shape != first.shape:
            raise UsageError(
                f"images differ in size: image 0 is {_size(first)}, image {i} {_size(image)}; give one size (size= of "
                "classifier_of, or --size)."
            )
        if pixels is not None:
            pixels[i] = image
        labels[i] = label
        digest.update(image.contiguous().numpy().data)
        digests.append(digest_of(image))
    notes = []
    if any(digest_of(items.read(i)[0]) != digests[i] for i in range(min(READ_TWICE, n))):
        notes.append("the data changes its images at random: what was analysed is their first reading")
    images: Images = pixels if pixels is not None else ItemImages(items, torch.arange(n), _sides(first), digests)
    if pixels is None:
        notes.append(f"images read on access: in memory they would take {memory.gigabytes(n * first.numel())}")
    return _dataset(images, labels, digest, rounded=bool(items.rounded), notes=notes)


def _dataset(
    images: Images,
    labels: Tensor,
    digest: Any,
    *,
    rounded: bool,
    notes: Sequence[str] = (),
    left_out: Sequence[str] = (),
) -> Dataset:
    """digest: SHA-256 of all pixels in order, to which shape and labels are added here."""
    n = len(labels)
    if not n:
        raise UsageError("the data holds no images.")
    digest.update(f"{tuple(images.shape)}".encode())
    digest.update(labels.numpy().data)
    return Dataset(
        spec=SPEC,
        split="",
        images=images,
        labels=labels,
        class_names=(),
        sample_ids=tuple(f"image {i}" for i in range(n)),
        fingerprint=digest.hexdigest(),
        notes=(*notes, *(("float pixels were rounded to 256 steps",) if rounded else ())),
        left_out=tuple(left_out),
    )


def _class_names_of(data: Any) -> tuple[str, ...]:
    """`classes` of a dataset, or of the one that a loader or a subset holds; none if they are no texts."""
    for holder in _inwards(data):
        names = getattr(holder, "classes", None)
        if isinstance(names, tuple | list) and names and all(isinstance(name, str) for name in names):
            return tuple(names)
    return ()


def _inwards(data: Any) -> Iterator[Any]:
    for _ in range(4):
        yield data
        data = getattr(data, "dataset", None)


def _room(shape: tuple[int, ...]) -> Tensor:
    needed = torch.Size(shape).numel()
    if needed > 2 * memory.memory_budget():
        raise UsageError(
            f"{shape[0]} images of {shape[3]}x{shape[2]} take {memory.gigabytes(needed)}, too much for this machine's "
            "memory; give the loader's dataset instead, or fewer images."
        )
    return torch.empty(shape, dtype=torch.uint8)


def _sides(image: Tensor) -> tuple[int, int]:
    return image.shape[-2], image.shape[-1]


def _size(image: Tensor) -> str:
    return f"{image.shape[-1]}x{image.shape[-2]}"
