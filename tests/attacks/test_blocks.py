"""What foolbox does by itself, and what is made of it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import foolbox
import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from csg_analyze.attacks.blocks import attacked
from csg_analyze.attacks.catalogue import Settings, attack_named
from tests.examples import classified_dataset, small_classifier

CLASSIFIER = small_classifier()
DATA = classified_dataset(CLASSIFIER, 24)
PIXELS = DATA.images[:].float() / 255
TARGETS = (DATA.labels + 1) % 4
SEEDS = list(range(24))
cross_entropy = partial(functional.cross_entropy, reduction="sum")
QUICK = Settings(pgd_steps=6, cw_searches=4, cw_steps=30, cw_stepsize=0.05)


def run(name: str, chosen: slice = slice(None), targets: Tensor | None = TARGETS, eps: float = 8 / 255) -> Tensor:
    return attacked(
        CLASSIFIER.network,
        attack_named(name, QUICK),
        PIXELS[chosen],
        DATA.labels[chosen],
        None if targets is None else targets[chosen],
        eps=eps,
        seeds=SEEDS[chosen],
    )[0]


def scaled(images: Tensor) -> Tensor:
    """Logits on the scale on which the clean image's span 10."""
    clean = CLASSIFIER.network(PIXELS)
    return 10 * CLASSIFIER.network(images) / (clean.max(1).values - clean.min(1).values)[:, None]


def odds_against(logits: Tensor, classes: Tensor) -> Tensor:
    """Of every class; once it is nearly certain, the cross-entropy rounds and its gradient has other signs."""
    rows = [
        torch.cat([row[:own], row[own + 1 :]]).logsumexp(0) - row[own]
        for row, own in zip(logits, classes.tolist(), strict=True)
    ]
    return torch.stack(rows)


def gradient(images: Tensor, classes: Tensor, loss: Callable[[Tensor, Tensor], Tensor] = cross_entropy) -> Tensor:
    leaf = images.clone().requires_grad_()
    return torch.autograd.grad(loss(scaled(leaf), classes).sum(), leaf)[0]


@pytest.mark.parametrize("eps", [0.0, 2 / 255, 0.3])
def test_fgsm_is_one_step_along_the_sign(eps: float) -> None:
    """Goodfellow et al. 2015, written out: towards the target, or away from the label."""
    towards = (PIXELS - eps * gradient(PIXELS, TARGETS).sign()).clamp(0, 1)
    away = (PIXELS + eps * gradient(PIXELS, DATA.labels).sign()).clamp(0, 1)
    torch.testing.assert_close(run("fgsm", eps=eps), towards)
    torch.testing.assert_close(run("fgsm", targets=None, eps=eps), away)


def test_pgd_written_out_from_the_same_starts() -> None:
    """Madry et al. 2018: sign steps of eps/4 from a uniform start of every image's own seed, projected and clipped."""
    eps, adversarial = 8 / 255, run("pgd")
    starts = []
    for seed in SEEDS:
        generator = torch.Generator().manual_seed(seed)
        starts.append(torch.rand(1, 3, 12, 12, generator=generator) * 2 * eps - eps)
    images = (PIXELS + torch.cat(starts)).clamp(0, 1)
    for _ in range(QUICK.pgd_steps):
        images = images - eps / 4 * gradient(images, TARGETS, odds_against).sign()
        images = (PIXELS + (images - PIXELS).clamp(-eps, eps)).clamp(0, 1)
    torch.testing.assert_close(adversarial, images, atol=1e-6, rtol=0)
    assert (adversarial - PIXELS).abs().max() <= eps + 1e-6


class Scaled(nn.Module):
    forward = staticmethod(scaled)


@pytest.mark.parametrize("name", ["fgsm", "pgd"])
def test_bare_foolbox_with_its_own_cross_entropy_is_fooled_as_often(name: str) -> None:
    """On logits of the same scale; only random starts have seeds of their own."""
    model = foolbox.PyTorchModel(Scaled().eval(), bounds=(0, 1), device="cpu")
    for eps in (2 / 255, 8 / 255):
        for targets, criterion in (
            (None, foolbox.criteria.Misclassification(DATA.labels)),
            (TARGETS, foolbox.criteria.TargetedMisclassification(TARGETS)),
        ):
            predictions = CLASSIFIER.network(run(name, targets=targets, eps=eps)).argmax(1)
            _, _, expected = attack_named(name, QUICK).make()(model, PIXELS, criterion, epsilons=eps)
            ours = predictions != DATA.labels if targets is None else predictions == TARGETS
            assert (ours != expected).sum() <= (0 if name == "fgsm" else 1)


def test_cw_gives_foolboxs_own_images() -> None:
    model = foolbox.PyTorchModel(Scaled().eval(), bounds=(0, 1), device="cpu")
    attack = foolbox.attacks.L2CarliniWagnerAttack(4, 30, 0.05, abort_early=False)
    criterion = foolbox.criteria.TargetedMisclassification(TARGETS)
    expected, _, _ = attack(model, PIXELS, criterion, epsilons=None)
    torch.testing.assert_close(run("cw"), expected.clamp(0, 1))


@pytest.mark.parametrize("name", ["fgsm", "pgd", "cw", "foolbox:L2PGD", "foolbox:L2DeepFoolAttack"])
def test_an_image_does_not_notice_which_others_are_attacked(name: str) -> None:
    """In other company, order and number: up to rounding the same, starting points included."""
    whole = run(name)
    torch.testing.assert_close(run(name, slice(5, 16)), whole[5:16], atol=1e-3, rtol=0)
    assert (whole[5:16] - PIXELS[5:16]).abs().max() > 0.005


def test_attacks_that_draw_from_global_generators_are_run_image_by_image() -> None:
    name = "foolbox:LinfAdditiveUniformNoiseAttack"
    torch.manual_seed(5)
    np.random.seed(5)  # noqa: NPY002
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    whole = run(name, targets=None)
    assert torch.equal(run(name, slice(3, 9), targets=None), whole[3:9])
    assert not torch.equal(whole[0] - PIXELS[0], whole[1] - PIXELS[1])
    assert torch.equal(torch.get_rng_state(), torch_state)  # and nobody else's random numbers move
    assert np.array_equal(np.random.get_state()[1], numpy_state)  # noqa: NPY002


def test_the_network_is_left_as_it_was() -> None:
    classifier = small_classifier()
    classifier.network.requires_grad_(True).train()
    seen: list[bool] = []
    handle = classifier.network.register_forward_hook(
        lambda module, *_: seen.append(module.training or any(p.requires_grad for p in module.parameters()))
    )
    attacked(
        classifier.network, attack_named("pgd", QUICK), PIXELS[:4], DATA.labels[:4], None, eps=0.1, seeds=SEEDS[:4]
    )  # fmt: skip
    handle.remove()
    assert seen == [False] * (QUICK.pgd_steps + 1)  # once for the scale of the logits
    assert classifier.network.training
    assert all(parameter.requires_grad and parameter.grad is None for parameter in classifier.network.parameters())
