from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from csg_analyze.errors import UsageError
from csg_analyze.models import build
from training.gate import project_
from training.recipes import Recipe, changed
from training.strategies import ClassSpecific, Standard, class_specific, find_feature_layer

PROBE = torch.full((1, 3, 16, 16), 0.5)
IMAGES = torch.rand(6, 3, 16, 16, generator=torch.Generator().manual_seed(0))
LABELS = torch.tensor([0, 1, 2, 2, 1, 0])
NO_SCALING = torch.amp.GradScaler("cpu", enabled=False)


def network() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return build("resnet8", 3).eval()


def strategy(recipe: Recipe, net: nn.Module) -> ClassSpecific:
    return class_specific(recipe, find_feature_layer(net, "layer3", PROBE), torch.full((3, 64), 0.5))


def logits_with(net: nn.Module, gate: torch.Tensor) -> torch.Tensor:
    """The gated path of the ResNet-8, written out."""
    features = torch.relu(net.bn1(net.conv1(IMAGES)))  # type: ignore[operator]
    for name in ("layer1", "layer2", "layer3"):
        features = net.get_submodule(name)(features)
    pooled = torch.stack([features[i] * gate[LABELS[i]][:, None, None] for i in range(6)]).mean((2, 3))
    return net.get_submodule("linear")(pooled)  # type: ignore[no-any-return]


def test_losses_of_the_three_paths(recipe: Recipe) -> None:
    recipe = changed(recipe, lambda1=3.0, lambda2=0.25)
    net = network()
    csg = strategy(recipe, net)
    ce_std, ce_gated = F.cross_entropy(net(IMAGES), LABELS), F.cross_entropy(logits_with(net, csg.gate), LABELS)
    excess = 0.5 * 3 * 64 - 64
    for path, expected in (
        ("std", ce_std),
        ("csg", 3 * ce_gated + 0.25 * excess),
        ("joint", ce_std + 3 * ce_gated + 0.25 * excess),
    ):
        loss, logits = csg.loss(path, net, IMAGES, LABELS)  # type: ignore[arg-type]
        torch.testing.assert_close(loss, expected)
        torch.testing.assert_close(logits, logits_with(net, csg.gate) if path == "csg" else net(IMAGES))
    torch.testing.assert_close(Standard().loss("std", net, IMAGES, LABELS)[0], ce_std)


def test_gate_takes_a_gradient_step_and_is_projected(recipe: Recipe) -> None:
    net = network()
    csg = strategy(changed(recipe, gate_rate=0.3), net)
    before = csg.gate.detach().clone()
    loss, _ = csg.loss("joint", net, IMAGES, LABELS)
    (gradient,) = torch.autograd.grad(loss, csg.gate, retain_graph=True)
    torch.autograd.backward(loss)
    csg.after_step("joint", NO_SCALING)
    torch.testing.assert_close(csg.gate.detach(), project_(before - 0.3 * gradient))
    assert not torch.equal(csg.gate.detach(), before)


def test_std_steps_leave_the_gate(recipe: Recipe) -> None:
    net = network()
    csg = strategy(recipe, net)
    loss, _ = csg.loss("std", net, IMAGES, LABELS)
    torch.autograd.backward(loss)
    csg.after_step("std", NO_SCALING)
    assert (csg.gate == 0.5).all()


def test_fixed_gate_has_no_penalty_and_never_moves(recipe: Recipe) -> None:
    net = network()
    csg = strategy(changed(recipe, fixed_gate=(21, 1)), net)
    loss, _ = csg.loss("joint", net, IMAGES, LABELS)
    torch.testing.assert_close(
        loss, F.cross_entropy(net(IMAGES), LABELS) + F.cross_entropy(logits_with(net, csg.gate), LABELS)
    )
    before = csg.gate.clone()
    torch.autograd.backward(loss)
    csg.after_step("joint", NO_SCALING)
    assert torch.equal(csg.gate, before)


def test_epochs_take_turns_as_the_authors(recipe: Recipe) -> None:
    authors = strategy(changed(recipe, scheme="alternate", warmup_epochs=10, epochs=30), network())
    for epoch in range(30):
        assert authors.path(epoch) == ("csg" if epoch >= 10 and epoch % 3 >= 2 else "std")
    first = strategy(changed(recipe, scheme="alternate", period=4, csg_epochs=2, csg_turn="first", epochs=6), network())
    assert [first.path(epoch) for epoch in range(6)] == ["csg", "csg", "std", "std", "csg", "csg"]
    joint = strategy(changed(recipe, scheme="joint", warmup_epochs=1), network())
    assert [joint.path(epoch) for epoch in range(3)] == ["std", "joint", "joint"]


def test_a_training_without_a_csg_epoch_is_refused(recipe: Recipe) -> None:
    with pytest.raises(UsageError, match="none of the 3 epochs takes the CSG path"):
        strategy(changed(recipe, scheme="alternate", warmup_epochs=3), network())


def test_gate_of_a_checkpoint_is_gone_on_with(recipe: Recipe) -> None:
    start = torch.rand(3, 64)
    csg = class_specific(recipe, find_feature_layer(network(), "layer3", PROBE), start)
    assert torch.equal(csg.gate.detach(), start)
    assert csg.gate.data_ptr() != start.data_ptr()


def test_batch_norm_behind_the_gate_forbids_joint_passes(recipe: Recipe) -> None:
    tail = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 3))
    first, second = find_feature_layer(tail, "0", PROBE), find_feature_layer(tail, "1", PROBE)
    assert (first.n_filters, first.norms_behind) == (8, ("1",))
    assert (second.n_filters, second.norms_behind) == (8, ())
    with pytest.raises(UsageError, match=r"--scheme joint .* batch norm '1'"):
        class_specific(recipe, first, torch.ones(3, 8))
    class_specific(changed(recipe, scheme="alternate"), first, torch.ones(3, 8))
    class_specific(recipe, second, torch.ones(3, 8))
    with pytest.raises(UsageError, match="layer '4' gives no"):
        find_feature_layer(tail, "4", PROBE)
    with pytest.raises(UsageError, match="unknown layer 'O'"):
        find_feature_layer(tail, "O", PROBE)
