"""Masked confusion, every class in turn: on cached activations, and by naive masked passes of the network."""

from __future__ import annotations

import statistics
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from csg_analyze.analyzers.confusion.analysis import confusion
from csg_analyze.inputs.ablation import NetworkAblation, ablation
from csg_analyze.inputs.cache import Cache
from csg_analyze.inputs.forward import forward_pass
from csg_analyze.metrics.ablation import CachedAblation
from csg_analyze.metrics.arrays import FloatArray, IntArray
from csg_analyze.progress import untracked
from tests.examples import random_classifier, random_dataset

N, FEW, REPEATS = 10_000, 500, 5


def seconds(way: Callable[[], object], repeats: int = REPEATS) -> float:
    """Median of several runs."""
    measured = []
    for _ in range(repeats):
        start = time.perf_counter()
        way()
        measured.append(time.perf_counter() - start)
    return statistics.median(measured)


def made_up(n_filters: int, n_classes: int) -> tuple[CachedAblation, IntArray, FloatArray]:
    """Activations of N images, each class with filters of its own, a head of their means; labels; a gate."""
    rng = np.random.default_rng(0)
    labels = np.arange(N) % n_classes
    gate = (np.arange(n_filters) % n_classes == np.arange(n_classes)[:, None]).astype(float)
    activations = np.maximum(rng.standard_normal((N, n_filters), np.float32), 0)
    activations += gate.astype(np.float32)[labels]
    weight = gate.astype(np.float32) + rng.standard_normal(gate.shape, np.float32) / 30
    bias = np.zeros(n_classes, np.float32)
    return CachedAblation(activations, activations @ weight.T, weight, bias, "made up."), labels, gate


def analyse(n_filters: int, n_classes: int, *, gated: bool) -> Callable[[], object]:
    """The whole analysis: baseline, every class in turn, the pair, own filters, complement, all tables."""
    cached, labels, gate = made_up(n_filters, n_classes)
    names, ids = [f"class {c}" for c in range(n_classes)], [f"{i}" for i in range(N)]
    predictions = cached.full.argmax(axis=1)
    return lambda: confusion(
        cached, cached.activations, predictions, labels, names, ids, gate if gated else None, classes="0,5"
    )


def main() -> None:
    print(f"confusion, {N} images, {torch.get_num_threads()} threads: all classes in turn, own filters, complement")
    for gated, how in ((False, "10 % by activation"), (True, "by the gate")):
        took = seconds(analyse(64, 10, gated=gated))
        print(f"  cached, K=64, C=10, {how:<20} {took:9.2f} s (target 1)")
    networks()
    for gated, how in ((True, "by the gate"), (False, "10 % by activation")):
        tracemalloc.start()
        took = seconds(analyse(2048, 1000, gated=gated), repeats=1)
        peak = tracemalloc.get_traced_memory()[1] / 2**30
        tracemalloc.stop()
        print(f"  cached, K=2048, C=1000, {how:<20} {took:5.1f} s, at most {peak:.2f} GB, inputs included (target 2)")


def networks() -> None:
    """Masks in the network, measured on fewer images and scaled up: the naive way takes minutes."""
    classifier, dataset = random_classifier("resnet20"), random_dataset(FEW)
    once = forward_pass(classifier, dataset, frozenset(), Cache(None), untracked)
    network = ablation(classifier, dataset, once, untracked, ablate="network")
    assert isinstance(network, NetworkAblation)
    keeps = ~np.eye(13, classifier.n_filters, dtype=bool)  # 10 classes, the pair, own filters, complement
    naive = seconds(lambda: replace(network, joint=False).predictions(keeps), repeats=3)
    joint = seconds(lambda: network.predictions(keeps), repeats=3)
    scale = N / FEW
    print(f"  resnet20, 13 masked passes, naive {naive * scale:16.2f} s (scaled from {FEW} images)")
    print(f"  resnet20, masks behind one pass {joint * scale:18.2f} s (scaled from {FEW} images)")


if __name__ == "__main__":
    main()
