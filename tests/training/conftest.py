from __future__ import annotations

import pytest
import torch

from csg_analyze.data import Dataset
from training.fields import Data, Gate, Network, Optimisation, Turns
from training.recipes import Recipe

NAMES = ("red", "green", "blue")


def colours(split: str, n: int, size: int = 16) -> Dataset:
    """Noise with one channel brighter: learnt in a few steps."""
    generator = torch.Generator().manual_seed(len(split))
    labels = torch.arange(n) % len(NAMES)
    images = torch.randint(0, 120, (n, 3, size, size), generator=generator, dtype=torch.uint8)
    images[torch.arange(n), labels] += 100
    ids = tuple(f"{split}-{i}" for i in range(n))
    return Dataset("colours", split, images, labels, NAMES, ids, fingerprint=f"{split}{n}")


@pytest.fixture(scope="session")
def data() -> tuple[Dataset, Dataset]:
    return colours("train", 45), colours("test", 12)


@pytest.fixture
def recipe() -> Recipe:
    """Three short epochs of the smallest network; lambda2 is large enough to be seen in so few steps."""
    return Recipe(
        "tiny",
        Network("resnet8"),
        Data(shift=2),
        Optimisation(epochs=3, batch_size=16, lr=0.05),
        turns=Turns(scheme="joint"),
        gate=Gate(lambda2=0.1),
    )


@pytest.fixture(params=["std", "joint", "alternate"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)
