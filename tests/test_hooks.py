from __future__ import annotations

import pytest
import torch
from torch import nn

from csg_analyze.hooks import watched


def test_outputs_are_seen_and_replaced_while_the_context_is_open() -> None:
    network = nn.Sequential(nn.Linear(3, 2), nn.ReLU())
    x = torch.randn(4, 3)
    plain, seen = network(x), list[torch.Tensor]()
    with watched([(network[0], lambda output: -output), (network[1], seen.append)]):
        logits = network(x)
    assert torch.equal(logits, torch.relu(-network[0](x)))
    assert len(seen) == 1
    assert torch.equal(seen[0], logits)
    assert torch.equal(network(x), plain)
    assert len(seen) == 1


def test_hooks_come_off_whatever_happens() -> None:
    network = nn.Sequential(nn.Linear(3, 2), nn.ReLU())

    def fails(_output: torch.Tensor) -> None:
        raise ValueError("in a hook")

    with pytest.raises(ValueError, match="in a hook"), watched((layer, fails) for layer in network):
        network(torch.zeros(1, 3))
    assert not any(layer._forward_hooks for layer in network)

    def half(layers: nn.Sequential) -> object:
        yield layers[0], fails
        raise KeyError("while being put on")

    with pytest.raises(KeyError), watched(half(network)):  # type: ignore[arg-type]
        pass
    assert not any(layer._forward_hooks for layer in network)
