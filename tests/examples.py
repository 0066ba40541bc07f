"""Small classifiers and datasets for tests and benchmarks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from csg_analyze.checkpoints import Classifier, PixelNetwork, Preprocessing
from csg_analyze.data import Dataset
from csg_analyze.metrics.arrays import FloatArray
from csg_analyze.models import build, find_layers

NAMES = tuple("abcdefghij")
HALF = Preprocessing((0.5, 0.5, 0.5), (0.25, 0.25, 0.25), size=32)


def random_dataset(n: int, n_classes: int = 10) -> Dataset:
    """Noise images of 32x32 with labels in turn."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (n, 3, 32, 32), dtype=torch.uint8, generator=generator)
    ids = tuple(f"noise-{i}" for i in range(n))
    return Dataset("noise", "test", images, torch.arange(n) % n_classes, NAMES[:n_classes], ids, f"noise-{n}")


def random_classifier(
    architecture: str = "resnet8", n_classes: int = 10, gate: FloatArray | None = None, name: str = "random"
) -> Classifier:
    """An untrained network of seed 0, as if loaded from a file."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        bare = build(architecture, n_classes)
    feature_layer, head = find_layers(bare, torch.zeros(1, 3, 32, 32))
    network = PixelNetwork(bare, HALF).eval().requires_grad_(False).to(memory_format=torch.channels_last)
    n_filters = bare.get_submodule(head).in_features
    assert isinstance(n_filters, int)
    return Classifier(
        name=name,
        path=Path(f"{name}.pt"),
        sha256="0" * 64,
        architecture=architecture,
        network=network,
        preprocessing=HALF,
        feature_layer=feature_layer,
        head=head,
        n_classes=n_classes,
        n_filters=n_filters,
        class_names=NAMES[:n_classes],
        gate=gate,
        training="CSG" if gate is not None else "STD",
        record={"gate_bound": float(n_filters)} if gate is not None else {},
    )


def random_gate(n_classes: int, n_filters: int, seed: int = 0) -> FloatArray:
    """(C, K) in [0, 1], the maximum of every column 1."""
    gate = np.random.default_rng(seed).random((n_classes, n_filters))
    return gate / gate.max(axis=0)
