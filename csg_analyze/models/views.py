"""A feature layer as others see it: its output handed out as maps (N, K, h, w), whatever its own layout.

The module itself, its name and its weights stay as they are: a hook on it turns its output into maps, passes these
through a module that does nothing but take hooks, and turns them back. So all that watches, replaces or differentiates
the feature layer works on tokens as on maps.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from csg_analyze.models.layers import Layers
from csg_analyze.models.layouts import Layout
from csg_analyze.models.tensors import first_tensor, with_first


class Maps(nn.Module):
    """Gives its input (N, K, h, w): the place where hooks see, or replace, a feature layer's maps.

    beside: the same for a map (N, K, 1, t) of the tokens that have no position (a class token); it runs first. What
    is multiplied channel by channel is to be multiplied in both, see `channels_of`.
    """

    def __init__(self, with_tokens_beside: bool) -> None:
        super().__init__()
        self.beside = nn.Identity() if with_tokens_beside else None

    def forward(self, maps: Tensor) -> Tensor:
        """The input itself."""
        return maps


class View(nn.Module):
    """The hook on a feature layer. turn: which of its `turns` runs in a pass is handed out."""

    def __init__(self, layout: Layout, turn: int, turns: int) -> None:
        super().__init__()
        self.layout, self.turn, self.turns = layout, turn, turns
        self.maps = Maps(layout.beside > 0)
        self.ran = 0

    @property
    def text(self) -> str:
        """How the output is read, for people."""
        run = f"the last of its {self.turns} runs in a pass" if self.turns > 1 else ""
        return ", ".join(filter(None, (self.layout.text, run)))

    def attach(self, network: nn.Module, name: str) -> None:
        """Hook into the module of that name, for as long as the network lives; copies of the network have their own."""
        network.register_forward_pre_hook(self._begin)
        network.get_submodule(name).register_forward_hook(self._hand_out)

    def _begin(self, _module: nn.Module, _inputs: Any) -> None:
        self.ran = 0  # a pass that ended by an error may have left it anywhere

    def _hand_out(self, _module: nn.Module, _inputs: Any, output: Any) -> Any:
        self.ran += 1
        tensor = first_tensor(output)
        if self.ran != self.turn + 1 or tensor is None:
            return None
        beside = self.layout.tokens_beside(tensor)
        if beside is not None and self.maps.beside is not None:
            beside = self.maps.beside(beside)
        return with_first(output, self.layout.output(self.maps(self.layout.maps(tensor)), beside))


def attached(network: nn.Module, layers: Layers) -> View | None:
    """A view of the feature layer, hooked into the network; None where its output is a map already, once a pass."""
    if layers.plain:
        return None
    view = View(layers.layout, layers.turn, layers.turns)
    view.attach(network, layers.feature_layer)
    return view


def channels_of(layer: nn.Module) -> Sequence[nn.Module]:
    """The layer, and what else holds its channels: whatever is multiplied in the one is multiplied in the other."""
    return (layer.beside, layer) if isinstance(layer, Maps) and layer.beside is not None else (layer,)
