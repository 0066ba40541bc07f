"""A trained network, from pixels to logits, with all that is recorded of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from csg_analyze.errors import UsageError, unknown
from csg_analyze.metrics.arrays import FloatArray


@dataclass(frozen=True)
class Preprocessing:
    """How images are prepared for a network.

    size: images are centre-cropped to size x size pixels after their shorter side was resized to `resize`
    (both None: images stay as they are). mean, std: per RGB channel, for pixels in [0, 1]. origin: where these values
    come from. The names of the fields are part of cache keys.
    """

    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    size: int | None = None
    resize: int | None = None
    origin: str = "given"


class PixelNetwork(nn.Module):
    """A network with its normalization inside: pixels in [0, 1] go in everywhere, attacks included."""

    mean: Tensor
    std: Tensor

    def __init__(self, network: nn.Module, preprocessing: Preprocessing) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("mean", torch.tensor(preprocessing.mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(preprocessing.std).view(1, 3, 1, 1), persistent=False)

    def forward(self, pixels: Tensor) -> Tensor:
        """Float pixels (N, 3, H, W) in [0, 1] -> logits (N, C)."""
        return self.network((pixels - self.mean) / self.std)  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Classifier:
    """A network in eval mode, with what its file records about it.

    name: in tables and figures. path: of its file; None for a network in hand. sha256: of the file, or of the weights
    in hand. feature_layer, head: names of modules inside `network.network`. n_classes, n_filters: C
    and K (of the feature layer). gate: (C, K) in [0, 1], or None. class_names: None if not recorded. training: "STD",
    "CSG" or None. data: the data spec it was trained on. record: other recorded values (recipe, seed, epoch, metrics,
    versions). notes: remarks for a report. code: a fingerprint of how a network computes that neither this project nor
    torchvision builds; else None.
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
        return (self.architecture, *code, *self.network.state_dict().values())

    @property
    def device(self) -> torch.device:
        """The device of the network."""
        return self.network.mean.device

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
