"""The device to compute on."""

from __future__ import annotations

import torch

from csg_analyze.errors import UsageError


def choose_device(name: str | None = None) -> torch.device:
    """The named device, else CUDA, else Apple's MPS, else the CPU. Raises UsageError for one that is not available."""
    if name is None:
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise UsageError(f"device {name!r} cannot be used here; leave --device out to choose one.") from error
    return device
