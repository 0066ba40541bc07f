"""Seconds and peak memory of the correlation and similarity analyzers, at CIFAR-10's and at ImageNet's size."""

from __future__ import annotations

import statistics
import time
import tracemalloc
from collections.abc import Callable

import numpy as np

from csg_analyze.analyzers.correlation.analysis import correlation
from csg_analyze.analyzers.similarity.analysis import similarity
from csg_analyze.metrics.correlation import FilterWeights

REPEATS = 3
SIZES = ((10, 64, 576, 10_000), (1000, 2048, 4608, 10_000))
"""Classes, filters, weights a filter, images."""


def measured(work: Callable[[], object]) -> tuple[float, float]:
    """Median seconds, and the most memory (GB) allocated at once beyond what there was before."""
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    tracemalloc.start()  # it slows things down: in a run of its own
    work()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return statistics.median(seconds), peak / 1e9


def main() -> None:
    for n_classes, n_filters, length, n_images in SIZES:
        rng = np.random.default_rng(0)
        labels = np.arange(n_images) % n_classes
        predictions = np.where(rng.random(n_images) < 0.8, labels, rng.integers(0, n_classes, n_images))
        activations = rng.random((n_images, n_filters), dtype=np.float32)
        gate = rng.random((n_classes, n_filters))
        weights = FilterWeights("conv", rng.normal(size=(n_filters, length)), matches=True)
        names = tuple(f"class {c}" for c in range(n_classes))
        print(f"C = {n_classes}, K = {n_filters}, D = {length}, N = {n_images}, medians of {REPEATS}")
        rows: dict[str, Callable[[], object]] = {
            "correlation": lambda: correlation(weights, activations, labels, names, gate, None),  # noqa: B023
            "similarity": lambda: similarity(activations, labels, predictions, names, gate),  # noqa: B023
        }
        for name, work in rows.items():  # used before the loop goes on
            seconds, gigabytes = measured(work)
            print(f"  {name:<12} {seconds:7.3f} s   peak {gigabytes:6.3f} GB (target: seconds, below 2 GB)")


if __name__ == "__main__":
    main()
