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
from csg_analyze.hooks import watched
from csg_analyze.inputs.blocks import Block, blocks
from csg_analyze.inputs.captum_methods import class_attribution
from csg_analyze.metrics.arrays import FloatArray, IntArray
from csg_analyze.progress import Track


@dataclass(frozen=True)
class NetworkAttribution:
    """See metrics.localization.attribution.Attribution. images_at_once: as in inputs.blocks."""

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
        """See Attribution. The images of a block share a graph."""
        description = f"{self.classifier.name}: gradients of {filters.shape[1]} filters on {len(images)} images"
        way = filter_gradients if self.backend == "single-pass" else captum_gradients
        for block in self._blocks(images, description):
            found = way(self.classifier, block.pixels, _of_each(filters, block), normalized=normalized)
            yield _places(block), found[: len(block)].numpy()

    def of_class(self, name: str, images: IntArray, labels: IntArray) -> Iterator[tuple[IntArray, FloatArray]]:
        """See Attribution."""
        attribute = class_attribution(self.classifier, name)
        for block in self._blocks(images, f"{self.classifier.name}: {name} on {len(images)} images"):
            targets = torch.from_numpy(_of_each(labels, block)).to(self.classifier.device)
            yield _places(block), attribute(block.pixels, targets)[: len(block)].cpu().numpy()

    def _blocks(self, images: IntArray, description: str) -> Iterator[Block]:
        return blocks(self.dataset, self.classifier.device, self.images_at_once, self.track, description, images)


def attribution(
    classifier: Classifier,
    dataset: Dataset,
    track: Track[Any],
    *,
    backend: Annotated[
        Literal["single-pass", "captum"], "gradients of filters from one forward pass, or by captum's NeuronGradient"
    ] = "single-pass",
    images_at_once: Annotated[
        int, "gradients: images decoded and brought to the device at once; changes memory and speed, never a number"
    ] = 256,
) -> NetworkAttribution:
    """What gradients and captum's methods need: the network and the images. Raises UsageError for a size below 1."""
    if images_at_once < 1:
        raise UsageError(f"--images-at-once must be at least 1, not {images_at_once}.")
    return NetworkAttribution(classifier, dataset, track, backend, images_at_once)


def _places(block: Block) -> IntArray:
    return np.arange(block.places.start, block.places.stop)


def _of_each(values: IntArray, block: Block) -> IntArray:
    """What belongs to each image of a block, and anything for the images that fill it: (n, ...) -> (B, ...)."""
    found: IntArray = values[block.places][np.arange(len(block.pixels)) % len(block)]
    return found


def filter_gradients(
    classifier: Classifier, pixels: Tensor, filters: IntArray | Sequence[int], *, normalized: bool = False
) -> Tensor:
    """|d mean(map_k) / d pixels|, L2 over the colours, of some filters: (n, 3, H, W) -> float32 (n, F, H, W).

    filters: F of them, the same for all images, or (n, F), those of each image.

    What NeuronGradient gives for every filter, from one forward pass: the graph is kept, and walked back once a filter.
    Each gradient is reduced to one channel at once, so that F of them take the room of F / 3. normalized: d by the
    network's own input (pixels - mean) / std instead, which weighs every colour by its std.
    """
    n, _, height, width = pixels.shape
    chosen = _ranked(filters, pixels)
    found = torch.empty((n, len(chosen), height, width))
    # images do not mix in eval mode: the gradient of the sum over images is that of each of them
    inputs = pixels.detach().requires_grad_()
    with torch.enable_grad(), recorded_output(classifier.layer()) as output:
        classifier.network(inputs)
        pooled = output[0].mean((2, 3))  # (n, K)
        output.clear()
        for place, own in enumerate(chosen):  # (n,), every image's own filter
            last = place == len(chosen) - 1
            (gradient,) = torch.autograd.grad(pooled.gather(1, own[:, None]).sum(), inputs, retain_graph=not last)
            found[:, place] = _length(gradient, classifier, normalized)
    return found


def captum_gradients(
    classifier: Classifier, pixels: Tensor, filters: IntArray | Sequence[int], *, normalized: bool = False
) -> Tensor:
    """The same by captum, a forward and a backward pass a filter."""
    neuron: Any = NeuronGradient(classifier.network, classifier.layer())
    found = []
    for own in _ranked(filters, pixels):
        gradient = neuron.attribute(pixels.detach().clone().requires_grad_(), _averaged(own)).detach()
        found.append(_length(gradient, classifier, normalized))
    return torch.stack(found, dim=1)


def _length(gradient: Tensor, classifier: Classifier, normalized: bool) -> Tensor:
    """L2 over the colours, (n, 3, H, W) -> (n, H, W)."""
    # x = (pixels - mean) / std, so that d / dx is std times d / dpixels
    by_input = gradient * classifier.network.std if normalized else gradient
    length: Tensor = torch.linalg.vector_norm(by_input, dim=1)
    return length.cpu()


def _ranked(filters: IntArray | Sequence[int], pixels: Tensor) -> Tensor:
    """(F,) of all images or (n, F) of each -> int64 (F, n)."""
    each = np.broadcast_to(np.asarray(filters, dtype=np.int64), (len(pixels), np.shape(filters)[-1]))
    return torch.from_numpy(each.T.copy()).to(pixels.device)


def _averaged(own: Tensor) -> Callable[[Tensor], Tensor]:
    # a selector of positions would give the sum over the map, H W times as much
    return lambda output: output[torch.arange(len(own), device=own.device), own].mean((1, 2))


@contextmanager
def recorded_output(layer: nn.Module) -> Iterator[list[Tensor]]:
    """A list that every forward pass replaces by the layer's output (n, K, h, w), part of its graph."""
    output: list[Tensor] = []

    def keep(result: Tensor) -> None:
        output[:] = [result.clone()]  # a copy: an in-place ReLU further on would change it

    with watched([(layer, keep)]):
        yield output
