"""A detector in torch, and the loss of an attack on it together with the network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import relu, softplus

from csg_analyze.attacks.blocks import Loss
from csg_analyze.attacks.rescaling import log_odds
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


def joint_loss(
    suspicion: Callable[[Tensor], Tensor],
    weight: float,
    targeted: bool,
    recording: Callable[[], AbstractContextManager[dict[str, Tensor]]],
    columns: Callable[[Mapping[str, Tensor]], Tensor],
) -> Loss:
    """log(1 + odds) of the classes that are no success, plus `weight` times the detector's loss for "clean".

    The first term vanishes once the network is fooled, so that the second decides; log odds would not vanish.
    recording: opens a dictionary that receives averaged outputs while images run through the network. columns: gives
    the features (n, F) of these. The loss of an untargeted attack has the opposite sign, since it is raised.
    """
    sign = 1 if targeted else -1

    def loss(network: nn.Module, images: Tensor, classes: Tensor) -> Tensor:
        with recording() as recorded:
            failure = sign * log_odds(network(images), classes)
            suspicious = suspicion(columns(recorded))
        return sign * (softplus(failure) + weight * softplus(suspicious)).sum()

    return loss
