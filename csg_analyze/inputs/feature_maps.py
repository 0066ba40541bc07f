"""The feature layer's maps of all images, with the head if it makes class activation maps of them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from captum.attr import LayerActivation

from csg_analyze.checkpoints import Classifier
from csg_analyze.data import Dataset
from csg_analyze.data.memory import memory_budget
from csg_analyze.errors import NotAvailable
from csg_analyze.inputs.ablation import TOLERANCE, linear_head, relative_difference
from csg_analyze.inputs.blocks import blocks
from csg_analyze.inputs.forward import ForwardPass
from csg_analyze.metrics.arrays import FloatArray
from csg_analyze.metrics.attribution import FeatureMaps
from csg_analyze.progress import Track

IMAGES_AT_ONCE = 64


def feature_maps(classifier: Classifier, dataset: Dataset, forward_pass: ForwardPass, track: Track[int]) -> FeatureMaps:
    """The maps of the forward pass; if they were too large for it, those of one pass of captum's LayerActivation.

    Maps of more than a quarter of the memory go to a file.

    Class activation maps exist if all logits of the forward pass, less b, equal (averaged maps) @ W.T within 1e-4 of
    the largest one, with W and b of the head; or equal the same of the maps' positive part (densenet). For a head of
    zeros and for maps that are the same at all positions this is true, but their class activation maps would locate
    nothing, and there are none.
    Raises NotAvailable for maps of a single position.
    """
    n, maps = len(dataset), forward_pass.maps
    positive = np.empty((n, classifier.n_filters), np.float32)
    varies = False  # over the positions of a map
    for places, batch in _pieces(classifier, dataset, forward_pass, track):
        if batch.ndim != 4 or batch.shape[2] * batch.shape[3] == 1:
            raise NotAvailable(
                f"layer {classifier.feature_layer!r} gives maps of a single position for images of "
                f"{dataset.image_size[1]}x{dataset.image_size[0]} pixels, which show no place"
            )
        if forward_pass.maps is None:
            maps = _allocated((n, *batch.shape[1:])) if maps is None else maps
            maps[places] = batch
        varies = varies or bool((batch != batch[:, :, :1, :1]).any())
        positive[places] = np.maximum(batch, 0).mean(axis=(2, 3))
    assert maps is not None  # every dataset has images
    if not varies:
        return FeatureMaps(maps, no_cam="every map is the same at all of its positions", featureless=True)
    return _with_head(classifier, forward_pass, maps, positive)


def _pieces(
    classifier: Classifier, dataset: Dataset, forward_pass: ForwardPass, track: Track[int]
) -> Iterator[tuple[slice, FloatArray]]:
    """Places of images, and their maps."""
    if forward_pass.maps is not None:
        for start in range(0, len(dataset), IMAGES_AT_ONCE):
            part = slice(start, start + IMAGES_AT_ONCE)
            yield part, forward_pass.maps[part]
        return
    layer: Any = LayerActivation(classifier.network, classifier.layer())
    description = f"{classifier.name}: maps of {len(dataset)} images, too large for the first pass"
    with torch.no_grad():
        for block in blocks(dataset, classifier.device, forward_pass.batch_size, track, description):
            yield block.places, layer.attribute(block.pixels)[: len(block)].float().cpu().numpy()


def _allocated(shape: tuple[int, ...]) -> FloatArray:
    if np.prod(shape, dtype=np.int64) * 4 <= memory_budget():
        return np.empty(shape, np.float32)
    # the file has no name, and is deleted with the last map
    return np.memmap(tempfile.TemporaryFile(), np.float32, "w+", shape=shape)


def _with_head(
    classifier: Classifier, forward_pass: ForwardPass, maps: FloatArray, positive: FloatArray
) -> FeatureMaps:
    head = linear_head(classifier)
    if head is None:
        return FeatureMaps(maps, no_cam="no linear layer takes the averaged maps to the logits")
    weight, bias = head
    if not np.isfinite(weight).all() or not np.isfinite(bias).all():
        return FeatureMaps(maps, no_cam="the head has weights that are not finite", featureless=True)
    if not weight.any():
        reason = "all weights of the head are zero, as before any training"
        return FeatureMaps(maps, no_cam=reason, featureless=True)
    # without the bias, which would hide any difference in a head with tiny weights
    weighted = forward_pass.logits - bias
    difference = {
        rectified: relative_difference(activations, weighted, weight, np.zeros_like(bias))
        for rectified, activations in ((False, forward_pass.activations), (True, positive))
    }
    rectified = difference[True] < difference[False] and difference[False] > TOLERANCE
    if difference[rectified] > TOLERANCE:
        return FeatureMaps(
            maps,
            no_cam="the logits differ from a linear function of the averaged maps by "
            f"{difference[rectified]:.2g} of the largest logit",
        )
    return FeatureMaps(maps, weight, rectified)
