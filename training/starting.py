"""The network a training starts from: freshly drawn weights, or a checkpoint's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from csg_analyze.checkpoints import Preprocessing, load_classifier
from csg_analyze.data import Dataset
from csg_analyze.files import sha256_of
from csg_analyze.models import build, find_layers
from training.augment import mixed_seed, seeded
from training.recipes import Recipe

STATISTICS_IMAGES = 10_000


@dataclass(frozen=True)
class Start:
    """The network before its first step, with its gate if it has one. notes: remarks for the user, a sentence each."""

    network: nn.Module
    architecture: str
    preprocessing: Preprocessing
    feature_layer: str
    gate: Tensor | None = None
    sha256: str | None = None
    notes: tuple[str, ...] = ()


def starting_point(recipe: Recipe, train: Dataset, *, checkpoint: Path | None, seed: int) -> Start:
    """The network on the CPU: drawn from the seed alone (twins get the same), or fine-tuned from a checkpoint.

    A checkpoint brings its normalisation, its order of channels, its feature layer and its gate along. Its head is kept
    where its classes are those of the data, as far as the file says; else a new one is drawn from the seed, and a note
    says so.
    Raises UsageError for an unknown architecture or layer, and for a file that is no checkpoint or does not fit.
    """
    with seeded(mixed_seed(seed, 0, use=2), torch.device("cpu")):
        fresh = build(recipe.network.arch, len(train.class_names))
    height, width = train.image_size
    size = height if height == width else None
    if checkpoint is None:
        mean, std = _channels(recipe, None, train)
        feature_layer = recipe.network.layer or find_layers(fresh, torch.zeros(1, 3, height, width))[0]
        return Start(fresh, recipe.network.arch, Preprocessing(mean, std, size, recipe.data.resize), feature_layer)
    loaded = load_classifier(checkpoint, architecture=recipe.network.arch, layer=recipe.network.layer, device="cpu")
    mean, std = _channels(recipe, loaded.preprocessing, train)
    network, notes = loaded.network.network, loaded.notes
    gate = None if loaded.gate is None else torch.from_numpy(loaded.gate).float()
    if loaded.n_classes != len(train.class_names) or (loaded.class_names or train.class_names) != train.class_names:
        notes += (
            f"the head of {checkpoint} is for {_classes(loaded.n_classes, loaded.class_names)}; drawing a new one",
        )
        # one name, two networks (alexnet): the checkpoint's weights decided
        if loaded.architecture != recipe.network.arch:
            with seeded(mixed_seed(seed, 0, use=2), torch.device("cpu")):
                fresh = build(loaded.architecture, len(train.class_names))
        kept = {name: value for name, value in network.state_dict().items() if not name.startswith(loaded.head + ".")}
        fresh.load_state_dict(kept, strict=False)
        network, gate = fresh, None
    return Start(
        network, loaded.architecture,
        Preprocessing(mean, std, size, recipe.data.resize, channels=loaded.preprocessing.channels),
        loaded.feature_layer, gate, sha256_of(checkpoint), notes,
    )  # fmt: skip


def _classes(n: int, names: tuple[str, ...] | None) -> str:
    return f"{n} classes" + (f" ({', '.join(names[:3])} ...)" if names else "")


Channels = tuple[float, float, float]


def _channels(recipe: Recipe, checkpoint: Preprocessing | None, train: Dataset) -> tuple[Channels, Channels]:
    """Mean and std: the recipe's, else the checkpoint's, else those of the training images."""
    data = recipe.data
    if data.mean is not None and data.std is not None:
        return data.mean, data.std
    mean, std = (checkpoint.mean, checkpoint.std) if checkpoint is not None else pixel_statistics(train)
    return data.mean or mean, data.std or std


def pixel_statistics(dataset: Dataset) -> tuple[Channels, Channels]:
    """Mean and standard deviation per RGB channel for pixels in [0, 1], to 4 digits, over at most 10,000 images.

    The images are evenly spaced over the dataset. A standard deviation is at least one grey level of 255.
    """
    index = torch.linspace(0, len(dataset) - 1, min(len(dataset), STATISTICS_IMAGES)).round().long()
    total, squares, count = torch.zeros(3, dtype=torch.float64), torch.zeros(3, dtype=torch.float64), 0
    for chunk in torch.split(index, 500):
        pixels = dataset.images[chunk].double().div_(255)
        total += pixels.sum((0, 2, 3))
        squares += pixels.square().sum((0, 2, 3))
        count += pixels.numel() // 3
    mean = total / count
    std = (squares / count - mean.square()).clamp(min=0).sqrt().clamp(min=1 / 255)
    return _three(mean), _three(std)


def _three(values: Tensor) -> Channels:
    red, green, blue = (round(value, 4) for value in values.tolist())
    return red, green, blue
