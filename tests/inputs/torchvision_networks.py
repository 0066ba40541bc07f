"""Untrained networks of torchvision with images for them."""

from __future__ import annotations

from dataclasses import replace

import torch

from csg_analyze.checkpoints import Classifier, PixelNetwork
from csg_analyze.data import Dataset
from csg_analyze.models import build, find_layers
from tests.examples import HALF, random_classifier, random_dataset


def torchvision_classifier(name: str, size: tuple[int, int]) -> tuple[Classifier, Dataset]:
    """An untrained network of torchvision and two noise images of (height, width)."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        bare = build(name, 10)
    height, width = size
    feature_layer, head = find_layers(bare, torch.zeros(2, 3, height, width))
    network = PixelNetwork(bare, HALF).eval().requires_grad_(False)
    plain = random_classifier()
    with torch.no_grad():
        output: list[torch.Tensor] = []
        handle = bare.get_submodule(feature_layer).register_forward_hook(lambda m, i, o: output.append(o))
        network(torch.zeros(2, 3, height, width))
        handle.remove()
    images = torch.randint(0, 256, (2, 3, height, width), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    dataset = replace(random_dataset(2), images=images, fingerprint=f"{name}{size}")
    classifier = replace(
        plain, network=network, architecture=name, feature_layer=feature_layer, head=head, n_filters=output[0].shape[1]
    )
    return classifier, dataset
