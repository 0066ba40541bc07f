"""The inputs that an analyzer may request: one function per input, whose parameters name the inputs it needs itself.

The run provides `classifier`, `dataset`, `compared` (all classifiers of the run with their datasets, this one included,
for numbers that must be the same for all), `requested` (the names of all inputs of the run), `cache` and `track`
(progress). A function raises NotAvailable, with the reason, for an input that a model or dataset does not have.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np
import torch

from csg_analyze.checkpoints import Classifier
from csg_analyze.data import Dataset
from csg_analyze.errors import NotAvailable
from csg_analyze.inputs.filters import near_convolutions
from csg_analyze.inputs.forward import ForwardPass, forward_pass
from csg_analyze.metrics.arrays import FloatArray, IntArray

__all__ = [
    "Compared",
    "activations",
    "class_names",
    "forward_pass",
    "gate",
    "gate_bound",
    "labels",
    "layer_activations",
    "logits",
    "pictures",
    "predictions",
    "sample_ids",
]

Compared: TypeAlias = tuple[tuple[Classifier, Dataset], ...]
"""The classifiers of a run in their order, with the datasets on which they are analysed."""


def activations(classifier: Classifier, forward_pass: ForwardPass) -> FloatArray:
    """Averaged activations of the feature layer, float32 (N, K). Raises NotAvailable where there is no such layer."""
    classifier.layer()
    return forward_pass.activations


def logits(forward_pass: ForwardPass) -> FloatArray:
    """Float32 (N, C)."""
    return forward_pass.logits


def predictions(logits: FloatArray) -> IntArray:
    """The class with the highest logit, int64 (N,)."""
    predicted: IntArray = logits.argmax(axis=1)
    return predicted


def layer_activations(classifier: Classifier, forward_pass: ForwardPass) -> Mapping[str, FloatArray]:
    """Averaged outputs of all convolutions, float32 (N, K_layer), by name in the order of definition.

    Raises NotAvailable for a network without convolutions, or with none that are near its feature layer.
    """
    near_convolutions(classifier)
    return forward_pass.layers


def labels(dataset: Dataset) -> IntArray:
    """Int64 (N,), indices into the class names."""
    values: IntArray = dataset.labels.numpy()
    return values


def class_names(dataset: Dataset) -> tuple[str, ...]:
    """C names, in the order of the network's outputs."""
    return dataset.class_names


def sample_ids(dataset: Dataset) -> tuple[str, ...]:
    """N names, the same for every compared model."""
    return dataset.sample_ids


def pictures(dataset: Dataset) -> Callable[[IntArray], np.ndarray]:
    """A function from indices (n,) to those images, uint8 (n, H, W, 3), for figures."""

    def pictures_at(indices: IntArray) -> np.ndarray:
        images = dataset.images[torch.from_numpy(np.asarray(indices))]
        channels_last: np.ndarray = images.permute(0, 2, 3, 1).cpu().numpy()
        return channels_last

    return pictures_at


def gate(classifier: Classifier) -> FloatArray:
    """The class-specific gate, float64 (C, K) in [0, 1]."""
    if classifier.gate is None:
        raise NotAvailable("no gate in this checkpoint")
    return classifier.gate.view()  # a view can become read-only, and leaves the classifier's gate as it is


def gate_bound(classifier: Classifier) -> float:
    """The bound g on the gate's L1 norm that training used (Eq. 2)."""
    if classifier.network.outputs is not None:
        raise NotAvailable("the gate bound g is that of all classes of the network, of which some are left out")
    bound = classifier.record.get("gate_bound")
    if not isinstance(bound, int | float):
        raise NotAvailable("no gate bound g is recorded in this checkpoint")
    return float(bound)
