"""A detector as something that an attack can follow downhill together with the network."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import relu

from csg_analyze.metrics.adversarial import Differentiable
from csg_analyze.metrics.arrays import FloatArray


def as_function(detector: Differentiable, device: torch.device) -> Callable[[Tensor], Tensor]:
    """The detector in torch: (n, F) -> (n,)."""

    def tensor(array: FloatArray) -> Tensor:
        return torch.from_numpy(np.asarray(array, dtype=np.float32)).to(device)

    mean, scale = tensor(detector.mean), tensor(detector.scale)
    layers = [(tensor(weight), tensor(bias)) for weight, bias in detector.layers]

    def suspicion(features: Tensor) -> Tensor:
        values = (features - mean) / scale
        for number, (weight, bias) in enumerate(layers):
            values = values @ weight + bias
            if number < len(layers) - 1:
                values = relu(values)
        return values[:, 0]

    return suspicion
