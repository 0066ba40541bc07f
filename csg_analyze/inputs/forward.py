"""One pass over the data: pooled activations, logits and, on request, pooled outputs of all convolutions, and maps."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Annotated

import numpy as np
import torch
from torch import Tensor, nn

from csg_analyze.checkpoints import Classifier
from csg_analyze.checkpoints.modules import size_refused, taken_size
from csg_analyze.data import Dataset
from csg_analyze.data.fingerprint import fingerprint_of
from csg_analyze.data.memory import memory_budget
from csg_analyze.errors import NotAvailable, UsageError
from csg_analyze.hooks import watched
from csg_analyze.inputs.blocks import block_size, blocks
from csg_analyze.inputs.cache import Cache
from csg_analyze.metrics.arrays import FloatArray
from csg_analyze.metrics.keeping import Arrays
from csg_analyze.progress import Track

FORWARD_VERSION = 2  # part of cache keys: a change of this file that changes any number raises it
FEATURES, LOGITS, LAYER, MAPS = "activations", "logits", "layer/", "maps"
OF_MAPS = frozenset({"feature_maps", "exemplars"})
"""Inputs that look at the feature layer's maps."""
MOST_MAPS = 2**28
"""Bytes of maps that one pass keeps for them; larger ones have a pass of their own."""


@dataclass(frozen=True)
class ForwardPass:
    """The results of one pass over N images.

    activations: float32 (N, K), the feature layer's maps averaged over their positions; K is 0 in a network without a
    feature layer. logits: float32 (N, C).
    layers: per convolution, in the order of definition, its output averaged over positions, float32 (N, K_layer);
    empty if no analyzer requested it. batch_size: images decoded at once, for inputs that run the network again.
    maps: the feature layer's maps, float32 (N, K, h, w); None if no analyzer requested them, or if they are too large.
    """

    activations: FloatArray
    logits: FloatArray
    layers: Mapping[str, FloatArray] = field(default_factory=dict)
    batch_size: int = 256
    maps: FloatArray | None = None


def forward_pass(
    classifier: Classifier,
    dataset: Dataset,
    requested: frozenset[str],
    cache: Cache,
    track: Track[int],
    *,
    batch_size: Annotated[
        int, "images decoded and brought to the device at once; changes memory and speed, never a number"
    ] = 256,
) -> ForwardPass:
    """Run the network once over the dataset.

    requested: the names of all inputs of this run, so that one pass serves them all. The network sees blocks of a fixed
    size, see inputs.blocks, whatever the batch size. Raises UsageError for a batch size below 1, and for outputs that
    are not finite.
    """
    if batch_size < 1:
        raise UsageError(f"--batch-size must be at least 1, not {batch_size}.")
    layers = _convolutions(classifier) if "layer_activations" in requested else ()
    with_maps = bool(OF_MAPS & requested) and not classifier.no_layer
    key = {**origin_of(classifier, dataset), "layers": layers, **({"maps": MOST_MAPS} if with_maps else {})}
    arrays = cache.fetch("forward", key, lambda: _run(classifier, dataset, layers, with_maps, batch_size, track))
    activations = np.empty((len(dataset), 0), np.float32) if classifier.no_layer else arrays[FEATURES]
    pooled = {name: arrays[LAYER + name] for name in layers}
    return ForwardPass(activations, arrays[LOGITS], pooled, batch_size, arrays.get(MAPS))


def origin_of(classifier: Classifier, dataset: Dataset) -> dict[str, object]:
    """What determines whatever is computed of a network and a dataset, besides options: for cache keys."""
    return {
        "version": FORWARD_VERSION,
        "weights": fingerprint_of(*classifier.identity),
        "data": dataset.fingerprint,
        "preprocessing": classifier.preprocessing.key,
        "layer": classifier.feature_layer,
        **_view_of(classifier),
        # floating-point sums differ in the last bits between devices and sizes of blocks
        "device": classifier.device.type,
        "block": block_size(classifier.device, *dataset.image_size),
    }


def _convolutions(classifier: Classifier) -> tuple[str, ...]:
    try:
        return tuple(classifier.convolutions())
    except NotAvailable:  # which `layer_activations` says of itself
        return ()


def _view_of(classifier: Classifier) -> dict[str, object]:
    """What determines the maps of a feature layer besides its name, where its output is no map by itself."""
    view = classifier.network.view(classifier.feature_layer)
    return {} if view is None else {"view": [*asdict(view.layout).values(), view.turn, view.turns]}


def _run(
    classifier: Classifier,
    dataset: Dataset,
    layers: tuple[str, ...],
    with_maps: bool,
    batch_size: int,
    track: Track[int],
) -> Arrays:
    description = f"{classifier.name}: {len(dataset)} images"
    collected: dict[str, Tensor] = {}
    pooled_layers = {} if classifier.no_layer else {FEATURES: classifier.layer()}
    pooled_layers |= {LAYER + name: classifier.layer(name) for name in layers}
    most = min(MOST_MAPS, memory_budget()) if with_maps else 0
    maps: FloatArray | None = None
    # no_grad, not inference_mode, which may forbid operations of a user's own module
    with torch.no_grad(), pooling(pooled_layers, FEATURES if with_maps else None) as pooled:
        for block in blocks(dataset, classifier.device, batch_size, track, description):
            pooled[LOGITS] = _logits(classifier, block.pixels)
            recorded = pooled.pop(MAPS, None)
            if recorded is not None and recorded.ndim == 4 and len(dataset) * recorded[0].numel() * 4 <= most:
                maps = np.empty((len(dataset), *recorded.shape[1:]), np.float32) if maps is None else maps
                maps[block.places] = recorded[: len(block)].float().cpu().numpy()
            for name, values in pooled.items():
                # filled in place on the device: one copy to the host at the end instead of one per batch
                if name not in collected:
                    collected[name] = values.new_empty((len(dataset), values.shape[1]), dtype=torch.float32)
                collected[name][block.places] = values[: len(block)]
    arrays = {name: values.cpu().numpy() for name, values in collected.items()}
    arrays |= {} if maps is None else {MAPS: maps}
    bad = [name for name, values in arrays.items() if not np.isfinite(values).all()]
    if bad:
        raise UsageError(f"{classifier.name}: the network gives NaN or infinite {bad[0]}; check --mean and --std.")
    return arrays


def _logits(classifier: Classifier, pixels: Tensor) -> Tensor:
    try:
        logits: Tensor = classifier.network(pixels)
    except (UsageError, NotAvailable, MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:  # each network has its own errors for a size that it does not take
        network, (height, width) = classifier.network.network, pixels.shape[2:]
        if taken_size(network, height) is None:  # the size is not to blame
            raise
        raise UsageError(f"{classifier.name}: {size_refused(network, height, width, error)}") from error
    return logits


@contextmanager
def pooling(layers: Mapping[str, nn.Module], whole: str | None = None) -> Iterator[dict[str, Tensor]]:
    """A dictionary that receives the layers' outputs, averaged over positions, (n, K_layer), of forward passes.

    The hook takes the mean, so that a later in-place ReLU cannot change it and maps are freed early. whole: a layer
    whose maps it receives too, as MAPS.
    """
    pooled: dict[str, Tensor] = {}

    def keep(name: str) -> Callable[[Tensor], None]:
        def of(output: Tensor) -> None:
            pooled[name] = output.mean((2, 3))
            if name == whole:
                pooled[MAPS] = output.clone()

        return of

    with watched((module, keep(name)) for name, module in layers.items()):
        yield pooled
