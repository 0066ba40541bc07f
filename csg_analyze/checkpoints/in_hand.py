"""A network in hand -> a `Classifier`: any module in memory, its copy made ready as those from files are."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from csg_analyze.checkpoints.classifier import Classifier, PixelNetwork
from csg_analyze.checkpoints.loading import checked, found_layers
from csg_analyze.checkpoints.modules import answered, prepared, sha256_of_state, unwrapped, with_size
from csg_analyze.checkpoints.preprocessing import Source, combined, of_flags
from csg_analyze.devices import choose_device
from csg_analyze.errors import UsageError
from csg_analyze.metrics.arrays import FloatArray

NOT_NORMALISED = "pixels in [0, 1], not normalised"


def classifier_of(
    module: nn.Module,
    *,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    size: int | None = None,
    resize: int | None = None,
    channels: str | None = None,
    class_names: Sequence[str] | None = None,
    layer: str | None = None,
    name: str = "model",
    gate: FloatArray | Tensor | None = None,
    device: str | None = None,
) -> Classifier:
    """A classifier of any module that takes (N, 3, H, W) and gives logits (N, C). The module itself is not changed.

    A copy is used, in eval mode and float32, on `device` (default: the fastest there is), with the module's hooks.
    mean, std: RGB, for pixels in [0, 1]; both None: pixels are not normalised. size: images are scaled and cropped to
    so many pixels; None: they stay as they are, but for a network that takes one size only. resize: their shorter side
    before the crop, None: `size`. channels: "bgr" for a network that takes blue first, None: "rgb". layer: the feature
    layer; default: the last stage whose maps reach the head. gate: (C, K) in [0, 1]. Raises UsageError for what cannot
    be analysed.

    >>> network = nn.Sequential(
    ...     nn.Conv2d(3, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2)
    ... )
    >>> classifier_of(network, class_names=["cat", "dog"], name="mine")
    Classifier('mine': 'Sequential', 2 classes, 8 filters of '1')
    """
    if not isinstance(module, nn.Module):
        raise UsageError(f"classifier_of takes a torch.nn.Module, not {type(module).__name__}.")
    if (mean is None) != (std is None):
        raise UsageError("give mean and std together, or neither for pixels that are not normalised.")
    otherwise = Source(NOT_NORMALISED, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    preprocessing, _ = combined((*of_flags(mean, std, size, resize, channels), otherwise))
    origins = {part: "given" if origin.startswith("--") else origin for part, origin in preprocessing.origins.items()}
    preprocessing = replace(preprocessing, origin=NOT_NORMALISED if mean is None else "given", origins=origins)
    network, notes = prepared(_copied(unwrapped(module)))
    preprocessing = with_size(network, preprocessing)
    n_classes, code = answered(network, preprocessing)
    pixels = PixelNetwork(network, preprocessing).eval()
    try:
        layers = found_layers(pixels, preprocessing, layer)
    except UsageError as error:
        raise UsageError(f"{name} (in memory): {error}") from error
    classifier = Classifier(
        name=name,
        path=None,
        sha256=sha256_of_state(unwrapped(module)),
        architecture=type(network).__name__,
        network=pixels.requires_grad_(False).to(choose_device(device)).to(memory_format=torch.channels_last),
        preprocessing=preprocessing,
        feature_layer=layers.feature_layer,
        head=layers.head,
        n_classes=n_classes,
        n_filters=layers.n_filters,
        class_names=None if class_names is None else tuple(class_names),
        gate=_as_array(gate),
        training=None if gate is None else "CSG",
        notes=notes,
        code=code,
        head_input=layers.head_input,
    )
    classifier = checked(classifier)
    if gate is not None and classifier.gate is None:
        shape = (classifier.n_classes, classifier.n_filters)
        raise UsageError(f"the gate has shape {tuple(gate.shape)}, but classes x filters is {shape}.")
    return classifier


def _copied(module: nn.Module) -> nn.Module:
    try:
        return copy.deepcopy(module)
    except Exception as error:  # tensors that belong to a graph, or the user's own __deepcopy__
        said = " ".join(str(error).split())
        raise UsageError(
            f"{type(module).__name__} cannot be copied ({said}); give a new module with the same state_dict()."
        ) from error


def _as_array(gate: FloatArray | Tensor | None) -> FloatArray | None:
    if gate is None:
        return None
    values: FloatArray = np.array(gate.detach().cpu().numpy() if isinstance(gate, Tensor) else gate, dtype=np.float64)
    if values.ndim != 2 or not (np.isfinite(values).all() and values.min() >= 0 and values.max() <= 1):
        raise UsageError(f"a gate is (classes, filters) with values in [0, 1]; not of shape {values.shape}.")
    return values
