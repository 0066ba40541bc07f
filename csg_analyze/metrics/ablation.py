"""Logits and predictions of a network with some filters multiplied by zero."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from csg_analyze.metrics.arrays import BoolArray, FloatArray, IntArray

CLOSE = 1e-5
"""Two logits closer than this share of the largest logit may differ by rounding only."""

LOGITS_AT_ONCE = 2**21
"""Logits computed at once, 8 MB: large enough to use all cores, small enough for the processor's cache."""


class Ablation(Protocol):
    """A network on N images, with some filters of its feature layer multiplied by zero."""

    @property
    def origin(self) -> str:
        """One sentence for the reader of a report: how this is computed, and why that is correct."""

    def logits(self, keep: BoolArray) -> FloatArray:
        """Logits with only the filters in `keep` (K,): float32 (N, C)."""

    def predictions(self, keeps: BoolArray) -> IntArray:
        """The predicted class of every image under each of M masks: (M, K) -> int32 (M, N)."""

    def predictions_each(self, keeps: BoolArray, which: IntArray) -> IntArray:
        """The predicted class of every image i under the mask `keeps[which[i]]`: which (N,) -> int32 (N,)."""


@dataclass(frozen=True)
class CachedAblation:
    """Logits of N images without some filters: the full logits minus the contributions of these filters.

    activations: float32 (N, K). full: the logits with all filters, float32 (N, C), equal to activations @ weight.T +
    bias up to rounding. weight: (C, K). bias: (C,). origin: as in Ablation.
    """

    activations: FloatArray
    full: FloatArray
    weight: FloatArray
    bias: FloatArray
    origin: str

    def logits(self, keep: BoolArray) -> FloatArray:
        """As Ablation.logits; the cost grows with the number of removed filters."""
        return self._without(slice(0, None), keep, np.empty_like(self.full))

    def predictions(self, keeps: BoolArray) -> IntArray:
        """As Ablation.predictions: (M, K) -> int32 (M, N)."""
        n_images, n_classes = self.full.shape
        size = min(n_images, max(1, LOGITS_AT_ONCE // n_classes))
        memory: FloatArray = np.empty((size, n_classes), np.float32)
        predictions: IntArray = np.empty((len(keeps), n_images), np.int32)
        for start in range(0, n_images, size):
            rows = slice(start, start + size)
            for predicted, keep in zip(predictions, keeps, strict=True):
                predicted[rows] = self._highest(rows, keep, memory)
        return predictions

    def predictions_each(self, keeps: BoolArray, which: IntArray) -> IntArray:
        """As Ablation.predictions_each: (M, K), (N,) -> int32 (N,)."""
        predictions: IntArray = np.empty(len(self.full), np.int32)
        for index in np.unique(which):
            rows = np.flatnonzero(which == index)
            memory: FloatArray = np.empty((len(rows), self.full.shape[1]), np.float32)
            predictions[rows] = self._highest(rows, keeps[index], memory)
        return predictions

    @cached_property
    def _by_filter(self) -> FloatArray:
        """The weights as (K, C), those of a filter contiguous in memory."""
        return np.ascontiguousarray(self.weight.T)

    @cached_property
    def _close(self) -> float:
        return CLOSE * float(np.abs(self.full).max(initial=0))

    def _without(self, rows: slice | IntArray, keep: BoolArray, memory: FloatArray) -> FloatArray:
        """The logits of some images, written to the first rows of `memory` (at least as many rows, C)."""
        removed, full = np.flatnonzero(~keep), self.full[rows]
        if 2 * len(removed) > len(keep):
            return self._from_kept(rows, keep)
        lost = memory[: len(full)]
        np.matmul(self.activations[rows].take(removed, axis=1), self._by_filter[removed], out=lost)
        return np.subtract(full, lost, out=lost)

    def _from_kept(self, rows: slice | IntArray, keep: BoolArray) -> FloatArray:
        kept = np.flatnonzero(keep)
        logits: FloatArray = self.activations[rows].take(kept, axis=1) @ self._by_filter[kept]
        logits += self.bias
        return logits

    def _highest(self, rows: slice | IntArray, keep: BoolArray, memory: FloatArray) -> IntArray:
        logits = self.full[rows] if keep.all() else self._without(rows, keep, memory)
        predicted: IntArray = logits.argmax(axis=1)
        if keep.all():
            return predicted
        images = np.arange(len(logits))
        best = logits[images, predicted]
        logits[images, predicted] = -np.inf
        # subtraction leaves 1e-8 of a removed contribution, which must not decide between equal logits
        doubtful = np.flatnonzero(best - logits.max(axis=1) <= self._close)
        if len(doubtful):
            again = doubtful + rows.start if isinstance(rows, slice) else rows[doubtful]
            predicted[doubtful] = self._from_kept(again, keep).argmax(axis=1)
        return predicted
