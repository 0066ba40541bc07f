"""Small classifiers and datasets for tests and benchmarks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from csg_analyze.checkpoints import Classifier, PixelNetwork, Preprocessing
from csg_analyze.data import Dataset
from csg_analyze.data.fingerprint import fingerprint_of
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


def small_classifier(seed: int = 1, name: str = "small", gate: FloatArray | None = None) -> Classifier:
    """Two convolutions and a linear head for images of 12x12 and four classes, quick to attack."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        bare = torch.nn.Sequential(
            torch.nn.Conv2d(3, 6, 3),
            torch.nn.ReLU(inplace=True),
            torch.nn.Conv2d(6, 8, 3, stride=2),
            torch.nn.ReLU(inplace=True),
            torch.nn.AdaptiveAvgPool2d(1),
            torch.nn.Flatten(),
            torch.nn.Linear(8, 4),
        )
        bare[6].weight.data.mul_(8)
    pixels = PixelNetwork(bare, HALF).eval().requires_grad_(False).to(memory_format=torch.channels_last)
    bare[6].bias -= pixels(coarse_noise(100)).mean(0)  # so that no class takes all images
    return replace(
        random_classifier(), name=name, network=pixels, feature_layer="2", head="6", n_classes=4, n_filters=8,
        class_names=NAMES[:4], gate=gate, architecture="small",
    )  # fmt: skip


def nudged(classifier: Classifier) -> Classifier:
    """The same classifier with weights a little off, so that it mostly says the same."""
    generator = torch.Generator().manual_seed(0)
    for parameter in classifier.network.parameters():
        parameter.add_(0.05 * parameter.abs().mean() * torch.randn(parameter.shape, generator=generator))
    return classifier


def coarse_noise(n: int, side: int = 12) -> torch.Tensor:
    """Random images in [0, 1] with patches of colour, float32 (n, 3, side, side)."""
    coarse = torch.rand(n, 3, 4, 4, generator=torch.Generator().manual_seed(1))
    return torch.nn.functional.interpolate(coarse, size=(side, side), mode="bilinear")


def classified_dataset(classifier: Classifier, n: int, wrong: int = 0, side: int = 12) -> Dataset:
    """Blurred noise whose labels are what the classifier says, but for the last `wrong` images."""
    images = (255 * coarse_noise(n, side)).to(torch.uint8)
    with torch.no_grad():
        labels = classifier.network(images.float() / 255).argmax(1)
    if wrong:
        labels[-wrong:] = (labels[-wrong:] + 1) % classifier.n_classes
    ids = tuple(f"image-{i}" for i in range(n))
    fingerprint = fingerprint_of(images, labels)
    return Dataset("noise", "test", images, labels, NAMES[: classifier.n_classes], ids, fingerprint)
