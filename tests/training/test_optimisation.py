from __future__ import annotations

import pytest
import torch
from torch import nn

from csg_analyze.errors import UsageError
from csg_analyze.models import build
from training.fields import CsgPath, Network, Optimisation
from training.optimisation import factor, freeze_others, path_optimizers, trained
from training.recipes import Recipe


def torch_rates(make: object, steps: int) -> list[float]:
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = make(optimizer)  # type: ignore[operator]
    rates = []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


def ours(settings: Optimisation, steps: int) -> list[float]:
    return [factor(settings.schedule, step / steps, settings) for step in range(steps)]


def test_cosine_and_step_are_torchs() -> None:
    cosine = Optimisation(schedule="cosine")
    theirs = torch_rates(lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, 40), 40)
    assert ours(cosine, 40) == pytest.approx(theirs)
    step = Optimisation(schedule="step", milestones=(0.75, 0.5), step_factor=0.2)
    theirs = torch_rates(lambda o: torch.optim.lr_scheduler.MultiStepLR(o, [20, 30], 0.2), 40)
    assert ours(step, 40) == pytest.approx(theirs)
    assert ours(Optimisation(schedule="constant"), 5) == [1.0] * 5


def test_onecycle_is_torchs_up_to_its_rounding_of_the_phases() -> None:
    # torch's phases are one step shorter than the share of the steps: with many steps that does not show
    settings = Optimisation(schedule="onecycle", ramp=0.3)
    theirs = torch_rates(lambda o: torch.optim.lr_scheduler.OneCycleLR(o, 1.0, total_steps=4000, pct_start=0.3), 4000)
    assert ours(settings, 4000) == pytest.approx(theirs, abs=2e-3)
    assert factor("onecycle", 0.3, settings) == pytest.approx(1)
    assert factor("onecycle", 1.0, settings) == pytest.approx(4e-6)


def test_csg_path_has_its_own_settings() -> None:
    recipe = Recipe(
        "r",
        Network("resnet8"),
        optimisation=Optimisation(lr=0.1, weight_decay=0.01, std_trainable=("layer3", "linear")),
        csg_path=CsgPath(
            csg_lr=0.002, csg_optimizer="adam", csg_weight_decay=0.0, csg_schedule="constant", csg_trainable=("linear",)
        ),
    )
    network = build("resnet8", 3)
    both = path_optimizers(network, recipe, frozenset({"std", "csg"}))
    std, csg = both["std"].optimizer, both["csg"].optimizer
    assert isinstance(std, torch.optim.SGD)
    assert isinstance(csg, torch.optim.Adam)
    assert (std.param_groups[0]["weight_decay"], csg.param_groups[0]["weight_decay"]) == (0.01, 0.0)
    assert both["csg"].set_rate(recipe.optimisation, 0.9) == csg.param_groups[0]["lr"] == 0.002
    assert both["std"].set_rate(recipe.optimisation, 0.25) == std.param_groups[0]["lr"] == pytest.approx(0.1)
    assert len(csg.param_groups[0]["params"]) == 2
    plain = Recipe("r", Network("resnet8"), optimisation=Optimisation(lr=0.1))
    same = path_optimizers(network, plain, frozenset({"csg"}))["csg"]
    assert (same.peak, same.schedule, type(same.optimizer)) == (0.1, "onecycle", torch.optim.SGD)


def test_freezing_follows_the_prefixes_batch_norm_included() -> None:
    network = build("resnet8", 3)
    freeze_others(network, ("layer3", "linear"))
    names = {name for name, parameter in network.named_parameters() if parameter.requires_grad}
    assert names == {n for n, _ in network.named_parameters() if n.startswith(("layer3.", "linear."))}
    assert {p for p in network.parameters() if p.requires_grad} == set(trained(network, ("layer3", "linear")))
    assert not network.get_submodule("bn1").training
    assert network.get_submodule("layer3.0.bn1").training
    freeze_others(network, ())
    assert all(parameter.requires_grad for parameter in network.parameters())
    assert all(module.training for module in network.modules())


def test_a_prefix_is_a_whole_name() -> None:
    with pytest.raises(UsageError, match=r"unknown layer 'layer'; did you mean"):
        trained(build("resnet8", 3), ("layer",))
