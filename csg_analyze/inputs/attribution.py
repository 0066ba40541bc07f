"""Maps by running the network: gradients of filters, and captum's attributions by name."""

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
from csg_analyze.inputs.blocks import Block, block_size, blocks
from csg_analyze.inputs.captum_methods import class_attribution
from csg_analyze.inputs.contents import contents_of
from csg_analyze.inputs.forward import origin_of
from csg_analyze.metrics.arrays import FloatArray, IntArray
from csg_analyze.progress import Track, untracked

PIECE = 64
"""Images whose maps are made and kept together, or one block if that is larger."""


@dataclass(frozen=True)
class NetworkAttribution:
    """See metrics.attribution.Attribution. images_at_once: as in inputs.blocks."""

    classifier: Classifier = field(repr=False)
    dataset: Dataset = field(repr=False)
    track: Track[Any]
    backend: Literal["single-pass", "captum"]
    images_at_once: int

    @property
    def identity(self) -> str:
        """See Attribution."""
        return contents_of(origin_of(self.classifier, self.dataset), self.backend)

    def pieces(self, n: int, description: str) -> Iterator[IntArray]:
        """See Attribution; a piece is whole blocks."""
        block = block_size(self.classifier.device, *self.dataset.image_size)
        size = block * max(1, PIECE // block)
        for start in self.track(range(0, n, size), f"{self.classifier.name}: {description}", -(-n // size)):
            yield np.arange(start, min(start + size, n))

    @property
    def gradient_origin(self) -> str:
        """See Attribution."""
        methods = {
            "single-pass": "one forward pass an image and one backward pass a filter",
            "captum": "captum's NeuronGradient",
        }
        return f"gradients of filters: {methods[self.backend]}."

    def gradients(
        self, images: IntArray, filters: IntArray, *, normalized: bool = False
    ) -> Iterator[tuple[IntArray, FloatArray]]:
        """See Attribution. The images of a block share a graph."""
        gradients = filter_gradients if self.backend == "single-pass" else captum_gradients
        for block in self._blocks(images):
            maps = gradients(self.classifier, block.pixels, _filled(filters, block), normalized=normalized)
            yield _places(block), maps[: len(block)].numpy()

    def of_class(self, name: str, images: IntArray, labels: IntArray) -> Iterator[tuple[IntArray, FloatArray]]:
        """See Attribution."""
        attribute = class_attribution(self.classifier, name)
        for block in self._blocks(images):
            targets = torch.from_numpy(_filled(labels, block)).to(self.classifier.device)
            yield _places(block), attribute(block.pixels, targets)[: len(block)].cpu().numpy()

    def _blocks(self, images: IntArray) -> Iterator[Block]:
        return blocks(self.dataset, self.classifier.device, self.images_at_once, untracked, "", images)


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
    """Gradients and captum's methods on this network and dataset. Raises UsageError for `images_at_once` below 1."""
    if images_at_once < 1:
        raise UsageError(f"--images-at-once must be at least 1, not {images_at_once}.")
    return NetworkAttribution(classifier, dataset, track, backend, images_at_once)


def _places(block: Block) -> IntArray:
    return np.arange(block.places.start, block.places.stop)


def _filled(values: IntArray, block: Block) -> IntArray:
    """One value per image: (N, ...) -> (B, ...), of the block's images, and again for the images that fill it."""
    filled: IntArray = values[block.places][np.arange(len(block.pixels)) % len(block)]
    return filled


def filter_gradients(
    classifier: Classifier, pixels: Tensor, filters: IntArray | Sequence[int], *, normalized: bool = False
) -> Tensor:
    """|d mean(map_k) / d pixels|, L2 over the colours, of some filters: (n, 3, H, W) -> float32 (n, F, H, W).

    filters: (F,), the same for all images, or (n, F), F filters per image. normalized: gradients by the network's own
    input, (pixels - mean) / std, which weighs colours by their std.

    The gradients are those of NeuronGradient, but from one forward pass with one backward pass per filter. They are
    reduced to one channel immediately, which saves two thirds of the memory.
    """
    n, _, height, width = pixels.shape
    chosen = _ranked(filters, pixels)
    gradients = torch.empty((n, len(chosen), height, width))
    # in eval mode images do not influence each other: the gradient of their sum holds the gradient of each image
    inputs = pixels.detach().requires_grad_()
    with torch.enable_grad(), recorded_output(classifier.layer()) as output:
        classifier.network(inputs)
        pooled = output[0].mean((2, 3))  # (n, K)
        output.clear()
        for place, own in enumerate(chosen):  # (n,), one filter per image
            last = place == len(chosen) - 1
            (gradient,) = torch.autograd.grad(pooled.gather(1, own[:, None]).sum(), inputs, retain_graph=not last)
            gradients[:, place] = _length(gradient, classifier, normalized)
    return gradients


def captum_gradients(
    classifier: Classifier, pixels: Tensor, filters: IntArray | Sequence[int], *, normalized: bool = False
) -> Tensor:
    """The same by captum, with one forward and one backward pass per filter."""
    neuron: Any = NeuronGradient(classifier.network, classifier.layer())
    lengths = []
    for own in _ranked(filters, pixels):
        gradient = neuron.attribute(pixels.detach().clone().requires_grad_(), _averaged(own)).detach()
        lengths.append(_length(gradient, classifier, normalized))
    return torch.stack(lengths, dim=1)


def _length(gradient: Tensor, classifier: Classifier, normalized: bool) -> Tensor:
    """L2 over the colours, (n, 3, H, W) -> (n, H, W)."""
    # x = (pixels - mean) / std, so that d / dx is std times d / dpixels
    by_input = gradient * classifier.network.std if normalized else gradient
    length: Tensor = torch.linalg.vector_norm(by_input, dim=1)
    return length.cpu()


def _ranked(filters: IntArray | Sequence[int], pixels: Tensor) -> Tensor:
    """(F,) for all images, or (n, F) -> int64 (F, n)."""
    by_image = np.broadcast_to(np.asarray(filters, dtype=np.int64), (len(pixels), np.shape(filters)[-1]))
    return torch.from_numpy(by_image.T.copy()).to(pixels.device)


def _averaged(own: Tensor) -> Callable[[Tensor], Tensor]:
    # a selector of positions would give the sum over the map, H * W times the mean
    return lambda output: output[torch.arange(len(own), device=own.device), own].mean((1, 2))


@contextmanager
def recorded_output(layer: nn.Module) -> Iterator[list[Tensor]]:
    """A list that holds the layer's output (n, K, h, w) of the last forward pass, part of its graph."""
    output: list[Tensor] = []

    def keep(result: Tensor) -> None:
        output[:] = [result.clone()]  # a copy: a later in-place ReLU would change it

    with watched([(layer, keep)]):
        yield output
