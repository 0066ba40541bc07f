"""A dataset as everything else sees it: images in memory or decoded on access, labels, boxes, masks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol, TypeAlias, overload, runtime_checkable

import torch
from torch import Tensor

from csg_analyze.errors import UsageError
from csg_analyze.files import spelled

Split: TypeAlias = Literal["train", "test"]


class Images(Protocol):
    """N images of one size. Indexing gives some of them as uint8 (n, 3, H, W).

    A `torch.Tensor` is one; another decodes files on access, where they do not fit in memory.
    """

    @property
    def shape(self) -> Sequence[int]:
        """(N, 3, H, W)."""
        ...

    @overload
    def __getitem__(self, index: slice) -> Tensor: ...
    @overload
    def __getitem__(self, index: Tensor) -> Tensor: ...


@runtime_checkable
class OnAccess(Images, Protocol):
    """Images that indexing decodes; `subset` chooses some of them without decoding any."""

    def subset(self, index: Tensor) -> Images:
        """The images at `index` (int64), not decoded yet."""
        ...


@dataclass(frozen=True)
class Dataset:
    """One split of a labelled image dataset.

    images: uint8 (N, 3, H, W), RGB. labels: int64 (N,), indices into `class_names`, which is empty for data in hand
    whose classes have no names: labels are then indices of a network's outputs, see `named`.
    boxes: float32 (N, M, 4) as x0, y0, x1, y1 in pixels, x1 and y1 exclusive: one box per object of the image's class,
    at most M; rows without a box are NaN. None if the data has no boxes.
    masks: bool (N, H, W), True on all objects of the image's class. None if the data has no masks.
    ignored: bool (N, H, W), True where the mask is undefined (VOC's border pixels; all pixels of an image without a
    mask). None if all masks are defined everywhere.
    sources: N names of the pictures that images were cut from, where several may come from one; else None.
    fingerprint: SHA-256 in hex of everything an analysis can see (pixels or encoded files, labels, names ...).
    spec: what the user wrote to name it ("scenes", "folder:PATH"); split: "train" or "test"; empty for data in hand.
    notes: sentences for a report (resized, mapped, limited). left_out: what the data has and this dataset has not, one
    phrase per reason, with its number ("3 images without an annotation").
    """

    spec: str
    split: str
    images: Images
    labels: Tensor
    class_names: tuple[str, ...]
    sample_ids: tuple[str, ...]
    fingerprint: str
    boxes: Tensor | None = None
    masks: Tensor | None = None
    ignored: Tensor | None = None
    sources: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for field in ("class_names", "sample_ids", "sources"):
            names = getattr(self, field)
            if names is not None:
                object.__setattr__(self, field, tuple(map(spelled, names)))

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        height, width = self.image_size
        name = " ".join(filter(None, (self.spec, self.split)))
        return f"Dataset({name!r:.60}: {len(self)} images of {width}x{height}, {len(self.class_names)} named classes)"

    def _repr_html_(self) -> str:
        from csg_analyze.data.notebook import html_of_dataset

        return html_of_dataset(self)

    @property
    def image_size(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return self.images.shape[2], self.images.shape[3]

    def batches(self, batch_size: int) -> Iterator[Tensor]:
        """The images in order, uint8 (n, 3, H, W), n = batch_size except in the last batch."""
        for start in range(0, len(self), batch_size):
            yield self.images[start : start + batch_size]

    def limited(self, limit: int | None) -> Dataset:
        """At most `limit` images, balanced over the classes, in the original order.

        Takes the first image of every class, then the second of every class, and so on, which is not random.
        Raises UsageError for a limit below 1.
        """
        chosen = balanced_choice(self.labels, limit)
        return self if chosen is None else self.subset(chosen, note=limit_note(len(chosen), len(self)))

    def subset(self, index: Tensor, *, note: str) -> Dataset:
        """The images at `index` (int64, distinct), in that order."""
        from csg_analyze.data.fingerprint import fingerprint_of

        return replace(
            self,
            images=self.images.subset(index) if isinstance(self.images, OnAccess) else self.images[index],
            labels=self.labels[index],
            sample_ids=tuple(self.sample_ids[i] for i in index.tolist()),
            fingerprint=fingerprint_of(self.fingerprint, index),
            boxes=None if self.boxes is None else self.boxes[index],
            masks=None if self.masks is None else self.masks[index],
            ignored=None if self.ignored is None else self.ignored[index],
            sources=None if self.sources is None else tuple(self.sources[i] for i in index.tolist()),
            notes=(*self.notes, note),
        )

    def named(self, class_names: Sequence[str]) -> Dataset:
        """The same images with names for its classes, which have none. Raises UsageError for a label without a name."""
        highest = int(self.labels.max()) if len(self) else 0
        if highest >= len(class_names):
            raise UsageError(
                f"a label of the data is {highest}, but there are {len(class_names)} classes ({_some(class_names)}); "
                "class indices count from 0 to one below that."
            )
        return replace(self, class_names=tuple(class_names))


def balanced_choice(labels: Tensor, limit: int | None) -> Tensor | None:
    """Indices of the images that `Dataset.limited` keeps, ascending; None if it keeps all.

    labels: int64 (N,). Raises UsageError for a limit below 1.
    """
    if limit is not None and limit < 1:
        raise UsageError(f"--limit must be at least 1, not {limit}.")
    if limit is None or limit >= len(labels):
        return None
    rank = torch.zeros(len(labels), dtype=torch.long)
    for label in set(labels.tolist()):
        members = torch.nonzero(labels == label).flatten()
        rank[members] = torch.arange(len(members))
    return torch.argsort(rank, stable=True)[:limit].sort().values


def limit_note(kept: int, total: int) -> str:
    """What a report says about a limited dataset."""
    return f"{kept} of {total} images, classes balanced (--limit)"


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
