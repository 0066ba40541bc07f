"""The extraction loop against a bare `model(x)` loop over the same batches, both measured in one run."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch

from csg_analyze.checkpoints import Classifier
from csg_analyze.data import Dataset
from csg_analyze.inputs.blocks import to_pixels
from csg_analyze.inputs.cache import Cache
from csg_analyze.inputs.forward import forward_pass
from csg_analyze.progress import untracked
from tests.examples import random_classifier, random_dataset

N, BATCH, REPEATS = 2048, 256, 7


def bare_loop(classifier: Classifier, dataset: Dataset) -> None:
    with torch.no_grad():
        for images in dataset.batches(BATCH):
            classifier.network(to_pixels(images, classifier.device))


def interleaved(*ways: Callable[[], object]) -> list[float]:
    """Median seconds of each way; run in turns, so that a noisy minute hits all of them."""
    seconds: list[list[float]] = [[] for _ in ways]
    for way in ways:
        way()
    for _ in range(REPEATS):
        for measured, way in zip(seconds, ways, strict=True):
            start = time.perf_counter()
            way()
            measured.append(time.perf_counter() - start)
    return [statistics.median(measured) for measured in seconds]


def main() -> None:
    classifier, dataset = random_classifier("resnet20"), random_dataset(N)

    def extract(*requested: str) -> None:
        forward_pass(classifier, dataset, frozenset(requested), Cache(None), untracked, batch_size=BATCH)

    bare, pooled, layers = interleaved(
        lambda: bare_loop(classifier, dataset), extract, lambda: extract("layer_activations")
    )
    print(f"extraction, resnet20, {N} images of 32x32, {torch.get_num_threads()} threads, medians of {REPEATS}")
    print(f"  bare model(x) loop        {N / bare:8.0f} images/s")
    print(f"  forward_pass              {N / pooled:8.0f} images/s   ratio {bare / pooled:.3f} (target 0.95)")
    print(f"  with every convolution    {N / layers:8.0f} images/s   time ratio {layers / pooled:.3f} (target 1.15)")


if __name__ == "__main__":
    main()
