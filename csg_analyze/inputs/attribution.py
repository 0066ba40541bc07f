"""Maps that the network has to be run for: gradients of filters, and what captum offers by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import numpy as np
import torch
from captum.attr import NeuronGradient
from torch import Tensor, nn

from csg_analyze.checkpoints import Classifier
from csg_analyze.data import Dataset
from csg_analyze.errors import UsageError
from csg_analyze.inputs.captum_methods import class_attribution
from csg_analyze.inputs.forward import Track, to_pixels
from csg_analyze.metrics.arrays import FloatArray, IntArray

PIXELS_AT_ONCE = 2**16
"""Pixels of the images whose graph is kept at once, four of 128x128: enough to keep all cores busy."""


@dataclass(frozen=True)
class NetworkAttribution:
    """See metrics.localization.attribution.Attribution. images_at_once: images in one graph."""

    classifier: Classifier = field(repr=False)
    dataset: Dataset = field(repr=False)
    track: Track[Any]
    backend: Literal["single-pass", "captum"]
    images_at_once: int

    @property
    def gradient_origin(self) -> str:
        """See Attribution."""
        how = {
            "single-pass": "one forward pass an image and one backward pass a filter",
            "captum": "captum's NeuronGradient",
        }
        return f"gradients of filters: {how[self.backend]}."

    def gradients(
        self, images: IntArray, filters: IntArray, *, normalized: bool = False
    ) -> Iterator[tuple[IntArray, FloatArray]]:
        """See Attribution. Images with the same filters share a graph."""
        pieces = _alike(filters, self.images_at_once)
        description = f"{self.classifier.name}: gradients of {filters.shape[1]} filters on {len(images)} images"
        way = filter_gradients if self.backend == "single-pass" else captum_gradients
        for places in self.track(pieces, description, len(pieces)):
            pixels = self._pixels(images[places])
            yield places, way(self.classifier, pixels, filters[places[0]].tolist(), normalized=normalized).numpy()

    def of_class(self, name: str, images: IntArray, labels: IntArray) -> Iterator[tuple[IntArray, FloatArray]]:
        """See Attribution."""
        attribute = class_attribution(self.classifier, name, self.images_at_once)
        starts = range(0, len(images), self.images_at_once)
        for start in self.track(starts, f"{self.classifier.name}: {name} on {len(images)} images", len(starts)):
            places = np.arange(start, min(start + self.images_at_once, len(images)))
            targets = torch.from_numpy(labels[places]).to(self.classifier.device)
            yield places, attribute(self._pixels(images[places]), targets).cpu().numpy()

    def _pixels(self, images: IntArray) -> Tensor:
        return to_pixels(self.dataset.images[torch.from_numpy(np.asarray(images))], self.classifier.device)


def attribution(
    classifier: Classifier,
    dataset: Dataset,
    track: Track[Any],
    *,
    backend: Annotated[
        Literal["single-pass", "captum"], "gradients of filters from one forward pass, or by captum's NeuronGradient"
    ] = "single-pass",
    images_at_once: Annotated[
        int | None, "images whose graph is in memory together; default: as many as have 65,536 pixels"
    ] = None,
) -> NetworkAttribution:
    """What gradients and captum's methods need: the network and the images. Raises UsageError for a size below 1."""
    if images_at_once is None:
        height, width = dataset.image_size
        images_at_once = max(1, PIXELS_AT_ONCE // (height * width))
    if images_at_once < 1:
        raise UsageError(f"--images-at-once must be at least 1, not {images_at_once}.")
    return NetworkAttribution(classifier, dataset, track, backend, images_at_once)


def _alike(filters: IntArray, most: int) -> list[IntArray]:
    """Places of rows of (n, F) that are the same, at most so many together, in the order of the first of them."""
    members: dict[bytes, list[int]] = {}
    for place, row in enumerate(filters):
        members.setdefault(row.tobytes(), []).append(place)
    groups = [np.array(places) for places in members.values()]
    return [places[start : start + most] for places in groups for start in range(0, len(places), most)]


def filter_gradients(
    classifier: Classifier, pixels: Tensor, filters: Sequence[int], *, normalized: bool = False
) -> Tensor:
    """|d mean(map_k) / d pixels|, L2 over the colours, of some filters: (n, 3, H, W) -> float32 (n, F, H, W).

    What NeuronGradient gives for every filter, from one forward pass: the graph is kept, and walked back once a filter.
    Each gradient is reduced to one channel at once, so that F of them take the room of F / 3. normalized: d by the
    network's own input (pixels - mean) / std instead, which weighs every colour by its std.
    """
    n, _, height, width = pixels.shape
    found = torch.empty((n, len(filters), height, width))
    # images do not mix in eval mode: the gradient of the sum over images is that of each of them
    inputs = pixels.detach().requires_grad_()
    with torch.enable_grad(), recorded_output(classifier.layer()) as output:
        classifier.network(inputs)
        pooled = output[0].mean((2, 3))  # (n, K)
        output.clear()
        for place, k in enumerate(filters):
            last = place == len(filters) - 1
            (gradient,) = torch.autograd.grad(pooled[:, k].sum(), inputs, retain_graph=not last)
            found[:, place] = _length(gradient, classifier, normalized)
    return found


def captum_gradients(
    classifier: Classifier, pixels: Tensor, filters: Sequence[int], *, normalized: bool = False
) -> Tensor:
    """The same by captum, a forward and a backward pass a filter."""
    neuron: Any = NeuronGradient(classifier.network, classifier.layer())
    found = []
    for k in filters:
        gradient = neuron.attribute(pixels.detach().clone().requires_grad_(), _averaged(k)).detach()
        found.append(_length(gradient, classifier, normalized))
    return torch.stack(found, dim=1)


def _length(gradient: Tensor, classifier: Classifier, normalized: bool) -> Tensor:
    """L2 over the colours, (n, 3, H, W) -> (n, H, W)."""
    # x = (pixels - mean) / std, so that d / dx is std times d / dpixels
    by_input = gradient * classifier.network.std if normalized else gradient
    length: Tensor = torch.linalg.vector_norm(by_input, dim=1)
    return length.cpu()


def _averaged(k: int) -> Callable[[Tensor], Tensor]:
    # a selector of positions would give the sum over the map, H W times as much
    return lambda output: output[:, k].mean((1, 2))


@contextmanager
def recorded_output(layer: nn.Module) -> Iterator[list[Tensor]]:
    """A list that every forward pass replaces by the layer's output (n, K, h, w), part of its graph."""
    output: list[Tensor] = []

    def hook(_module: nn.Module, _inputs: object, result: Tensor) -> None:
        output[:] = [result.clone()]  # a copy: an in-place ReLU further on would change it

    handle = layer.register_forward_hook(hook)
    try:
        yield output
    finally:
        handle.remove()
