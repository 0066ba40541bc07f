"""Where maps come from: those of the feature layer, and what only the network itself can give."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from csg_analyze.metrics.arrays import FloatArray, IntArray


@dataclass(frozen=True)
class FeatureMaps:
    """The feature layer's maps of N images, and whether they make class activation maps.

    maps: float32 (N, K, h, w), in memory or in a file. weight: (C, K) of a linear head on the averaged maps; None where
    the network has none, and no_cam says why. rectified: the head sees what of the maps is positive. featureless: no
    map of a class of this network shows a place, so that Grad-CAM cannot stand in.
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
    """What the network has to be run for, image by image."""

    @property
    def gradient_origin(self) -> str:
        """One sentence on how gradients are computed."""

    def gradients(
        self, images: IntArray, filters: IntArray, *, normalized: bool = False
    ) -> Iterator[tuple[IntArray, FloatArray]]:
        """Gradients of averaged activations, L2 over the colours, in pieces.

        images: (n,). filters: (n, F), those of each image. normalized: with respect to the network's normalised input
        (the pixels' gradient times each colour's standard deviation), else to pixels in [0, 1]. Gives places (m,) in
        `images`, and (m, F, H, W) for them.
        """

    def of_class(self, name: str, images: IntArray, labels: IntArray) -> Iterator[tuple[IntArray, FloatArray]]:
        """Maps of the labelled classes by captum's method of that name, in pieces.

        Gives places (m,) in `images`, and (m, h, w) for them: at the size of the image or of the feature layer. Raises
        UsageError for a name captum does not have or that cannot be asked for without more settings.
        """
