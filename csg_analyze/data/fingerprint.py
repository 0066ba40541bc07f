"""One fingerprint for anything a dataset is made of."""

from __future__ import annotations

import hashlib

import numpy as np
from torch import Tensor


def fingerprint_of(*parts: str | Tensor | None) -> str:
    """SHA-256 in hex over the parts in order; tensors count with their dtype, shape and bytes."""
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, Tensor):
            array = np.ascontiguousarray(part.detach().cpu().numpy())
            digest.update(f"{array.dtype}{array.shape}".encode())
            digest.update(array.view(np.uint8).data if array.size else b"")
        else:
            digest.update(repr(part).encode())
        digest.update(b"\0")
    return digest.hexdigest()
