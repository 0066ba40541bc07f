from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from torch import Tensor, nn

from csg_analyze.errors import UsageError
from csg_analyze.models import build
from training.gate import fixed_gate, gated, l1_density, penalty, project_

gates = arrays("float32", array_shapes(min_dims=2, max_dims=2, max_side=6), elements=st.floats(-2, 2, width=32)).map(
    torch.from_numpy
)


@given(gates)
def test_projection_equals_loops(gate: Tensor) -> None:
    expected = gate.clone()
    for k in range(gate.shape[1]):
        column = gate[:, k].tolist()
        top = max(column)
        for c, value in enumerate(column):
            if top > 0:
                expected[c, k] = min(max((torch.tensor(value) / torch.tensor(top)).item(), 0.0), 1.0)
            else:
                expected[c, k] = 1.0 if c == column.index(top) else 0.0
    torch.testing.assert_close(project_(gate.clone()), expected, rtol=1e-6, atol=0)


@given(gates)
def test_projection_lands_in_the_feasible_set_and_stays(gate: Tensor) -> None:
    projected = project_(gate.clone())
    assert ((projected >= 0) & (projected <= 1)).all()
    assert (projected.amax(0) == 1).all()
    assert torch.equal(project_(projected.clone()), projected)


@given(gates, st.floats(0, 10), st.sampled_from(["l1", "l2", "smooth-l1"]))
def test_penalty_equals_the_definition(gate: Tensor, bound: float, psi: str) -> None:
    gate = gate.double()
    excess = max(sum(abs(value) for row in gate.tolist() for value in row) - bound, 0.0)
    expected = {
        "l1": excess,
        "l2": excess**2,
        "smooth-l1": excess**2 / 2 if excess < 1 else excess - 0.5,
    }[psi]
    assert float(penalty(gate, bound, psi)) == pytest.approx(expected, abs=1e-9)  # type: ignore[arg-type]


def test_density_is_the_mean_gate() -> None:
    assert float(l1_density(torch.tensor([[1.0, 0.5, 0.0], [0.0, 1.0, 1.0]]))) == pytest.approx(3.5 / 6)


@given(st.integers(2, 5), st.integers(1, 4), st.integers(0, 4))
def test_fixed_gate_gives_every_class_its_filters(n_classes: int, owned: int, shared: int) -> None:
    n_filters = n_classes * owned + shared
    gate = fixed_gate(n_classes, n_filters, owned, shared)
    for c in range(n_classes):
        for k in range(n_filters):
            belongs = c * owned <= k < (c + 1) * owned or k >= n_classes * owned
            assert gate[c, k] == float(belongs)


def test_fixed_gate_says_what_would_fit() -> None:
    with pytest.raises(UsageError, match=r"has 64; 6,4 fits"):
        fixed_gate(10, 64, 7, 4)
    with pytest.raises(UsageError, match="more classes than filters"):
        fixed_gate(10, 8, 1, 0)


@pytest.fixture
def network() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return build("resnet8", 4).double().eval()  # eval: two passes must not move batch norm in between


@pytest.fixture
def batch() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(5)
    return torch.randn(6, 3, 16, 16, generator=generator, dtype=torch.double), torch.tensor([0, 1, 2, 3, 1, 1])


def test_one_pass_for_both_paths_equals_two(network: nn.Module, batch: tuple[Tensor, Tensor]) -> None:
    images, labels = batch
    layer = network.get_submodule("layer3")
    gate = torch.rand(4, 64, generator=torch.Generator().manual_seed(1), dtype=torch.double).requires_grad_()
    wanted = [gate, *network.parameters()]

    with gated(layer, gate, labels, beside_plain=True):
        plain, blocked = network(images).chunk(2)
    together = torch.autograd.grad((plain.square() + 3 * blocked.cos()).sum(), wanted)

    plain_alone = network(images)
    trunk = nn.Sequential(network.conv1, network.bn1, nn.ReLU(), network.layer1, network.layer2, layer)  # type: ignore[arg-type]
    features = trunk(images)
    rows = torch.stack([gate[label] for label in labels.tolist()])
    blocked_alone = network.get_submodule("linear")((features * rows[:, :, None, None]).mean((2, 3)))
    apart = torch.autograd.grad((plain_alone.square() + 3 * blocked_alone.cos()).sum(), wanted)

    torch.testing.assert_close(plain, plain_alone)
    torch.testing.assert_close(blocked, blocked_alone)
    for one, other in zip(together, apart, strict=True):
        torch.testing.assert_close(one, other)


def test_gated_path_alone_is_the_gated_half(network: nn.Module, batch: tuple[Tensor, Tensor]) -> None:
    images, labels = batch
    gate = torch.rand(4, 64, dtype=torch.double, generator=torch.Generator().manual_seed(1))
    layer = network.get_submodule("layer3")
    with gated(layer, gate, labels, beside_plain=True):
        both = network(images)
    with gated(layer, gate, labels, beside_plain=False):
        alone = network(images)
    torch.testing.assert_close(alone, both[6:])


def test_hook_comes_off_after_an_error(network: nn.Module) -> None:
    layer = network.get_submodule("layer3")
    with pytest.raises(RuntimeError), gated(layer, torch.ones(4, 64), torch.tensor([0]), beside_plain=False):
        network(torch.zeros(1, 5, 5, dtype=torch.double))
    assert not layer._forward_hooks


@pytest.mark.parametrize("beside_plain", [True, False])
def test_detached_gated_path_trains_gate_and_head_alone(
    network: nn.Module, batch: tuple[Tensor, Tensor], beside_plain: bool
) -> None:
    images, labels = batch
    layer, head = network.get_submodule("layer3"), network.get_submodule("linear")
    gate = torch.rand(4, 64, generator=torch.Generator().manual_seed(1), dtype=torch.double).requires_grad_()

    def gradients(detached: bool, wanted: list[Tensor]) -> tuple[Tensor | None, ...]:
        with gated(layer, gate, labels, beside_plain=beside_plain, detached=detached):
            blocked = network(images)[-len(labels) :]
        return torch.autograd.grad(blocked.cos().sum(), wanted, allow_unused=True)

    behind = [gate, *head.parameters()]
    for one, other in zip(gradients(True, behind), gradients(False, behind), strict=True):
        torch.testing.assert_close(one, other)
    trunk = [value for name, value in network.named_parameters() if not name.startswith("linear.")]
    for one, other in zip(gradients(True, trunk), gradients(False, trunk), strict=True):
        assert one is None or not one.any()
        assert other is not None
        assert other.any()
