"""Averaged outputs of all convolutions, side by side: the features of detectors of adversarial samples."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from csg_analyze.checkpoints import Classifier
from csg_analyze.data.fingerprint import fingerprint_of
from csg_analyze.errors import NotAvailable
from csg_analyze.inputs.cache import Cache
from csg_analyze.inputs.forward import pooling
from csg_analyze.metrics.arrays import FloatArray
from csg_analyze.metrics.keeping import Arrays


@dataclass(frozen=True)
class AveragedFeatures:
    """Features of images of one size, (H, W). origin: what else determines their bytes, for the cache's keys."""

    classifier: Classifier
    image_size: tuple[int, int]
    origin: Mapping[str, object]
    cache: Cache

    @cached_property
    def layers(self) -> Mapping[str, int]:
        """The convolutions that run, with their numbers of filters, in the order of definition."""
        image = torch.zeros(1, 3, *self.image_size, device=self.classifier.device)
        convolutions = {name: self.classifier.layer(name) for name in self.classifier.convolutions()}
        with torch.no_grad(), pooling(convolutions) as recorded:  # auxiliary heads for training do not run
            self.classifier.network(image)
        return {name: recorded[name].shape[1] for name in convolutions if name in recorded}

    def recording(self) -> AbstractContextManager[dict[str, Tensor]]:
        """A dictionary that receives the averaged outputs of forward passes while it is open."""
        return pooling({name: self.classifier.layer(name) for name in self.layers})

    def columns(self, recorded: Mapping[str, Tensor]) -> Tensor:
        """The features (n, F), from recorded outputs."""
        # a network may run its layers in another order than it defines them
        return torch.cat([recorded[name] for name in self.layers], dim=1)

    def of(self, images: Tensor) -> FloatArray:
        """Float32 (n, F); images that are not finite give NaN."""

        def compute() -> Arrays:
            on_device = images.to(self.classifier.device).to(memory_format=torch.channels_last)
            with torch.no_grad(), self.recording() as recorded:
                self.classifier.network(on_device)
            return {"features": self.columns(recorded).float().cpu().numpy()}

        key = {**self.origin, "layers": list(self.layers), "pixels": fingerprint_of(images)}
        return self.cache.fetch("attack-features", key, compute)["features"]

    def none(self) -> FloatArray:
        """The features of no image, (0, F); F is 0 for a network that has none, which may be attacked all the same."""
        try:
            n_features = sum(self.layers.values())
        except NotAvailable:
            n_features = 0
        return np.empty((0, n_features), np.float32)
