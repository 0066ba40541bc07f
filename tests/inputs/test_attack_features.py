"""Averaged features of attacked images, and attacks on a detector that sees them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from captum.attr import LayerActivation

from csg_analyze.checkpoints import PixelNetwork
from csg_analyze.errors import UsageError
from csg_analyze.inputs.attacked_blocks import BlockAttacks
from csg_analyze.metrics.adversarial import Differentiable
from tests.examples import HALF, small_classifier
from tests.inputs.attacking import CLASSIFIER, DATA, SOURCES, attacks_on, run, same


def test_features_are_captums_and_noise_is_as_large_as_the_perturbation() -> None:
    network_attacks = attacks_on()
    attack_run = run(network_attacks, "pgd", with_features=True)
    assert network_attacks.layers == {"0": 6, "2": 8}
    clean = DATA.images[:60].float() / 255
    expected = [
        LayerActivation(CLASSIFIER.network, CLASSIFIER.layer(name)).attribute(clean).mean((2, 3)) for name in ("0", "2")
    ]
    np.testing.assert_allclose(network_attacks.features(SOURCES), torch.cat(expected, 1).numpy(), rtol=1e-4, atol=1e-5)
    assert attack_run.features.shape == attack_run.noise_features.shape == (60, 14)
    assert not np.allclose(attack_run.features, attack_run.noise_features)


def test_noise_has_the_perturbations_norm_after_clipping() -> None:
    network_attacks = attacks_on()
    seen: list[torch.Tensor] = []
    original = BlockAttacks._noisy

    def spy(self: BlockAttacks, pixels: torch.Tensor, *rest: Any) -> torch.Tensor:
        seen.extend([pixels, original(self, pixels, *rest)])
        return seen[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BlockAttacks, "_noisy", spy)
        attack_run = run(network_attacks, "pgd", eps=40 / 255, with_features=True)
    clean, noisy = torch.cat(seen[::2]), torch.cat(seen[1::2])
    np.testing.assert_allclose((noisy - clean).flatten(1).norm(dim=1).numpy(), attack_run.l2, rtol=1e-3)
    assert noisy.min() >= 0
    assert noisy.max() <= 1


def test_an_attack_on_a_detector_as_well_lowers_its_logit() -> None:
    rng = np.random.default_rng(0)
    detector = Differentiable(np.zeros(14), np.ones(14), ((rng.normal(size=(14, 1)), np.zeros(1)),))
    plain = run(attacks_on(), "pgd", eps=16 / 255, with_features=True)
    adaptive = run(attacks_on(), "pgd", eps=16 / 255, with_features=True, against=detector, weight=5.0)
    both = plain.succeeded & adaptive.succeeded
    assert both.sum() > 30
    assert detector.logits(adaptive.features[both]).mean() < detector.logits(plain.features[both]).mean() - 0.1
    for targeted in (True, False):  # without weight it is the plain attack
        ignored = run(attacks_on(), "pgd", targeted=targeted, with_features=True, against=detector, weight=0.0)
        alone = run(attacks_on(), "pgd", targeted=targeted, with_features=True)
        assert ignored.outcomes.tolist() == alone.outcomes.tolist()
        np.testing.assert_allclose(np.median(ignored.l2), np.median(alone.l2), rtol=0.01)  # up to rounding


def test_the_attack_on_both_does_not_see_how_large_the_logits_are() -> None:
    rng = np.random.default_rng(0)
    detector = Differentiable(np.zeros(14), np.ones(14), ((rng.normal(size=(14, 1)), np.zeros(1)),))
    network = small_classifier().network
    head = network.network[6]
    head.weight.data, head.bias.data = 1024 * head.weight.data, 1024 * head.bias.data
    for targeted in (True, False):
        plain, louder = (
            run(attacks_on(classifier), "pgd", targeted=targeted, with_features=True, against=detector)
            for classifier in (CLASSIFIER, replace(CLASSIFIER, network=network))
        )
        assert same(plain, louder)


def test_a_network_without_convolutions_is_refused_in_words() -> None:
    flat = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 12 * 12, 4))
    network_attacks = replace(attacks_on(), classifier=replace(CLASSIFIER, network=PixelNetwork(flat, HALF).eval()))
    with pytest.raises(UsageError, match="no convolution, which"):
        run(network_attacks, with_features=True)


def test_layers_that_do_not_run_are_left_out() -> None:
    """As auxiliary heads for training alone are."""

    class WithHead(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = small_classifier().network.network
            self.auxiliary = torch.nn.Conv2d(3, 5, 1)

        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            return self.body(pixels)  # type: ignore[no-any-return]

    network_attacks = replace(
        attacks_on(), classifier=replace(CLASSIFIER, network=PixelNetwork(WithHead(), HALF).eval())
    )
    assert network_attacks.layers == {"body.0": 6, "body.2": 8}
