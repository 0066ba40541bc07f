"""What differs between trainings: the loss of a step, and what happens after the step.

A further method is one more class with these four members, not one more loop.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from csg_analyze.errors import UsageError, unknown
from csg_analyze.hooks import watched
from csg_analyze.models import attached, channels_of, examine, execution_order
from csg_analyze.models.tracing import evaluating
from training.fields import Gate, Turns
from training.gate import Psi, bound_of, fixed_gate, gated, penalty, project_
from training.optimisation import PathName
from training.recipes import Recipe
from training.turns import turn_of


class Strategy(Protocol):
    """A training method, as the loop sees it."""

    @property
    def gate(self) -> Tensor | None:
        """(C, K), or None."""
        ...

    def path(self, epoch: int) -> PathName:
        """Which path the epoch (counted from 0) takes; "rest": none, nothing is trained."""
        ...

    def loss(self, path: PathName, network: nn.Module, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """The step's loss, a scalar, and the logits (N, C) that training accuracy is counted on."""
        ...

    def after_step(self, path: PathName, scaler: torch.amp.GradScaler) -> None:
        """Called after the network's update, while the gradients of the step are still there."""
        ...


@dataclass(frozen=True)
class Standard:
    """STD: plain cross-entropy, lines 10 and 11 of Algorithm 1."""

    gate: Tensor | None = None

    def path(self, epoch: int) -> PathName:
        """The STD path, always."""
        return "std"

    def loss(self, path: PathName, network: nn.Module, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """CE(y || y~)."""
        logits = network(images)
        return F.cross_entropy(logits, labels), logits

    def after_step(self, path: PathName, scaler: torch.amp.GradScaler) -> None:
        """Nothing."""


@dataclass(frozen=True)
class ClassSpecific:
    """CSG: Algorithm 1 (alternate) or Eq. 3 in every step (joint).

    gate: (C, K), a leaf that gradients flow to unless it is fixed. gate_optimizer: None for a fixed gate, which has
    no penalty either. feature_layer: the module whose output the gate multiplies. bound: g of Eq. 2.
    """

    gate: Tensor
    gate_optimizer: torch.optim.Optimizer | None
    feature_layer: nn.Module
    bound: float
    settings: Gate
    turns: Turns

    def path(self, epoch: int) -> PathName:
        """The path whose turn it is."""
        return turn_of(self.turns, epoch)

    def loss(self, path: PathName, network: nn.Module, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """CE; lambda1 CE^G + lambda2 d; or CE + lambda1 CE^G + lambda2 d. Logits are the STD path's where it runs."""
        if path == "std":
            return Standard().loss(path, network, images, labels)
        detached = self.settings.gated_loss_trains == "head"
        with gated(self.feature_layer, self.gate, labels, beside_plain=path == "joint", detached=detached):
            logits = network(images)
        plain, blocked = logits.chunk(2) if path == "joint" else (logits, logits)
        loss = self.settings.lambda1 * F.cross_entropy(blocked, labels)
        if path == "joint":
            loss = loss + F.cross_entropy(plain, labels)
        if self.gate_optimizer is not None:
            psi: Psi = self.settings.psi
            loss = loss + self.settings.lambda2 * penalty(self.gate, self.bound, psi)
        return loss, plain

    def after_step(self, path: PathName, scaler: torch.amp.GradScaler) -> None:
        """A plain gradient step of the gate, then its projection: lines 6 to 8 of Algorithm 1."""
        if path == "std" or self.gate_optimizer is None:
            return
        scaler.step(self.gate_optimizer)
        self.gate_optimizer.zero_grad()
        project_(self.gate)


@dataclass(frozen=True)
class FeatureLayer:
    """The module whose output, (N, K, h, w), the gate multiplies. norms_behind: names of the batch norms after it.

    bypassed: whether a connection goes around it, as around the norm in a transformer's block.
    """

    name: str
    module: nn.Module
    n_filters: int
    norms_behind: tuple[str, ...]
    bypassed: bool = False


def class_specific(recipe: Recipe, layer: FeatureLayer, start: Tensor) -> ClassSpecific:
    """The CSG strategy for a network with that feature layer.

    start: the gate (C, K) to begin with, on the network's device; a fixed gate of the recipe comes before it.
    Raises UsageError for a gate bound or fixed gate that does not fit, a training without a CSG epoch, and the joint
    scheme on a network with batch norm behind the feature layer.
    """
    if recipe.turns.scheme == "joint" and layer.norms_behind:
        raise UsageError(
            f"--scheme joint runs both paths as one batch behind layer {layer.name!r}, but batch norm "
            f"{layer.norms_behind[0]!r} there would mix them; take --scheme alternate or another --layer."
        )
    if recipe.turns.scheme == "joint" and layer.bypassed:
        raise UsageError(
            f"--scheme joint runs both paths as one batch behind layer {layer.name!r}, but a connection goes around "
            "it; take --scheme alternate or another --layer."
        )
    n_classes, n_filters = start.shape
    if recipe.gate.fixed_gate is not None:
        gate, optimizer = fixed_gate(n_classes, n_filters, *recipe.gate.fixed_gate).to(start.device), None
    else:
        gate = start.float().clone().requires_grad_()
        optimizer = torch.optim.SGD([gate], recipe.gate.gate_rate)
    bound = bound_of(recipe.gate.gate_bound, n_classes, n_filters)
    strategy = ClassSpecific(gate, optimizer, layer.module, bound, recipe.gate, recipe.turns)
    if all(strategy.path(epoch) == "std" for epoch in range(recipe.optimisation.epochs)):
        raise UsageError(
            f"none of the {recipe.optimisation.epochs} epochs takes the CSG path (--warmup-epochs "
            f"{recipe.turns.warmup_epochs}, --period {recipe.turns.period}, --csg-epochs {recipe.turns.csg_epochs}); "
            "give more --epochs or fewer --warmup-epochs."
        )
    return strategy


def find_feature_layer(network: nn.Module, name: str, probe: Tensor) -> FeatureLayer:
    """The layer of that name, examined by one pass in eval mode over probe (1, 3, H, W).

    Tokens, and maps with their channels last, become maps by a view, which stays hooked into the network. Raises
    UsageError for a name the network does not have, suggesting the nearest, and for a layer without filters.
    """
    modules: dict[str, nn.Module] = {path: module for path, module in network.named_modules() if path}
    if name not in modules:
        raise unknown("layer", name, modules)
    order = execution_order(network, probe)
    ran = [executed for executed in order if executed.name == name]
    if len(ran) != 1 or len(ran[0].shape) not in (3, 4):
        raise UsageError(f"layer {name!r} gives no (N, K, h, w) map once a pass; choose another --layer.")
    layers = examine(network, probe.shape[2], probe.shape[3], layer=name, device=probe.device)
    view = attached(network, layers)
    module = modules[name] if view is None else view.maps
    behind = order[[executed.name for executed in order].index(name) + 1 :]
    norms_behind = tuple(executed.name for executed in behind if _is_norm(executed.module))
    return FeatureLayer(name, module, layers.n_filters, norms_behind, _bypassed(network, module, probe))


def _bypassed(network: nn.Module, layer: nn.Module, probe: Tensor) -> bool:
    """Whether what follows the layer does not take a batch of another size than what came before."""
    twice = [(each, lambda maps: torch.cat([maps, maps])) for each in channels_of(layer)]
    try:
        with evaluating(network), torch.no_grad(), watched(twice):
            return len(network(torch.cat([probe, probe]))) != 4
    except RuntimeError:
        return True


def _is_norm(module: nn.Module) -> bool:
    return isinstance(module, nn.modules.batchnorm._BatchNorm)
