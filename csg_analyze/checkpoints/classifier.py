"""A trained network, from pixels to logits, with all that is recorded of it."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor, nn

from csg_analyze.errors import NoConvolution, NotAvailable, unknown
from csg_analyze.metrics.arrays import FloatArray
from csg_analyze.models.heads import HeadInput
from csg_analyze.models.tracing import is_convolution
from csg_analyze.models.views import View

ChannelOrder: TypeAlias = Literal["rgb", "bgr"]


@dataclass(frozen=True)
class Preprocessing:
    """How images are prepared for a network.

    size: images are centre-cropped to size x size pixels after their shorter side was resized to `resize`
    (both None: images stay as they are). mean, std: in the order red, green, blue, for pixels in [0, 1], whatever range
    and order the network was trained with. channels: the order in which it takes the normalised channels. origin: where
    these values come from, in one phrase; origins: the same for each part (mean, std, size, channels), if known.
    """

    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    size: int | None = None
    resize: int | None = None
    origin: str = "given"
    channels: ChannelOrder = "rgb"
    origins: Mapping[str, str] = field(default_factory=dict, compare=False)

    @property
    def key(self) -> dict[str, Any]:
        """All that changes a number, for cache keys and records; the usual order of channels is not named."""
        key: dict[str, Any] = {"mean": self.mean, "std": self.std, "size": self.size, "resize": self.resize}
        return key if self.channels == "rgb" else {**key, "channels": self.channels}


class PixelNetwork(nn.Module):
    """A network with its preprocessing inside: RGB pixels in [0, 1] go in everywhere, attacks included.

    views: of layers whose output is no map (N, K, h, w) by itself, see `models.views`.
    """

    mean: Tensor
    std: Tensor
    outputs: Tensor | None

    def __init__(self, network: nn.Module, preprocessing: Preprocessing) -> None:
        super().__init__()
        self.network = network
        self.channels = preprocessing.channels
        self.views = nn.ModuleDict()
        self.register_buffer("mean", torch.tensor(preprocessing.mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(preprocessing.std).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("outputs", None, persistent=False)

    def forward(self, pixels: Tensor) -> Tensor:
        """Float RGB pixels (N, 3, H, W) in [0, 1] -> logits (N, C), of the chosen outputs if some were chosen."""
        normalised = (pixels - self.mean) / self.std
        logits: Tensor = self.network(normalised.flip(1) if self.channels == "bgr" else normalised)
        return logits if self.outputs is None else logits.index_select(1, self.outputs)

    def choosing(self, outputs: Sequence[int]) -> PixelNetwork:
        """The same network, not a copy, whose logits are only those of some outputs, in this order."""
        chosen = copy.copy(self)
        chosen._buffers = dict(self._buffers)  # the copy would share the table of buffers
        places = torch.tensor(outputs, device=self.mean.device)
        chosen.outputs = places if self.outputs is None else self.outputs[places]
        return chosen

    def view(self, layer: str) -> View | None:
        """The view of that layer, if it has one."""
        if _key(layer) not in self.views:
            return None
        view = self.views[_key(layer)]
        assert isinstance(view, View)
        return view

    def add_view(self, layer: str, view: View) -> None:
        """Keep the view of a layer, which is hooked into the network already."""
        self.views[_key(layer)] = view


def _key(layer: str) -> str:
    # names in a ModuleDict have no dots, and are no methods of its own
    return "of " + layer.replace(".", "/")


@dataclass(frozen=True)
class Classifier:
    """A network in eval mode, with what its file records about it.

    name: in tables and figures. path: of its file; None for a network in hand. sha256: of the file, or of the weights
    in hand. feature_layer, head: names of modules inside `network.network`. n_classes, n_filters: C (of the chosen
    outputs, if `network.outputs` chooses some) and K (of the feature layer). gate: (C, K) in [0, 1], or None.
    class_names: None if not recorded. training: "STD", "CSG" or None. data: the data spec it was trained on. record:
    other recorded values (recipe, seed, epoch, metrics, versions). notes: remarks for a report. code: a fingerprint of
    how a network computes that neither this project nor torchvision builds; else None. head_input: what the head reads
    of the feature layer, where it was traced. no_layer: why the network has no feature layer to look at (both names are
    empty then, and K is 0); else empty.
    """

    name: str
    path: Path | None
    sha256: str
    architecture: str
    network: PixelNetwork
    preprocessing: Preprocessing
    feature_layer: str
    head: str
    n_classes: int
    n_filters: int
    class_names: tuple[str, ...] | None = None
    gate: FloatArray | None = None
    training: str | None = None
    data: str | None = None
    record: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    code: str | None = None
    head_input: HeadInput | None = None
    no_layer: str = ""

    def __repr__(self) -> str:
        classes = f"{self.n_classes} classes, {self.n_filters} filters of {self.feature_layer!r:.60}"
        training = "".join(f", {part}" for part in (self.training, self.gate is not None and "with a gate") if part)
        return f"Classifier({self.name!r:.60}: {self.architecture!r:.60}, {classes}{training})"

    def _repr_html_(self) -> str:
        from csg_analyze.checkpoints.notebook import html_of_classifier

        return html_of_classifier(self)

    @property
    def source(self) -> str:
        """Where it comes from, for people: the path of its file, or that it is in memory."""
        return f"{self.name} (in memory)" if self.path is None else str(self.path)

    @property
    def identity(self) -> tuple[Any, ...]:
        """What determines its numbers besides preprocessing, for cache keys: texts and tensors."""
        code = () if self.code is None else (self.code,)
        outputs = () if self.network.outputs is None else (self.network.outputs,)
        return (self.architecture, *code, *outputs, *self.network.state_dict().values())

    @property
    def features(self) -> str:
        """The feature layer for people: its name, K, how its output is read, or why there is none."""
        if self.no_layer:
            return f"none: {self.no_layer}"
        view = self.network.view(self.feature_layer)
        read = f", {view.text}" if view is not None and view.text else ""
        return f"{self.feature_layer}, K = {self.n_filters} filters{read}"

    @property
    def device(self) -> torch.device:
        """The device of the network."""
        return self.network.mean.device

    def choosing(self, outputs: Sequence[int], class_names: Sequence[str]) -> Classifier:
        """The classifier among some of its classes alone: their logits, rows of the gate and names, in this order."""
        return replace(
            self,
            network=self.network.choosing(outputs),
            n_classes=len(outputs),
            class_names=tuple(class_names),
            gate=None if self.gate is None else self.gate[list(outputs)],
        )

    def layer(self, name: str | None = None) -> nn.Module:
        """The module of that name; by default the place where the feature layer's maps (N, K, h, w) pass.

        That is the feature layer itself, or its view. Raises UsageError for an unknown name, suggesting the nearest,
        and NotAvailable for a network without a feature layer.
        """
        if name is None:
            if self.no_layer:
                raise NotAvailable(self.no_layer)
            if (view := self.network.view(self.feature_layer)) is not None:
                return view.maps
            name = self.feature_layer
        modules: dict[str, nn.Module] = dict(self.network.network.named_modules())
        if name not in modules or not name:
            raise unknown("layer", name, (candidate for candidate in modules if candidate))
        return modules[name]

    def convolutions(self) -> dict[str, nn.Module]:
        """All convolutions by name, in the order of definition; those of an exported network are of a class of its own.

        Raises NoConvolution if there are none, and NotAvailable for a network that cannot be looked into.
        """
        if self.no_layer:
            raise NotAvailable(self.no_layer)
        modules = self.network.network.named_modules()
        convolutions = {name: module for name, module in modules if is_convolution(module)}
        if not convolutions:
            raise NoConvolution(f"{self.name}: this network has no convolution, which this analysis looks at.")
        return convolutions
