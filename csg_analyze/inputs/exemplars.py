"""The images that activate a filter most, with the filter's maps on them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Annotated

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from csg_analyze.checkpoints import Classifier
from csg_analyze.data import Dataset
from csg_analyze.errors import UsageError
from csg_analyze.hooks import watched
from csg_analyze.inputs.blocks import blocks
from csg_analyze.inputs.cache import UNCACHED, Cache
from csg_analyze.inputs.forward import ForwardPass, origin_of
from csg_analyze.metrics.arrays import FloatArray, IntArray
from csg_analyze.metrics.exemplars import Exemplars, most_activating
from csg_analyze.metrics.keeping import Arrays
from csg_analyze.progress import Track

THUMBNAIL_SIDE = 64
"""Largest height and width of a thumbnail in pixels."""
MOST_EXEMPLARS = 36


def exemplars(
    classifier: Classifier,
    dataset: Dataset,
    forward_pass: ForwardPass,
    track: Track[int],
    cache: Cache = UNCACHED,
    *,
    n_exemplars: Annotated[int, "images shown of every filter: those that activate it most"] = 9,
) -> Exemplars:
    """The images with the highest averaged activations of the filters, and the filters' maps on them.

    The images are chosen by the cached activations. If the forward pass did not keep the maps, one more pass over these
    images alone records them, so that memory grows with K n h w and not with N. There are fewer than `n_exemplars` if
    the data has fewer images.
    Raises UsageError for `n_exemplars` outside 1..36.
    """
    if not 1 <= n_exemplars <= MOST_EXEMPLARS:
        raise UsageError(f"--n-exemplars must be between 1 and {MOST_EXEMPLARS}, not {n_exemplars}.")
    classifier.layer()  # raises NotAvailable where there is none
    activations = forward_pass.activations
    chosen = most_activating(activations, min(n_exemplars, len(activations)))
    needed, thumbnail_of = np.unique(chosen, return_inverse=True)
    thumbnail_of = thumbnail_of.reshape(chosen.shape)
    if forward_pass.maps is not None:
        maps: FloatArray = forward_pass.maps[chosen, np.arange(len(chosen))[:, None]]
        thumbnails = _thumbnails(dataset, needed, forward_pass.batch_size)
    else:

        def record() -> Arrays:
            recorded = _record(classifier, dataset, needed, thumbnail_of, forward_pass.batch_size, track)
            return dict(zip(("maps", "thumbnails"), recorded, strict=True))

        kept = cache.under("exemplars", (origin_of(classifier, dataset), chosen), record)
        maps, thumbnails = kept["maps"], kept["thumbnails"]
    return Exemplars(
        images=chosen,
        activations=np.take_along_axis(activations.T, chosen, axis=1),
        maps=maps,
        thumbnails=thumbnails,
        thumbnail_of=thumbnail_of,
    )


def _thumbnails(dataset: Dataset, needed: IntArray, at_once: int) -> np.ndarray:
    """Of the images `needed` (U,): (U, t, s, 3)."""
    parts = (needed[start : start + at_once] for start in range(0, len(needed), at_once))
    return np.stack([thumbnail(image) for part in parts for image in dataset.images[torch.from_numpy(part)]])


def _record(
    classifier: Classifier,
    dataset: Dataset,
    needed: IntArray,
    thumbnail_of: IntArray,
    batch_size: int,
    track: Track[int],
) -> tuple[FloatArray, np.ndarray]:
    """The maps (K, n, h, w) and thumbnails (U, t, s, 3), from one pass over the images `needed` (U,)."""
    n_filters, n = thumbnail_of.shape
    pairs = torch.from_numpy(np.argsort(thumbnail_of, axis=None, kind="stable"))  # k * n + rank, image after image
    image_of_pair = torch.from_numpy(thumbnail_of.ravel())[pairs].contiguous()
    description = f"{classifier.name}: {len(needed)} images that activate filters most"
    maps: Tensor | None = None
    thumbnails: list[np.ndarray] = []
    with torch.no_grad(), recording(classifier.layer()) as record:
        for block in blocks(dataset, classifier.device, batch_size, track, description, needed):
            start, stop = block.places.start, block.places.stop
            first, last = torch.searchsorted(image_of_pair, torch.tensor([start, stop])).tolist()
            here = pairs[first:last]
            record.images, record.filters = image_of_pair[first:last] - start, here // n
            classifier.network(block.pixels)
            if maps is None:
                maps = torch.empty((n_filters * n, *record.maps.shape[1:]), dtype=torch.float32)
            maps[here] = record.maps.float().cpu()
            thumbnails += [thumbnail(image) for image in block.images]
    assert maps is not None  # every dataset has images
    return maps.reshape(n_filters, n, *maps.shape[1:]).numpy(), np.stack(thumbnails)


@dataclass
class Recording:
    """P maps of a batch. images, filters: (P,), set before the forward pass. maps: (P, h, w), set by it."""

    images: Tensor = field(default_factory=lambda: torch.zeros(0, dtype=torch.long))
    filters: Tensor = field(default_factory=lambda: torch.zeros(0, dtype=torch.long))
    maps: Tensor = field(default_factory=lambda: torch.zeros(0, 0, 0))


@contextmanager
def recording(layer: nn.Module) -> Iterator[Recording]:
    """A recording into which forward passes put the requested maps of the layer's output (n, K, h, w)."""
    record = Recording()

    def keep(output: Tensor) -> None:
        # indexing copies: neither a later in-place ReLU nor the next batch changes these values
        record.maps = output[record.images.to(output.device), record.filters.to(output.device)]

    with watched([(layer, keep)]):
        yield record


def thumbnail(image: Tensor) -> np.ndarray:
    """An image, uint8 (3, H, W), as uint8 (t, s, 3) with sides of at most 64 pixels; it is not enlarged."""
    pixels: np.ndarray = image.permute(1, 2, 0).cpu().numpy()
    height, width = pixels.shape[:2]
    shrink = THUMBNAIL_SIDE / max(height, width)
    if shrink >= 1:
        return pixels
    size = (max(1, round(width * shrink)), max(1, round(height * shrink)))
    return np.asarray(cv2.resize(np.ascontiguousarray(pixels), size, interpolation=cv2.INTER_AREA))
