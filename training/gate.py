"""The class-specific gate G (C, K): penalty, projection, bound, fixed form, and the gated path (Sec. 3).

The gate multiplies the feature layer's output, after its last ReLU. Before that ReLU would be the same network:
with G >= 0, ReLU(G x) = G ReLU(x).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from csg_analyze.errors import UsageError
from csg_analyze.hooks import watched
from csg_analyze.models import channels_of

Psi = Literal["l1", "l2", "smooth-l1"]


def l1_density(gate: Tensor) -> Tensor:
    """||G||_1 / (C K) of a gate (C, K), a scalar in [0, 1]."""
    return gate.detach().abs().mean()


def penalty(gate: Tensor, bound: float, psi: Psi) -> Tensor:
    """d(||G||_1, g) = psi(ReLU(||G||_1 - g)) of Eq. 2 on the raw norm, a scalar; 0 where the norm is within the bound.

    psi of the scalar excess e: e (l1), e^2 (l2), e^2 / 2 up to 1 and e - 1/2 above (smooth-l1).
    """
    excess = F.relu(gate.abs().sum() - bound)
    if psi == "l1":
        return excess
    if psi == "l2":
        return excess.square()
    return F.smooth_l1_loss(excess, torch.zeros_like(excess))


@torch.no_grad()
def project_(gate: Tensor) -> Tensor:
    """Lines 7 and 8 of Algorithm 1, in place: every column (K) divided by its largest entry, then clipped to [0, 1].

    A column without a positive entry has no such quotient: its largest entry (the first of equals) becomes 1 and the
    others 0, which is the nearest point of the set V_G of Eq. 2. Every column's maximum is 1 afterwards.
    """
    largest, owner = gate.max(dim=0, keepdim=True)  # (1, K) each
    gate.div_(torch.where(largest > 0, largest, torch.ones_like(largest))).clamp_(0, 1)
    return gate.scatter_(0, owner, 1.0)


def fixed_gate(n_classes: int, n_filters: int, owned: int, shared: int) -> Tensor:
    """The binary gate of Sec. 4.3, float32 (C, K).

    Class c owns filters [c * owned, (c + 1) * owned), the last `shared` filters belong to all classes.
    Raises UsageError unless owned * C + shared fills the K filters exactly, naming a pair that does.
    """
    if owned < 1 or shared < 0 or n_classes * owned + shared != n_filters:
        fitting = n_filters // n_classes
        asked = f"--fixed-gate {owned},{shared} asks for {n_classes} x {owned} + {shared} filters"
        hint = f"{fitting},{n_filters - n_classes * fitting} fits" if fitting else "there are more classes than filters"
        raise UsageError(f"{asked}, but the feature layer has {n_filters}; {hint}.")
    gate = torch.zeros(n_classes, n_filters)
    for c in range(n_classes):
        gate[c, c * owned : (c + 1) * owned] = 1
    gate[:, n_classes * owned :] = 1
    return gate


def bound_of(gate_bound: str, n_classes: int, n_filters: int) -> float:
    """The bound g that `K`, `1.5K`, `0.1CK` or `128` stands for.

    Raises UsageError for other text, and for g < K: every filter belongs to a class, so ||G||_1 >= K (Sec. 3.2).
    """
    match = re.fullmatch(r"(\d*\.?\d*)\s*\*?\s*(C?\s*\*?\s*K)?", gate_bound.strip(), re.IGNORECASE)
    number, unit = match.groups() if match else ("", None)
    if not match or not (number or unit) or number == ".":
        raise UsageError(f"--gate-bound takes a number, or a multiple of K or CK (K, 1.5K, 0.1CK), not {gate_bound!r}.")
    per_unit = 1 if unit is None else n_filters * (n_classes if unit[0] in "cC" else 1)
    bound = float(number or 1) * per_unit
    if bound < n_filters * (1 - 1e-9):  # 0.1CK may round to just below K
        raise UsageError(
            f"--gate-bound {gate_bound} (here {bound:g}) is below K = {n_filters}, but every filter keeps one gate at "
            f"1 and the norm never falls under K; give at least K."
        )
    return bound


@contextmanager
def gated(
    feature_layer: nn.Module, gate: Tensor, labels: Tensor, *, beside_plain: bool, detached: bool = False
) -> Iterator[None]:
    """Within it, the network takes the CSG path: channel k of image i is multiplied by G[labels[i], k].

    beside_plain: both paths in one pass. The feature layer then gives 2 N maps, first the plain ones, then the gated
    ones, and the network 2 N rows of logits: the trunk runs once, only what follows the feature layer runs on both.
    That equals two passes as long as nothing behind the feature layer mixes images (no batch norm there).
    detached: no gradient of the gated maps reaches the trunk, only the gate and what follows the feature layer.
    """

    def multiply(features: Tensor) -> Tensor:
        rows = F.embedding(labels, gate)  # (N, K); unlike gate[labels], its gradient adds up in a fixed order
        blocked = (features.detach() if detached else features) * rows.to(features.dtype)[:, :, None, None]
        return torch.cat([features, blocked]) if beside_plain else blocked

    with watched((each, multiply) for each in channels_of(feature_layer)):
        yield
