"""What a user holds, read once -> `Dataset`, with a fingerprint of its pixels and labels."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, RandomSampler, SequentialSampler, SubsetRandomSampler, WeightedRandomSampler
from torch.utils.data.distributed import DistributedSampler

from csg_analyze.data import memory
from csg_analyze.data.dataset import Dataset, Images
from csg_analyze.data.pixels import as_tensor, channels_first, class_indices, eight_bits
from csg_analyze.data.stored import ArrayImages, ItemImages, Items, batches_of, digest_of
from csg_analyze.errors import UsageError

SPEC = "data in memory"
AT_ONCE = 256  # images that are converted together
READ_TWICE = 8  # the first images, to notice random changes


def of_arrays(images: Any, labels: Any) -> Dataset:
    """Images and labels in arrays, which stay where they are. Raises UsageError for what cannot be used."""
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


def of_loader(loader: DataLoader[Any]) -> Dataset:
    """All batches of a loader, in memory. Raises UsageError for one that shuffles, and for what cannot be used."""
    drawn = (RandomSampler, SubsetRandomSampler, WeightedRandomSampler)
    sampler = getattr(loader.batch_sampler, "sampler", loader.sampler)
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


def limited(dataset: Dataset, limit: int | None) -> Dataset:
    """As `Dataset.limited`, with the fingerprint of what is left, however it was held."""
    kept = dataset.limited(limit)
    if kept is dataset or dataset.spec != SPEC:
        return kept
    digest = hashlib.sha256()
    for batch in kept.batches(AT_ONCE):
        digest.update(batch.contiguous().numpy().data)
    return replace(kept, fingerprint=_fingerprint(digest, kept.images, kept.labels))


def of_items(items: Items, rows: Sequence[int]) -> Dataset:
    """The items at `rows`, in memory or, where they take too much of it, read on access.

    Raises UsageError for what cannot be used.
    """
    n = len(rows)
    if not n:
        raise UsageError("the data holds no images.")
    first, _ = items.read(rows[0])
    in_memory = n * first.numel() <= memory.memory_budget()
    pixels = torch.empty((n, *first.shape), dtype=torch.uint8) if in_memory else None
    labels, digests, digest = torch.empty(n, dtype=torch.int64), dict[int, bytes](), hashlib.sha256()
    for i, row in enumerate(rows):
        image, label = items.read(row)
        if image.shape != first.shape:
            raise UsageError(
                f"images differ in size: image {rows[0]} is {_size(first)}, image {row} {_size(image)}; give one size "
                "(size= of classifier_of, or --size)."
            )
        if pixels is not None:
            pixels[i] = image
        labels[i] = label
        digest.update(image.contiguous().numpy().data)
        if pixels is None or i < READ_TWICE:
            digests[row] = digest_of(image)
    notes = []
    if any(digest_of(items.read(row)[0]) != digests[row] for row in rows[:READ_TWICE]):
        notes.append("the data changes its images at random: what was analysed is their first reading")
    images: Images = pixels if pixels is not None else ItemImages(items, torch.tensor(rows), _sides(first), digests)
    if pixels is None:
        notes.append(f"images read on access: in memory they would take {memory.gigabytes(n * first.numel())}")
    return _dataset(images, labels, digest, rounded=bool(items.rounded), notes=notes, rows=rows)


def _dataset(
    images: Images,
    labels: Tensor,
    digest: Any,
    *,
    rounded: bool,
    notes: Sequence[str] = (),
    left_out: Sequence[str] = (),
    rows: Sequence[int] | None = None,
) -> Dataset:
    """digest: SHA-256 of all pixels in order. rows: where the images were in the data; None: all in order."""
    n = len(labels)
    if not n:
        raise UsageError("the data holds no images.")
    return Dataset(
        spec=SPEC,
        split="",
        images=images,
        labels=labels,
        class_names=(),
        sample_ids=tuple(f"image {i}" for i in (range(n) if rows is None else rows)),
        fingerprint=_fingerprint(digest, images, labels),
        notes=(*notes, *(("float pixels were rounded to 256 steps",) if rounded else ())),
        left_out=tuple(left_out),
    )


def _fingerprint(digest: Any, images: Images, labels: Tensor) -> str:
    """SHA-256 in hex of pixels, shape and labels. digest: of the pixels in order."""
    digest.update(f"{tuple(images.shape)}".encode())
    digest.update(labels.numpy().data)
    return str(digest.hexdigest())


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
