"""Noise as large as an attack's perturbation: the control for a detector of attacks."""

from __future__ import annotations

import torch
from torch import Tensor

from csg_analyze.metrics.arrays import FloatArray


def with_noise(clean: Tensor, noise: Tensor, norms: FloatArray) -> Tensor:
    """Images (n, 3, H, W) in [0, 1] with noise whose L2 norms, after clipping to [0, 1], are `norms`, (n,)."""
    from foolbox.external.clipping_aware_rescaling import l2_clipping_aware_rescaling

    scales = [
        l2_clipping_aware_rescaling(clean[i : i + 1], noise[i : i + 1], float(norm)) for i, norm in enumerate(norms)
    ]
    return (clean + torch.nan_to_num(torch.cat(scales)) * noise).clamp(0, 1)
