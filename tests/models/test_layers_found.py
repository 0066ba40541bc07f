"""Feature layer and head of one small network of each kind, and what is said of them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from csg_analyze.errors import UsageError
from csg_analyze.models import examine
from tests.models import examples
from tests.models.examples import SIZE, seeded


@pytest.mark.parametrize(
    ("make", "layer", "head", "form", "kind", "words"),
    [
        (examples.mean, "body", "fc", "maps", "mean", "the mean of each filter's map is the head's input (checked"),
        (examples.rectified, "body", "fc", "maps", "rectified mean", "the mean of the positive part (ReLU) of each"),
        (examples.maximum, "body", "fc", "maps", "maximum", "the maximum of each filter's map is the head's input"),
        (examples.power, "body", "fc", "maps", "other", "another function of the maps, computed outside of any module"),
        (
            examples.norm_behind_pooling, "0", "1.4", "maps", "mean",
            "goes through 1 layer (1.2 (LayerNorm)) to the head (checked",
        ),
        (
            examples.flattened, "0", "2.3", "maps", "flattened",
            "the values of all maps, position by position, go through 2 layers (2.0 (Linear), 2.1 (ReLU)) to the head",
        ),
        (examples.convolutional_head, "0", "1.1", "maps", "each position", "a convolution that reads the maps at"),
        (examples.Decoy, "body", "fc", "maps", "mean", "is the head's input"),
        (examples.SharedInStages, "two", "fc", "maps", "mean", "is the head's input"),
        (examples.Shared, "act", "fc", "maps", "mean", "is the head's input"),
        (examples.InATuple, "body", "fc", "maps", "mean", "is the head's input"),
        (examples.ChannelsLast, "norm", "fc", "channels last", "mean", "is the head's input"),
        (examples.Mixer, "norm", "fc", "tokens", "mean", "is the head's input"),
        (examples.swin, "permute", "head", "maps", "mean", "is the head's input"),
        (
            examples.vit, "encoder.layers.encoder_layer_1.ln_1", "heads.head", "tokens", "class token",
            "the head reads the class token of 'encoder'; the feature layer is the last one whose maps reach",
        ),
    ],
)  # fmt: skip
def test_layers_and_what_the_head_reads(
    make: Callable[[], nn.Module], layer: str, head: str, form: str, kind: str, words: str
) -> None:
    network = seeded(make).train()
    trained = [parameter.requires_grad for parameter in network.parameters()]
    found = examine(network, SIZE, SIZE)
    assert (found.feature_layer, found.head) == (layer, head)
    assert (found.layout.form, found.head_input.kind) == (form, kind)
    assert words in found.head_input.sentence
    assert found.head_input.whole
    assert "not the output" not in found.head_input.sentence
    difference = found.head_input.difference
    assert difference is None or difference < 1e-5
    assert network.training
    assert [parameter.requires_grad for parameter in network.parameters()] == trained
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in network.modules())


def test_the_run_of_a_shared_module_is_named() -> None:
    found = examine(seeded(examples.Shared), SIZE, SIZE)
    assert (found.turn, found.turns, found.plain) == (1, 2, False)
    assert examine(seeded(examples.SharedInStages), SIZE, SIZE).plain


def test_tokens_are_positions_and_the_class_token_is_set_apart() -> None:
    layout = examine(seeded(examples.vit), SIZE, SIZE).layout
    assert (layout.n_filters, layout.grid, layout.beside) == (12, (4, 4), 1)
    tokens = torch.rand(2, 17, 12)
    maps = layout.maps(tokens)
    assert torch.equal(maps[1, 5, 2, 3], tokens[1, 1 + 2 * 4 + 3, 5])
    assert torch.equal(layout.output(maps, layout.tokens_beside(tokens)), tokens)
    with pytest.raises(UsageError, match="7 tokens, which make no square"):
        layout.maps(torch.rand(2, 8, 12))


def test_logits_that_no_layer_gives_are_said_to_be_so() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body, self.a, self.b = nn.Sequential(*examples.stem()), nn.Linear(8, 4), nn.Linear(8, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            pooled = self.body(x).mean((2, 3))
            return (self.a(pooled) + self.b(pooled)) / 2

    found = examine(seeded(Twice), SIZE, SIZE)
    assert (found.feature_layer, found.head, found.head_input.whole) == ("body", "b", False)
    assert found.head_input.sentence.endswith("the logits are not the output of the head alone")


def test_a_head_of_zeros_is_found_and_its_input_is_checked() -> None:
    network = seeded(examples.mean)
    nn.init.zeros_(network.fc.weight)
    nn.init.zeros_(network.fc.bias)
    found = examine(network, SIZE, SIZE)
    assert (found.head, found.head_input.kind, found.head_input.whole) == ("fc", "mean", True)


def test_features_that_do_not_change_are_said_to_be_unchecked() -> None:
    network = seeded(examples.mean)
    nn.init.zeros_(network.body[2].weight)
    found = examine(network, SIZE, SIZE)
    assert (found.feature_layer, found.head_input.kind) == ("body", "unchecked")
    assert "the same for all noise images" in found.head_input.sentence


@pytest.mark.parametrize(
    ("layer", "words"),
    [("heads.head", "has no filters .* for example encoder"), ("encoder.layer", "unknown layer 'encoder.layer'")],
)
def test_a_layer_without_positions_is_refused(layer: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        examine(seeded(examples.vit), SIZE, SIZE, layer=layer)
    assert examine(seeded(examples.vit), SIZE, SIZE, layer="encoder").layout.beside == 1
