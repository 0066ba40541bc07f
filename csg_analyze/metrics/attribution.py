"""Sources of maps: the feature layer's maps, and gradients and attribution maps of the network."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from csg_analyze.metrics.arrays import FloatArray, IntArray


@dataclass(frozen=True)
class FeatureMaps:
    """The feature layer's maps of N images, and the head's weights if they give class activation maps.

    maps: float32 (N, K, h, w), in memory or in a file. weight: (C, K) of a linear head on the averaged maps; None
    without such a head, and no_cam says why. rectified: the head sees only the positive part of the maps. featureless:
    class maps of this network show no place, so that Grad-CAM cannot replace CAM.
    """

    maps: FloatArray
    weight: FloatArray | None = None
    rectified: bool = False
    no_cam: str = ""
    featureless: bool = False

    def class_activation(self, images: IntArray, labels: IntArray) -> FloatArray:
        """CAM of the labelled class: sum over k of weight[label, k] * map_k, (n, h, w). labels: (n,)."""
        if self.weight is None:
            raise ValueError(f"no class activation maps: {self.no_cam}")
        maps = np.maximum(self.maps[images], 0) if self.rectified else self.maps[images]
        activation: FloatArray = np.einsum("nk,nkhw->nhw", self.weight[labels], maps)
        return activation


class Attribution(Protocol):
    """Gradients and attribution maps, for which the network runs."""

    @property
    def identity(self) -> str:
        """A fingerprint of all that determines its maps, besides images, filters and classes."""

    def pieces(self, n: int, description: str) -> Iterator[IntArray]:
        """The places of n images, piece by piece, whose maps are made and kept together; shows progress."""

    @property
    def gradient_origin(self) -> str:
        """One sentence for the reader of a report on how gradients are computed."""

    def gradients(
        self, images: IntArray, filters: IntArray, *, normalized: bool = False
    ) -> Iterator[tuple[IntArray, FloatArray]]:
        """Gradients of averaged activations, L2 over the colours, in pieces.

        images: (n,). filters: (n, F), those of each image. normalized: with respect to the network's normalised input
        (the pixels' gradient times the standard deviation of each colour), else to pixels in [0, 1]. Yields places (m,)
        in `images` and their gradients (m, F, H, W).
        """

    def of_class(self, name: str, images: IntArray, labels: IntArray) -> Iterator[tuple[IntArray, FloatArray]]:
        """Maps of the labelled classes by captum's method of that name, in pieces.

        Yields places (m,) in `images` and their maps (m, h, w), at the size of the image or of the feature layer.
        Raises UsageError for a name that captum does not have, or a method that needs more settings.
        """
