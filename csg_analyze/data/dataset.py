"""A dataset as everything else sees it: images in memory or decoded on access, labels, boxes, masks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, overload

import torch
from torch import Tensor

from csg_analyze.errors import UsageError


class Images(Protocol):
    """N images of one size, as uint8 (n, 3, H, W) whenever some of them are asked for.

    A `torch.Tensor` is one; so is what decodes files on access when they do not fit in memory.
    """

    @property
    def shape(self) -> Sequence[int]:
        """(N, 3, H, W)."""
        ...

    @overload
    def __getitem__(self, index: slice) -> Tensor: ...
    @overload
    def __getitem__(self, index: Tensor) -> Tensor: ...


@dataclass(frozen=True)
class Dataset:
    """One split of a labelled image dataset.

    images: uint8 (N, 3, H, W), RGB. labels: int64 (N,), indices into `class_names`.
    boxes: float32 (N, 4) as x0, y0, x1, y1 in pixels, x1 and y1 exclusive; None where the data has none.
    masks: bool (N, H, W), True on the object; None where the data has none.
    fingerprint: SHA-256 in hex of everything an analysis can see (pixels or encoded files, labels, names, boxes, masks).
    spec: what the user wrote to get it ("scenes", "folder:PATH"); split: "train" or "test".
    notes: what a report should say about it (what was left out, resized, mapped).
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
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def image_size(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return self.images.shape[2], self.images.shape[3]

    def batches(self, batch_size: int) -> Iterator[Tensor]:
        """The images in order, uint8 (n, 3, H, W), n = batch_size but for the last."""
        for start in range(0, len(self), batch_size):
            yield self.images[start : start + batch_size]

    def limited(self, limit: int | None) -> Dataset:
        """At most `limit` images, the classes as evenly filled as they allow, in the original order.

        Takes the first image of every class, then the second of every class, and so on: neither a random
        choice nor the first class alone. Raises UsageError for a limit below 1.
        """
        if limit is None or limit >= len(self):
            return self
        if limit < 1:
            raise UsageError(f"--limit must be at least 1, not {limit}.")
        rank = torch.zeros(len(self), dtype=torch.long)
        for label in range(len(self.class_names)):
            members = torch.nonzero(self.labels == label).flatten()
            rank[members] = torch.arange(len(members))
        chosen = torch.argsort(rank, stable=True)[:limit].sort().values
        return self.subset(chosen, note=f"{limit} of {len(self)} images, classes balanced (--limit)")

    def subset(self, index: Tensor, *, note: str) -> Dataset:
        """The images at `index` (int64, distinct), in that order."""
        from csg_analyze.data.fingerprint import fingerprint_of

        return replace(
            self,
            images=self.images[index],
            labels=self.labels[index],
            sample_ids=tuple(self.sample_ids[i] for i in index.tolist()),
            fingerprint=fingerprint_of(self.fingerprint, index),
            boxes=None if self.boxes is None else self.boxes[index],
            masks=None if self.masks is None else self.masks[index],
            notes=(*self.notes, note),
        )
