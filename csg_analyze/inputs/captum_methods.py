"""Attributions of captum, by the name of their class, as maps for the labels."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import captum.attr
import torch
from torch import Tensor, nn

from csg_analyze.checkpoints import Classifier
from csg_analyze.errors import UsageError, unknown

REWIRING = ("DeepLift", "GuidedBackprop", "GuidedGradCam", "Deconvolution")
"""Methods that replace nn.ReLU modules; they have no effect on a network that calls the function instead."""

RANDOM = (
    "GradientShap", "LayerGradientShap", "NeuronGradientShap", "ShapleyValueSampling", "ShapleyValues", "KernelShap",
    "Lime", "LimeBase", "NoiseTunnel", "FeaturePermutation",
)  # fmt: skip
"""Methods that draw from global generators, so that their maps depend on earlier draws."""

PATCHES = 8
"""Squares along the shorter side of the image, for methods that hide one square at a time."""

Attribute = Callable[[Tensor, Tensor], Tensor]


def class_attribution(classifier: Classifier, name: str) -> Attribute:
    """A function from pixels (n, 3, H, W) and classes (n,) to maps, (n, H, W) or (n, h, w).

    Attributions of pixels become their L2 norm over the colours. Attributions of the feature layer are summed over the
    filters, and negative sums become 0, as in Grad-CAM. Baselines are black images. Raises UsageError for a name that
    captum does not have, and for a method that cannot be used in this way or on this network.
    """
    kind = _captum_class(name)
    if any(method in name for method in REWIRING) and not _has_relu_modules(classifier):
        raise UsageError(
            f"captum's {name} works by changing nn.ReLU modules, and this network has none (it calls the function): "
            "its maps would be another method's."
        )
    arguments = {"layer": classifier.layer()} if "layer" in inspect.signature(kind).parameters else {}
    method: Any = kind(classifier.network, **arguments)
    parameters = inspect.signature(method.attribute).parameters
    required = [p.name for p in parameters.values() if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD]
    unmet = set(required) - {"inputs", "target", "baselines", "sliding_window_shapes"}
    if unmet:
        raise UsageError(
            f"captum's {name} needs {', '.join(sorted(unmet))}, for which nothing sensible can be assumed."
        )

    def attribute(pixels: Tensor, classes: Tensor) -> Tensor:
        settings = _settings(parameters, required, pixels, classes)
        try:
            attributions = method.attribute(pixels.detach().clone().requires_grad_(), **settings)
        except (RuntimeError, AssertionError, TypeError, ValueError, AttributeError) as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise UsageError(f"captum's {name} cannot be used on this network: {reason}") from error
        (attributions,) = attributions if isinstance(attributions, tuple) else (attributions,)
        return _as_maps(attributions.detach().float(), pixels, name)

    return attribute


def _captum_class(name: str) -> Any:
    offered = {
        offer: kind
        for offer, kind in vars(captum.attr).items()
        if inspect.isclass(kind) and hasattr(kind, "attribute") and not inspect.isabstract(kind)
    }
    if name not in offered:
        raise unknown("method of captum", name, offered)
    if name in RANDOM:
        raise UsageError(f"captum's {name} draws from global random generators; results would depend on the order.")
    return offered[name]


def _has_relu_modules(classifier: Classifier) -> bool:
    return any(isinstance(module, nn.ReLU) for module in classifier.network.modules())


def _settings(
    parameters: Mapping[str, inspect.Parameter],
    required: list[str],
    pixels: Tensor,
    classes: Tensor,
) -> dict[str, Any]:
    _, colours, height, width = pixels.shape
    patch = max(1, min(height, width) // PATCHES)
    rows, columns = torch.arange(height) // patch, torch.arange(width) // patch
    mask = (rows[:, None] * int(columns[-1] + 1) + columns[None])[None, None].expand(1, colours, -1, -1)
    settings: dict[str, Any] = {
        "target": classes,
        "internal_batch_size": 2 * len(pixels),
        "feature_mask": mask.to(pixels.device),
        "sliding_window_shapes": (colours, patch, patch),
        "strides": (colours, max(1, patch // 2), max(1, patch // 2)),
        "perturbations_per_eval": 8,
    }
    if "baselines" in required:
        settings["baselines"] = torch.zeros_like(pixels[:1]).expand(2, -1, -1, -1)
    return {name: value for name, value in settings.items() if name in parameters}


def _as_maps(attributions: Tensor, pixels: Tensor, name: str) -> Tensor:
    if attributions.shape == pixels.shape:
        length: Tensor = torch.linalg.vector_norm(attributions, dim=1)
        return length
    if attributions.ndim != 4 or len(attributions) != len(pixels):
        raise UsageError(
            f"captum's {name} gives {tuple(attributions.shape)} for images of {tuple(pixels.shape)}, not maps."
        )
    return attributions.sum(dim=1).clamp(min=0)
