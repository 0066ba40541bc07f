"""What a training needs before its first step: data, network, strategy, optimizers; and what identifies it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, get_args

import torch

from csg_analyze.checkpoints import PixelNetwork
from csg_analyze.data import Dataset, load_dataset
from csg_analyze.errors import UsageError
from training.augment import n_batches, resident
from training.control import control
from training.optimisation import PathName, optimisations
from training.recipes import Recipe, Training
from training.starting import Start, starting_point
from training.state import Identity, Run
from training.strategies import Standard, Strategy, class_specific, find_feature_layer


@dataclass(frozen=True)
class Setting:
    """What stays the same while training."""

    recipe: Recipe
    training: Training
    train: Dataset
    test: Dataset
    seed: int
    device: torch.device
    start: Start

    @property
    def steps(self) -> int:
        """Steps an epoch."""
        return n_batches(len(self.train), self.recipe.batch_size)

    @property
    def fingerprints(self) -> dict[str, str | None]:
        """Of the data and of the checkpoint that is fine-tuned."""
        return fingerprints_of(self.train, self.test, self.start.sha256)

    @property
    def identity(self) -> Identity:
        """What makes two runs the same run, as plain values."""
        return identity_of(self.training, asdict(self.recipe), self.seed, self.fingerprints)


def fingerprints_of(train: Dataset, test: Dataset, start: str | None) -> dict[str, str | None]:
    """Of the data and of the checkpoint that is fine-tuned, if any (its SHA-256)."""
    return {"data": train.fingerprint, "test data": test.fingerprint, "start": start}


def identity_of(
    training: str, recipe: dict[str, Any], seed: int, fingerprints: dict[str, str | None]
) -> dict[str, Any]:
    """What makes two runs the same run: everything their outcome depends on, the machine aside."""
    return {**recipe, "training": training, "seed": seed, **fingerprints}


def prepare(
    recipe: Recipe,
    training: Training,
    data: str | tuple[Dataset, Dataset],
    *,
    seed: int,
    start: Path | None,
    device: torch.device,
    progress: Callable[[int, int], None] | None = None,
) -> Setting:
    """Load the data and the network to start from. progress: told of images read and images in all.

    Raises UsageError for what cannot be used.
    """
    if training not in get_args(Training):
        raise UsageError(f"there is no training {training!r}; choose {', '.join(get_args(Training))}.")
    if training != "control" and recipe.head is not None:
        raise UsageError(f"--head {recipe.head} is for a control; train it with csg-train control.")
    if seed < 0:
        raise UsageError(f"--seed must be at least 0, not {seed}.")
    train, test = load_splits(recipe, data, progress=progress)
    if train.class_names != test.class_names:
        raise UsageError(f"the classes of {train.spec!r} differ between its training and its test images.")
    if len(train) < 2:
        raise UsageError(f"{train.spec!r} has {len(train)} training image(s); training needs at least 2.")
    if recipe.shift >= min(train.image_size):
        side = min(train.image_size)
        raise UsageError(f"--shift {recipe.shift} moves images of {side} pixels out of sight; give less than {side}.")
    began = starting_point(recipe, train, checkpoint=start, seed=seed)
    train, test = (replace(each, images=resident(each.images, device)) for each in (train, test))
    return Setting(recipe, training, train, test, seed, device, began)


def load_splits(
    recipe: Recipe, data: str | tuple[Dataset, Dataset], *, progress: Callable[[int, int], None] | None = None
) -> tuple[Dataset, Dataset]:
    """The training images, as many as the recipe wants, and the test images; of a spec or of what is in memory."""
    if not isinstance(data, str):
        return data[0].limited(recipe.limit), data[1]
    how: dict[str, Any] = {"size": recipe.size, "resize": recipe.resize, "progress": progress}
    return load_dataset(data, "train", limit=recipe.limit, **how), load_dataset(data, "test", **how)


def begin(setting: Setting) -> Run:
    """A run before its first epoch, on the device. Raises UsageError where recipe and network do not go together."""
    recipe, start, device = setting.recipe, setting.start, setting.device
    network = PixelNetwork(start.network, start.preprocessing).to(device).to(memory_format=torch.channels_last)
    strategy: Strategy = Standard()
    probe = torch.full((1, 3, *setting.train.image_size), 0.5, device=device)
    layer = find_feature_layer(network.network, start.feature_layer, probe)
    if setting.training == "csg":
        gate = torch.full((len(setting.train.class_names), layer.n_filters), recipe.gate_start)
        strategy = class_specific(recipe, layer, (gate if start.gate is None else start.gate).to(device))
    if setting.training == "control":
        strategy = control(recipe, network.network, probe, seed=setting.seed)
    paths: frozenset[PathName] = frozenset(strategy.path(epoch) for epoch in range(recipe.epochs))
    # bfloat16 has float32's range: only float16 needs its gradients scaled
    scaler = torch.amp.GradScaler(device.type, enabled=half_precision(recipe, device) is torch.float16)
    return Run(network, strategy, optimisations(network.network, recipe, paths), scaler)


def half_precision(recipe: Recipe, device: torch.device) -> torch.dtype | None:
    """What forward passes on CUDA are computed in: bfloat16 where the device has it; None elsewhere, or without amp."""
    if device.type != "cuda" or not recipe.amp:
        return None
    return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
