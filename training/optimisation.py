"""Which parameters a path trains, with which optimizer, at which rate.

Learning rates are a function of the share of all steps done: nothing to store for a resumed run, and in the alternate
scheme both paths' schedules span the whole training, as the authors' do.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from csg_analyze.errors import unknown
from training.fields import CsgPath, Optimisation, Schedule
from training.recipes import Recipe

PathName = Literal["std", "csg", "joint", "rest"]
"""The path that a step takes: STD, CSG, or both at once; an epoch of rest has no step."""

ONECYCLE_START, ONECYCLE_END = 25.0, 1e4  # torch's OneCycleLR: start = peak / 25, end = start / 1e4


@dataclass(frozen=True)
class PathOptimizer:
    """The optimizer of one path and its learning rate over time. prefixes: the layers it trains; empty: all."""

    optimizer: torch.optim.Optimizer
    peak: float
    schedule: Schedule
    prefixes: tuple[str, ...]

    def set_rate(self, settings: Optimisation, done: float) -> float:
        """Give the optimizer its rate at a share `done` in [0, 1] of all steps; returns that rate."""
        rate = self.peak * factor(self.schedule, done, settings)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        return rate


def factor(schedule: Schedule, done: float, settings: Optimisation) -> float:
    """What the peak learning rate is multiplied by at a share `done` in [0, 1] of all steps.

    onecycle: from 1/25 up to 1 at `ramp`, then down to 4e-6, along half cosines (torch's defaults; the momentum stays).
    cosine: half a cosine from 1 to 0. step: `step_factor` for every milestone reached. constant: 1.
    """
    if schedule == "constant":
        return 1.0
    if schedule == "step":
        return settings.step_factor ** bisect_right(sorted(settings.milestones), done)
    if schedule == "cosine":
        return _half_cosine(1.0, 0.0, done)
    start = 1 / ONECYCLE_START
    if done < settings.ramp:
        return _half_cosine(start, 1.0, done / settings.ramp)
    return _half_cosine(1.0, start / ONECYCLE_END, (done - settings.ramp) / (1 - settings.ramp))


def _half_cosine(first: float, last: float, share: float) -> float:
    return last + (first - last) * (1 + math.cos(math.pi * share)) / 2


def path_optimizers(network: nn.Module, recipe: Recipe, paths: frozenset[PathName]) -> dict[PathName, PathOptimizer]:
    """One optimizer a path; the joint path has the STD path's settings, the CSG path its own where the recipe has some.

    Raises UsageError for a prefix that is no layer of the network.
    """
    return {path: _path_optimizer(network, recipe, csg=path == "csg") for path in sorted(paths - {"rest"})}


def _path_optimizer(network: nn.Module, recipe: Recipe, *, csg: bool) -> PathOptimizer:
    std, own = recipe.optimisation, recipe.csg_path if csg else CsgPath()
    peak = own.csg_lr or std.lr
    decay = std.weight_decay if own.csg_weight_decay is None else own.csg_weight_decay
    prefixes = own.csg_trainable if csg else std.std_trainable
    optimizer = _optimizer(own.csg_optimizer or std.optimizer, trained(network, prefixes), peak, decay, std.momentum)
    return PathOptimizer(optimizer, peak, own.csg_schedule or std.schedule, prefixes)


def _optimizer(
    name: str, parameters: list[nn.Parameter], rate: float, decay: float, momentum: float
) -> torch.optim.Optimizer:
    if name == "sgd":
        return torch.optim.SGD(parameters, rate, momentum, weight_decay=decay, nesterov=momentum > 0)
    kind = torch.optim.Adam if name == "adam" else torch.optim.AdamW
    return kind(parameters, rate, weight_decay=decay)


def trained(network: nn.Module, prefixes: tuple[str, ...]) -> list[nn.Parameter]:
    """The parameters of the layers under any of the prefixes; all of them where there is no prefix."""
    for prefix in prefixes:
        if prefix not in (names := [name for name, _ in network.named_modules() if name]):
            raise unknown("layer", prefix, names)
    return [p for name, p in network.named_parameters() if not prefixes or _under(name, prefixes)]


def freeze_others(network: nn.Module, prefixes: tuple[str, ...]) -> None:
    """Train mode for the layers under the prefixes, the rest frozen: no gradients, batch norm in eval mode.

    A frozen batch norm that went on collecting statistics would still change what its frozen weights compute.
    """
    network.train()
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(not prefixes or _under(name, prefixes))
    for name, module in network.named_modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and prefixes and not _under(name, prefixes):
            module.eval()


def _under(name: str, prefixes: tuple[str, ...]) -> bool:
    return any(name == prefix or name.startswith(prefix + ".") for prefix in prefixes)
