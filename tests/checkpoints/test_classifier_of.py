from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from csg_analyze.checkpoints import classifier_of, load_classifier, save_checkpoint
from csg_analyze.checkpoints.classifier import Preprocessing
from csg_analyze.checkpoints.description import describe
from csg_analyze.errors import UsageError
from csg_analyze.models import build

MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)


class Net(nn.Module):
    """Two convolutions; takes 12x12 only, and images of one size."""

    def __init__(self, activation: Any = torch.relu) -> None:
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 6, 3), nn.Conv2d(6, 8, 3)
        self.norm = nn.BatchNorm2d(6)
        self.head = nn.Linear(8, 4)
        self.activation = activation

    def forward(self, x: Tensor) -> Tensor:
        x = self.activation(self.norm(self.a(x)))
        return self.head(self.activation(self.b(x)).mean((2, 3)))


class Flat(nn.Sequential):
    """Takes images of one size only."""

    def __init__(self, side: int) -> None:
        super().__init__(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(4 * side * side, 3))


def net(**how: Any) -> Net:
    torch.manual_seed(0)
    return Net(**how)


def test_a_module_in_hand_is_a_classifier() -> None:
    module = net().eval()
    classifier = classifier_of(module, mean=MEAN, std=STD, class_names="abcd", name="mine", size=20)
    pixels = torch.rand(3, 3, 20, 20)
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (MEAN, STD))
    assert torch.allclose(classifier.network(pixels), module((pixels - mean) / std), atol=1e-6)
    assert (classifier.name, classifier.path, classifier.source) == ("mine", None, "mine (in memory)")
    assert (classifier.architecture, classifier.n_classes, classifier.n_filters) == ("Net", 4, 8)
    assert (classifier.feature_layer, classifier.head, classifier.training) == ("b", "head", None)
    assert classifier.preprocessing == Preprocessing(MEAN, STD, 20, None, "given")
    assert classifier.class_names == ("a", "b", "c", "d")
    assert "mine (in memory)" in describe(classifier)


def test_without_mean_and_std_pixels_are_not_normalised() -> None:
    module = net().eval()
    classifier = classifier_of(module)
    assert classifier.preprocessing.origin == "pixels in [0, 1], not normalised"
    assert classifier.preprocessing.size is None
    pixels = torch.rand(3, 3, 20, 24)
    assert torch.allclose(classifier.network(pixels), module(pixels), atol=1e-6)


def test_layer_and_gate_may_be_given() -> None:
    gate = np.random.default_rng(0).random((4, 6))
    classifier = classifier_of(net(), layer="a", gate=gate)
    assert (classifier.feature_layer, classifier.n_filters, classifier.training) == ("a", 6, "CSG")
    np.testing.assert_array_equal(classifier.gate, gate)
    assert classifier_of(net(), gate=torch.rand(4, 8)).gate.shape == (4, 8)


@pytest.mark.parametrize("training", [True, False])
def test_the_users_module_is_left_as_it_was(training: bool) -> None:
    module = net().train(training).double()
    module.norm.eval()
    module.b.weight.requires_grad_(False)
    module.a.register_forward_hook(lambda *_: None)
    module(torch.rand(2, 3, 12, 12, dtype=torch.float64)).sum().backward()
    before, gradients = copy.deepcopy(module), [p.grad for p in module.parameters()]
    strides = [p.stride() for p in module.parameters()]
    classifier = classifier_of(module)
    assert classifier.notes == ("weights in float64 were cast to float32",)
    with torch.no_grad():
        for parameter in classifier.network.parameters():
            parameter.zero_()
    assert [m.training for m in module.modules()] == [m.training for m in before.modules()]
    assert [len(m._forward_hooks) for m in module.modules()] == [len(m._forward_hooks) for m in before.modules()]
    assert [p.stride() for p in module.parameters()] == strides
    for now, then in zip(module.parameters(), before.parameters(), strict=True):
        assert torch.equal(now, then)
        assert now.requires_grad == then.requires_grad
    assert all(p.grad is gradient for p, gradient in zip(module.parameters(), gradients, strict=True))
    assert all(torch.equal(a, b) for a, b in zip(module.buffers(), before.buffers(), strict=True))


def test_sha256_is_of_names_types_shapes_and_bytes() -> None:
    module = net()
    one = classifier_of(module).sha256
    assert classifier_of(copy.deepcopy(module).eval()).sha256 == one
    others = [copy.deepcopy(module) for _ in range(2)]
    with torch.no_grad():
        others[0].head.bias[1] += 1e-3
    others[1].double()
    assert len({one, *(classifier_of(other).sha256 for other in others)}) == 3


def test_networks_of_the_same_weights_and_another_function_are_told_apart() -> None:
    """The cache must not give the numbers of one to the other."""
    relu, gelu = classifier_of(net()), classifier_of(net(activation=nn.functional.gelu))
    assert relu.sha256 == gelu.sha256
    assert relu.code != gelu.code
    assert relu.code == classifier_of(net()).code
    assert relu.identity[:2] == ("Net", relu.code)


@pytest.mark.parametrize("side", [32, 28])
def test_the_only_size_of_a_network_is_found(side: int) -> None:
    classifier = classifier_of(Flat(side))
    assert classifier.preprocessing.size == side
    assert f"size {side} found by trying" in classifier.preprocessing.origin
    assert classifier_of(Flat(20), size=20).preprocessing.size == 20


@pytest.mark.parametrize(
    "wrap", [nn.DataParallel, lambda m: torch.compile(m), lambda m: nn.DataParallel(torch.compile(m))]
)
def test_wrappers_that_hide_a_network_are_taken_off(wrap: Any) -> None:
    module = net()
    classifier = classifier_of(wrap(module))
    assert (classifier.architecture, classifier.feature_layer) == ("Net", "b")
    assert classifier.sha256 == classifier_of(module).sha256


class Uncopyable(Net):
    def __deepcopy__(self, memo: object) -> Any:
        raise RuntimeError("no")


def broken() -> Net:
    module = net()
    module.head.bias.data[0] = float("nan")
    return module


@pytest.mark.parametrize(
    ("module", "how", "words"),
    [
        ("resnet18", {}, "takes a torch.nn.Module, not str"),
        (net(), {"mean": MEAN}, "mean and std together"),
        (net(), {"mean": MEAN, "std": (0, 1, 1)}, "above 0"),
        (net(), {"class_names": "abc"}, "3 class names"),
        (net(), {"layer": "c"}, "unknown layer 'c'"),
        (net(), {"layer": "head"}, "model \\(in memory\\).*has no filters"),
        (net(), {"gate": np.ones((4, 5))}, r"gate has shape \(4, 5\)"),
        (net(), {"gate": np.full((4, 8), 2.0)}, r"values in \[0, 1\]"),
        (net(), {"size": 3}, "does not take 3x3 images"),
        (Flat(21), {}, "does not take 224x224 images.*size="),
        (nn.Sequential(nn.Conv2d(3, 4, 3)), {}, r"gives shape \(2, 4, 222, 222\).*logits \(N, C\)"),
        (nn.Sequential(nn.Flatten(), nn.Linear(48, 2)), {"size": 4}, "no layer that gives maps"),
        (broken(), {}, "NaN or infinite weights in 1 tensors"),
        (Uncopyable(), {}, "Uncopyable cannot be copied"),
        (torch.jit.trace(net().eval(), torch.rand(1, 3, 12, 12)), {}, "TorchScript"),
    ],
)  # fmt: skip
def test_what_cannot_be_analysed_is_said_in_one_sentence(module: Any, how: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        classifier_of(module, **how)
    assert "\n" not in str(caught.value)


def test_it_is_the_classifier_of_a_file(tmp_path: Any) -> None:
    torch.manual_seed(0)
    network = build("resnet8", 4)
    save_checkpoint(
        tmp_path / "m.pt", network, architecture="resnet8", class_names="abcd", data="scenes", training="STD",
        preprocessing=Preprocessing(MEAN, STD, size=32), feature_layer="layer3",
    )  # fmt: skip
    file, hand = load_classifier(tmp_path / "m.pt"), classifier_of(network, mean=MEAN, std=STD, size=32)
    pixels = torch.rand(5, 3, 32, 32)
    assert torch.equal(file.network(pixels), hand.network(pixels))
    assert (file.feature_layer, file.head, file.n_filters) == (hand.feature_layer, hand.head, hand.n_filters)
