"""Class-specific training of a network whose filters are channels of tokens."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from csg_analyze.errors import UsageError
from tests.models.examples import SIZE, seeded, vit
from training.recipes import Recipe, changed
from training.strategies import class_specific, find_feature_layer

NAME = "encoder.layers.encoder_layer_1.ln_1"
PROBE = torch.full((1, 3, SIZE, SIZE), 0.5)
IMAGES = torch.rand(6, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
LABELS = torch.tensor([0, 1, 2, 3, 1, 0])


def test_the_gate_multiplies_the_channels_of_all_tokens(recipe: Recipe) -> None:
    network = seeded(vit)
    layer = find_feature_layer(network, NAME, PROBE)
    assert (layer.n_filters, layer.bypassed) == (12, True)
    strategy = class_specific(changed(recipe, scheme="alternate"), layer, torch.rand(4, 12))
    _, logits = strategy.loss("csg", network, IMAGES, LABELS)

    def multiply(_module: nn.Module, _inputs: object, tokens: Tensor) -> Tensor:
        return tokens * strategy.gate[LABELS][:, None]

    plain = seeded(vit)
    plain.get_submodule(NAME).register_forward_hook(multiply)
    assert torch.allclose(logits, plain(IMAGES), atol=1e-6)
    assert not torch.allclose(logits, network(IMAGES), atol=1e-3)
    assert list(network.state_dict()) == list(plain.state_dict())


def test_the_joint_scheme_needs_a_layer_that_nothing_goes_around(recipe: Recipe) -> None:
    layer = find_feature_layer(seeded(vit), NAME, PROBE)
    with pytest.raises(UsageError, match="a connection goes around it; take --scheme alternate"):
        class_specific(changed(recipe, scheme="joint"), layer, torch.rand(4, 12))
