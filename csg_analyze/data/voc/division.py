"""Pictures divided into training and test."""

from __future__ import annotations

import random
from collections.abc import Sequence

TRAIN_SHARE = 0.7


def seeded(ids: Sequence[str], seed: int) -> dict[str, list[str]]:
    """Sorted picture ids by split: the ids shuffled by Python's generator of that seed, 70 % for training."""
    shuffled = sorted(ids)
    random.Random(seed).shuffle(shuffled)
    n_train = round(TRAIN_SHARE * len(shuffled))
    return {"train": sorted(shuffled[:n_train]), "test": sorted(shuffled[n_train:])}


def as_the_authors(trainval: Sequence[str]) -> dict[str, list[str]]:
    """Sorted picture ids by split, as the authors' published script for preparing VOC draws them.

    trainval: all ids of `ImageSets/Main/trainval.txt` in the order of that file, with or without an animal. The script
    calls `random.seed(0)`, then `random.sample` for 70 % of them, rounded down (7,072 of VOC 2010's 10,103); the rest
    is for testing. Another order of the same ids gives another division.
    """
    train = set(random.Random(0).sample(list(trainval), int(len(trainval) * TRAIN_SHARE)))
    return {"train": sorted(train), "test": sorted(set(trainval) - train)}
