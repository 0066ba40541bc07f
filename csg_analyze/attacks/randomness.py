"""Random numbers of one image, which depend on the seed, the image and the purpose alone.

They do not change with the batch, the order of images, or an interruption.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

import numpy as np

from csg_analyze.metrics.arrays import FloatArray, IntArray


def seed_of(seed: int, sample_id: str, purpose: str) -> int:
    """A seed of 63 bits for one image and purpose ("target", "start pgd" ...)."""
    words = json.dumps([seed, sample_id, purpose])  # ASCII, whatever the bytes of a file name
    return int.from_bytes(hashlib.sha256(words.encode()).digest()[:8], "big") >> 1


def shuffled(seed: int, sample_ids: Sequence[str], purpose: str) -> IntArray:
    """All N indices in random order; images keep their relative order when others are left out."""
    keys = np.array([seed_of(seed, sample_id, purpose) for sample_id in sample_ids], dtype=np.int64)
    return np.argsort(keys, kind="stable")


def random_class(seed: int, sample_id: str, label: int, prediction: int, n_classes: int) -> int:
    """A target class for an image, neither its label nor its prediction; -1 if no class is left.

    The classes other than the label are drawn in a random order that depends on the image, not on the network, and the
    first that is not the prediction is taken. So all networks have the same target, except one that predicts it.
    """
    rng = np.random.default_rng(seed_of(seed, sample_id, "target"))
    allowed = [c for c in range(n_classes) if c != label]
    while allowed:
        drawn = int(rng.choice(allowed))
        if drawn != prediction:
            return drawn
        allowed.remove(drawn)
    return -1


def normal_noise(seed: int, sample_id: str, purpose: str, shape: tuple[int, ...]) -> FloatArray:
    """Standard normal numbers, float32."""
    return np.random.default_rng(seed_of(seed, sample_id, purpose)).standard_normal(shape, dtype=np.float32)
