"""A trained network, from pixels to logits, with all that is recorded of it."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor, nn

from csg_analyze.errors import UsageError, unknown
from csg_analyze.metrics.arrays import FloatArray

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
    """A network with its preprocessing inside: RGB pixels in [0, 1] go in everywhere, attacks included."""

    mean: Tensor
    std: Tensor
    outputs: Tensor | None

    def __init__(self, network: nn.Module, preprocessing: Preprocessing) -> None:
        super().__init__()
        self.network = network
        self.channels = preprocessing.channels
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


@dataclass(frozen=True)
class Classifier:
    """A network in eval mode, with what its file records about it.

    name: in tables and figures. path: of its file; None for a network in hand. sha256: of the file, or of the weights
    in hand. feature_layer, head: names of modules inside `network.network`. n_classes, n_filters: C (of the chosen
    outputs, if `network.outputs` chooses some) and K (of the feature layer). gate: (C, K) in [0, 1], or None.
    class_names: None if not recorded. training: "STD", "CSG" or None. data: the data spec it was trained on. record:
    other recorded values (recipe, seed, epoch, metrics, versions). notes: remarks for a report. code: a fingerprint of
    how a network computes that neither this project nor torchvision builds; else None.
    """

    name: str
    path: Path | None
    sha256: str
    architecture: str
    network: PixelNetwork = field(repr=False)
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
        """The module of that name; the feature layer by default. Raises UsageError, suggesting the nearest."""
        modules: dict[str, nn.Module] = dict(self.network.network.named_modules())
        name = self.feature_layer if name is None else name
        if name not in modules or not name:
            raise unknown("layer", name, (candidate for candidate in modules if candidate))
        return modules[name]

    def convolutions(self) -> dict[str, nn.Conv2d]:
        """All convolutions by name, in the order of definition."""
        modules = self.network.network.named_modules()
        convolutions = {name: module for name, module in modules if isinstance(module, nn.Conv2d)}
        if not convolutions:
            raise UsageError(f"{self.name}: this network has no convolution; only CNNs can be analysed.")
        return convolutions
