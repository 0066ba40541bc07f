"""CIFAR-10 as torchvision keeps it on disk."""

from __future__ import annotations

import os
from pathlib import Path

import torch

from csg_analyze.data.dataset import Dataset, Split
from csg_analyze.data.fingerprint import fingerprint_of
from csg_analyze.errors import UsageError


def load_cifar10(root: str, split: Split = "test") -> Dataset:
    """CIFAR-10 from `root`/cifar-10-batches-py, after torchvision has compared its checksums.

    `~` and environment variables in `root` are expanded; nothing is downloaded.
    Raises UsageError if the files are missing or not the original ones.
    """
    from torchvision.datasets import CIFAR10

    folder = Path(os.path.expandvars(root)).expanduser()
    try:
        data = CIFAR10(folder, train=split == "train", download=False)
    except (RuntimeError, OSError) as error:
        raise UsageError(
            f"no intact CIFAR-10 in {str(folder)!r} (looked for {CIFAR10.base_folder}/); unpack the python version of "
            "CIFAR-10 there, or use folder:PATH for images."
        ) from error
    images = torch.from_numpy(data.data).permute(0, 3, 1, 2).contiguous()
    labels = torch.tensor(data.targets)
    return Dataset(
        spec=f"cifar10:{root}",
        split=split,
        images=images,
        labels=labels,
        class_names=tuple(data.classes),
        sample_ids=tuple(f"{split}-{i:05d}" for i in range(len(labels))),
        fingerprint=fingerprint_of("cifar10", images, labels, *data.classes),
    )
