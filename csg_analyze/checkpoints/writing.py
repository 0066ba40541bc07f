"""The project's own checkpoint format: plain tensors and plain values, loadable with `weights_only=True`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from csg_analyze.checkpoints.classifier import Preprocessing
from csg_analyze.files import replacing

FORMAT, VERSION = "csg-analyze", 1


def save_checkpoint(
    path: Path,
    network: nn.Module,
    *,
    architecture: str,
    class_names: Sequence[str],
    preprocessing: Preprocessing,
    feature_layer: str,
    data: str,
    training: str,
    gate: Tensor | None = None,
    record: Mapping[str, Any] | None = None,
) -> None:
    """Write a checkpoint atomically.

    network: without its normalization, so that its parameter names are the architecture's own. gate: (C, K) or None.
    training: "STD" or "CSG". record: plain values only (recipe, seed, epoch, metrics, versions ...).
    Raises UsageError if the file cannot be written.
    """
    content = {
        "format": FORMAT,
        "version": VERSION,
        "state_dict": {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()},
        "gate": None if gate is None else gate.detach().cpu().float(),
        "architecture": architecture,
        "class_names": list(class_names),
        "preprocessing": {
            name: list(value) if isinstance(value, tuple) else value for name, value in preprocessing.key.items()
        },
        "feature_layer": feature_layer,
        "data": data,
        "training": training,
        "record": dict(record or {}),
    }
    with replacing(path) as temporary:
        torch.save(content, temporary)
