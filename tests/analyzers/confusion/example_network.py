"""Made-up networks whose confusion can be worked out."""

from __future__ import annotations

from typing import Any

import numpy as np

from csg_analyze.analyzers.confusion.analysis import confusion
from csg_analyze.metrics.ablation import CachedAblation
from csg_analyze.metrics.arrays import BoolArray, FloatArray, IntArray
from csg_analyze.result import Result

NAMES = ("ant", "bee", "cat", "dog", "elk", "fox", "gnu")
C, K, N = 7, 30, 420


class Example:
    """A made-up network of 30 filters whose pooled activations tell 7 classes apart now and then."""

    def __init__(self, seed: int = 0, absent: tuple[int, ...] = ()) -> None:
        rng = np.random.default_rng(seed)
        self.labels = rng.integers(0, C, N)
        for label in absent:
            self.labels[self.labels == label] = 0
        own = np.arange(K) % C == self.labels[:, None]
        self.activations = np.maximum(rng.normal(size=(N, K)) + 1.2 * own, 0).astype(np.float32)
        self.weight = (rng.normal(size=(C, K)) * 0.3 + (np.arange(K) % C == np.arange(C)[:, None])).astype(np.float32)
        self.bias = rng.normal(size=C).astype(np.float32) * 0.1
        self.logits = self.activations @ self.weight.T + self.bias

    def run(self, gate: FloatArray | None = None, **options: Any) -> Result:
        ablation = CachedAblation(self.activations, self.logits, self.weight, self.bias, "on cached activations.")
        ids = [f"s{i}" for i in range(N)]
        predictions = self.logits.argmax(1)
        return confusion(ablation, self.activations, predictions, self.labels, NAMES, ids, gate, **options)

    def predicted_without(self, removed: BoolArray) -> IntArray:
        """The plainest way: a loop over images and classes."""
        predictions: list[int] = []
        for image in self.activations.astype(float):
            kept = [k for k in range(K) if not removed[k]]
            predictions.append(
                int(np.argmax([sum(image[k] * row[k] for k in kept) for row in self.weight] + self.bias))
            )
        return np.array(predictions)

    def recalls(self, predictions: IntArray) -> list[float]:
        return [float(np.mean(predictions[self.labels == c] == c)) for c in range(C)]


def blocks() -> tuple[CachedAblation, IntArray, FloatArray]:
    """Two filters a class, which its images alone activate: without them every logit is the bias, highest for elk."""
    labels = np.arange(70) % C
    gate = (np.arange(14) // 2 == np.arange(C)[:, None]).astype(float)
    activations = (gate[labels] * (1 + np.arange(70)[:, None] % 3)).astype(np.float32)
    bias = np.array([0, 0, 0, 0, 0.5, 0, 0], np.float32)
    weight = gate.astype(np.float32)
    return CachedAblation(activations, activations @ weight.T + bias, weight, bias, "made up."), labels, gate
