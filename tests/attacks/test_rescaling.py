from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from csg_analyze.attacks.blocks import attacked
from csg_analyze.attacks.catalogue import Attack, Settings, attack_named
from csg_analyze.attacks.rescaling import SPAN, Rescaled, log_odds
from tests.examples import classified_dataset, small_classifier

CLASSIFIER = small_classifier()
DATA = classified_dataset(CLASSIFIER, 40)
PIXELS = DATA.images[:].float() / 255
TARGETS = (DATA.labels + 1) % 4
QUICK = Settings(pgd_steps=6, cw_searches=4, cw_steps=30, cw_stepsize=0.05)


class Times(nn.Module):
    """A network with its head, weight and bias, times a number: the same decisions."""

    def __init__(self, factor: float, network: nn.Module = CLASSIFIER.network) -> None:
        super().__init__()
        self.network, self.factor = network, factor

    def forward(self, images: Tensor) -> Any:
        return self.factor * self.network(images)


class Constant(nn.Module):
    """The same logits whatever the image; with a gradient, which is 0."""

    def forward(self, images: Tensor) -> Tensor:
        return torch.tensor([3.0, 1.0, 0.0, 2.0]) + 0 * images.sum((1, 2, 3))[:, None]


class Saturated(nn.Module):
    """Probabilities of a softmax over huge logits: no loss on them has a gradient."""

    def forward(self, images: Tensor) -> Tensor:
        return torch.softmax(1e6 * CLASSIFIER.network(images), dim=1)


def run(
    network: nn.Module, name: str, eps: float = 2 / 255, targeted: bool = False, n: int = 40
) -> tuple[Tensor, Tensor]:
    targets = TARGETS[:n] if targeted else None
    attack = attack_named(name, QUICK)
    return attacked(network, attack, PIXELS[:n], DATA.labels[:n], targets, eps=eps, seeds=range(n))


@pytest.mark.parametrize("targeted", [False, True])
@pytest.mark.parametrize("name", ["fgsm", "pgd", "cw", "foolbox:L2PGD"])
def test_the_scale_of_the_logits_changes_no_verdict(name: str, targeted: bool) -> None:
    """Times 10, 30, 100, a million, a hundredth; a power of two changes no bit."""
    eps = 0.5 if name == "foolbox:L2PGD" else 6 / 255
    adversarial, moved = run(CLASSIFIER.network, name, eps, targeted)
    plain = CLASSIFIER.network(adversarial).argmax(1)
    assert moved.all()
    assert (plain != DATA.labels).sum() > 5
    for factor in (10, 30, 100, 1e6, 0.01):
        again, moved = run(Times(factor), name, eps, targeted)
        assert moved.all()
        assert torch.equal(CLASSIFIER.network(again).argmax(1), plain)
    again, _ = run(Times(2.0**20), name, eps, targeted)
    assert torch.equal(again, adversarial)


def test_attacks_with_a_loss_of_their_own_do_not_see_it_either() -> None:
    """DDN follows foolbox's cross-entropy; on logits of their own scale a thousandfold head would stop it."""
    adversarial, _ = run(CLASSIFIER.network, "foolbox:DDNAttack", n=2)
    again, moved = run(Times(1024.0), "foolbox:DDNAttack", n=2)
    assert torch.equal(again, adversarial)
    assert moved.all()


@pytest.mark.parametrize("network", [Constant(), Saturated()])
@pytest.mark.parametrize("name", ["fgsm", "pgd", "cw", "foolbox:L2PGD", "foolbox:LinfFastGradientAttack"])
def test_without_a_gradient_no_image_is_moved(network: nn.Module, name: str) -> None:
    _, moved = run(network, name)
    assert not moved.any()


def test_only_images_without_a_gradient_are_not_moved() -> None:
    class Half(nn.Module):
        def forward(self, images: Tensor) -> Any:
            alive = (torch.arange(len(images)) % 2 == 0)[:, None]
            logits = CLASSIFIER.network(images)
            return torch.where(alive, logits, logits.detach())

    for name in ("fgsm", "pgd", "cw"):
        assert run(Half(), name)[1].tolist() == [True, False] * 20


def test_attacks_without_a_gradient_are_judged_by_what_they_return() -> None:
    _, moved = run(CLASSIFIER.network, "foolbox:LinfAdditiveUniformNoiseAttack")
    assert moved.all()
    adversarial, moved = run(CLASSIFIER.network, "foolbox:LinfAdditiveUniformNoiseAttack", eps=0.0)
    assert torch.equal(adversarial, PIXELS)
    assert not moved.any()


def test_an_attack_that_finds_no_image_to_start_from_has_moved_none() -> None:
    class Hopeless:
        def run(self, *_: Any, **__: Any) -> Tensor:
            raise ValueError("init_attack failed for 1 of 1 inputs")

    attack = Attack("hopeless", Hopeless, bounded=False, together=False)
    adversarial, moved = attacked(CLASSIFIER.network, attack, PIXELS, DATA.labels, None, eps=0, seeds=range(40))
    assert torch.equal(adversarial, PIXELS)
    assert not moved.any()


@given(st.integers(2, 7), st.integers(0, 999), st.floats(0.1, 2))
def test_log_odds_by_cross_entropy(n_classes: int, seed: int, size: float) -> None:
    """log((1 - p) / p), and the gradient of the cross-entropy over 1 - p."""
    generator = torch.Generator().manual_seed(seed)
    logits = (size * torch.randn(5, n_classes, generator=generator, dtype=torch.float64)).requires_grad_()
    classes = torch.randint(n_classes, (5,), generator=generator)
    p = logits.softmax(1)[torch.arange(5), classes]
    torch.testing.assert_close(log_odds(logits, classes), torch.log((1 - p) / p), rtol=1e-6, atol=1e-6)
    (ours,) = torch.autograd.grad(log_odds(logits, classes).sum(), logits)
    (theirs,) = torch.autograd.grad(nn.functional.cross_entropy(logits, classes, reduction="sum"), logits)
    torch.testing.assert_close((1 - p.detach())[:, None] * ours, theirs, rtol=1e-6, atol=1e-9)


def test_where_cross_entropy_has_lost_its_gradient_the_log_odds_have_theirs() -> None:
    logits = torch.tensor([[200.0, 0.0, 1.0]], requires_grad=True)
    (lost,) = torch.autograd.grad(nn.functional.cross_entropy(logits, torch.tensor([0])), logits)
    (kept,) = torch.autograd.grad(log_odds(logits, torch.tensor([0])).sum(), logits)
    assert not lost.any()
    torch.testing.assert_close(kept, torch.tensor([[-1.0, 0.2689, 0.7311]]), atol=1e-4, rtol=0)


def test_clean_logits_span_the_same_for_every_image() -> None:
    logits = Rescaled(CLASSIFIER.network, PIXELS)(PIXELS)
    torch.testing.assert_close(logits.amax(1) - logits.amin(1), torch.full((40,), SPAN))
    one = Rescaled(CLASSIFIER.network, PIXELS[:1])(PIXELS[:3])  # many images made of one
    torch.testing.assert_close(one[0], logits[0])
    assert torch.equal(Rescaled(Times(0.0), PIXELS)(PIXELS), torch.zeros(40, 4))
