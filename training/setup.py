"""What a training needs before its first step: data, network, strategy, optimizers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

import torch

from csg_analyze.checkpoints import PixelNetwork
from csg_analyze.data import Dataset, load_dataset
from csg_analyze.errors import UsageError
from training.augment import n_batches, resident
from training.control import control
from training.identity import Identity
from training.optimisation import PathName, path_optimizers
from training.recipes import Recipe, Training
from training.starting import Start, starting_point
from training.state import TrainingState
from training.strategies import Standard, Strategy, class_specific, find_feature_layer


@dataclass(frozen=True)
class Setup:
    """What stays the same while training. train, test: their images on the device where they fit."""

    identity: Identity
    train: Dataset
    test: Dataset
    device: torch.device
    start: Start

    @property
    def recipe(self) -> Recipe:
        """How to train."""
        return self.identity.recipe

    @property
    def steps(self) -> int:
        """Steps an epoch."""
        return n_batches(len(self.train), self.recipe.optimisation.batch_size)


def prepare(
    recipe: Recipe,
    training: Training,
    data: str | tuple[Dataset, Dataset],
    *,
    seed: int,
    start: Path | None,
    device: torch.device,
    progress: Callable[[int, int], None] | None = None,
) -> Setup:
    """Load the data and the network to start from. progress: told of images read and images in all.

    Raises UsageError for what cannot be used.
    """
    if training not in get_args(Training):
        raise UsageError(f"there is no training {training!r}; choose {', '.join(get_args(Training))}.")
    if training != "control" and recipe.control.head is not None:
        raise UsageError(f"--head {recipe.control.head} is for a control; train it with csg-train control.")
    if seed < 0:
        raise UsageError(f"--seed must be at least 0, not {seed}.")
    train, test = load_splits(recipe, data, progress=progress)
    if train.class_names != test.class_names:
        raise UsageError(f"the classes of {train.spec!r} differ between its training and its test images.")
    if len(train) < 2:
        raise UsageError(f"{train.spec!r} has {len(train)} training image(s); training needs at least 2.")
    if recipe.data.shift >= min(train.image_size):
        side = min(train.image_size)
        raise UsageError(
            f"--shift {recipe.data.shift} moves images of {side} pixels out of sight; give less than {side}."
        )
    beginning = starting_point(recipe, train, checkpoint=start, seed=seed)
    identity = Identity.of(training, recipe, seed, (train, test), beginning.sha256)
    train, test = (replace(each, images=resident(each.images, device)) for each in (train, test))
    return Setup(identity, train, test, device, beginning)


def load_splits(
    recipe: Recipe, data: str | tuple[Dataset, Dataset], *, progress: Callable[[int, int], None] | None = None
) -> tuple[Dataset, Dataset]:
    """The training images, as many as the recipe wants, and the test images; of a spec or of what is in memory."""
    if not isinstance(data, str):
        return data[0].limited(recipe.data.limit), data[1]
    reading: dict[str, Any] = {"size": recipe.data.size, "resize": recipe.data.resize, "progress": progress}
    train, test = load_dataset(data, "train", limit=recipe.data.limit, **reading), load_dataset(data, "test", **reading)
    if not set(train.sample_ids).isdisjoint(test.sample_ids):
        raise UsageError(
            f"{data!r} gives the same images for training and for testing, as it is not divided; divide it into train/ "
            "and test/ (or splits of these names)."
        )
    return train, test


def begin(setup: Setup) -> TrainingState:
    """The state before the first epoch, on the device. Raises UsageError where recipe and network do not fit."""
    recipe, start, device = setup.recipe, setup.start, setup.device
    network = PixelNetwork(start.network, start.preprocessing).to(device).to(memory_format=torch.channels_last)
    strategy: Strategy = Standard()
    probe = torch.full((1, 3, *setup.train.image_size), 0.5, device=device)
    layer = find_feature_layer(network.network, start.feature_layer, probe)
    if setup.identity.training == "csg":
        gate = torch.full((len(setup.train.class_names), layer.n_filters), recipe.gate.gate_start)
        strategy = class_specific(recipe, layer, (gate if start.gate is None else start.gate).to(device))
    if setup.identity.training == "control":
        strategy = control(recipe, network.network, probe, seed=setup.identity.seed)
    paths: frozenset[PathName] = frozenset(strategy.path(epoch) for epoch in range(recipe.optimisation.epochs))
    # bfloat16 has float32's range: only float16 needs its gradients scaled
    scaler = torch.amp.GradScaler(device.type, enabled=half_precision(recipe, device) is torch.float16)
    return TrainingState(network, strategy, path_optimizers(network.network, recipe, paths), scaler)


def half_precision(recipe: Recipe, device: torch.device) -> torch.dtype | None:
    """What forward passes on CUDA are computed in: bfloat16 where the device has it; None elsewhere, or without amp."""
    if device.type != "cuda" or not recipe.optimisation.amp:
        return None
    return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
