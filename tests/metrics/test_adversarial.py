from __future__ import annotations

import numpy as np
import torch

from csg_analyze.metrics.adversarial import Differentiable, outcomes, perturbation_sizes

CLEAN = np.full((1, 3, 2, 2), 0.5, np.float32)


def outcome(
    adversarial: float = 0.6,
    logits: tuple[float, ...] = (0, 1, 0),
    before: int = 0,
    label: int = 0,
    target: int = 1,
    moved: bool = True,
) -> str:
    images, asked = np.full_like(CLEAN, adversarial), (np.array([each]) for each in (before, label, target, moved))
    return str(outcomes(CLEAN, images, np.array([logits]), *asked)[0])


def test_only_what_fools_the_network_as_meant_is_a_success() -> None:
    assert outcome() == "success"
    assert outcome(target=-1) == "success"
    assert outcome(logits=(1, 0, 0)) == "not fooled"
    assert outcome(logits=(1, 0, 0), target=-1) == "not fooled"
    assert outcome(logits=(0, 0, 1)) == "not fooled"  # another class, but not the target
    assert outcome(logits=(0, 0, 1), target=-1) == "success"


def test_what_foolbox_would_count_and_we_do_not() -> None:
    assert outcome(adversarial=0.0) == "all black"  # a failed C&W, where black is taken for the target
    assert outcome(adversarial=0.0, target=-1) == "all black"
    nan = float("nan")
    assert outcome(logits=(0, nan, 0)) == "not finite"
    assert outcome(logits=(nan, nan, nan), target=-1) == "not finite"
    assert outcome(logits=(0, float("inf"), 0)) == "not finite"
    assert outcome(adversarial=nan) == "not finite"
    assert outcome(before=1) == "at target"
    assert outcome(before=2, target=-1) == "at target"  # misclassified before anything was done


def test_what_no_step_moved_is_no_proof_of_anything() -> None:
    for target in (1, -1):
        assert outcome(logits=(1, 0, 0), target=target, moved=False) == "not moved"
        assert outcome(target=target, moved=False) == "success"  # its random start fools the network
        assert outcome(adversarial=0.0, target=target, moved=False) == "not moved"  # a C&W without a gradient
        assert outcome(before=2, target=target, moved=False) == "at target"
        assert outcome(logits=(float("nan"), 0, 0), target=target, moved=False) == "not finite"


def test_a_black_image_is_allowed_to_stay_black() -> None:
    zero = np.zeros_like(CLEAN)
    logits, moved = np.array([[0.0, 1.0]]), np.array([True])
    outcome = outcomes(zero, zero, logits, np.array([0]), np.array([0]), np.array([1]), moved)
    assert outcome.tolist() == ["success"]


def test_norms_by_loops() -> None:
    rng = np.random.default_rng(0)
    clean, adversarial = rng.random((2, 5, 3, 4, 4)).astype(np.float32)
    l2, linf = perturbation_sizes(clean, adversarial)
    for i in range(5):
        differences = [float(a) - float(b) for a, b in zip(adversarial[i].ravel(), clean[i].ravel(), strict=True)]
        np.testing.assert_allclose(l2[i], sum(d * d for d in differences) ** 0.5)
        assert linf[i] == max(map(abs, differences))


def test_a_differentiable_detector_is_what_torch_makes_of_it() -> None:
    rng = np.random.default_rng(0)
    first, second = torch.nn.Linear(5, 7).double(), torch.nn.Linear(7, 1).double()
    mean, scale, features = rng.normal(size=5), rng.random(5) + 0.1, rng.normal(size=(9, 5))
    layers = tuple((m.weight.detach().numpy().T, m.bias.detach().numpy()) for m in (first, second))
    logits = Differentiable(mean, scale, layers).logits(features)
    with torch.no_grad():
        expected = second(torch.relu(first(torch.from_numpy((features - mean) / scale))))[:, 0]
    np.testing.assert_allclose(logits, expected.numpy())
