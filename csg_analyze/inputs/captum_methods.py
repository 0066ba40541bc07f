"""Any attribution that captum offers, by the name of its class, as maps of the labelled classes."""

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
"""Methods that change what nn.ReLU modules do, and silently nothing where a network calls the function instead."""

RANDOM = (
    "GradientShap", "LayerGradientShap", "NeuronGradientShap", "ShapleyValueSampling", "ShapleyValues", "KernelShap",
    "Lime", "LimeBase", "NoiseTunnel", "FeaturePermutation",
)  # fmt: skip
"""Methods that draw from global generators: their maps would depend on what was drawn before."""

PATCHES = 8
"""Squares along the shorter side that methods which hide parts of the image hide one at a time."""

Attribute = Callable[[Tensor, Tensor], Tensor]


def class_attribution(classifier: Classifier, name: str) -> Attribute:
    """A function from pixels (n, 3, H, W) and classes (n,) to maps, (n, H, W) or (n, h, w).

    Attributions of pixels become their L2 norm over the colours; those of the feature layer are summed over the
    filters, and what is negative of the sum is cut off (as Grad-CAM does). Baselines are black images. Raises
    UsageError for a name that captum does not have, and for a method that this network or this use does not allow.
    """
    kind = _found(name)
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
            found = method.attribute(pixels.detach().clone().requires_grad_(), **settings)
        except (RuntimeError, AssertionError, TypeError, ValueError, AttributeError) as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise UsageError(f"captum's {name} cannot be used on this network: {reason}") from error
        (found,) = found if isinstance(found, tuple) else (found,)
        return _as_maps(found.detach().float(), pixels, name)

    return attribute


def _found(name: str) -> Any:
    offered = {
        known: kind
        for known, kind in vars(captum.attr).items()
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
    known: dict[str, Any] = {
        "target": classes,
        "internal_batch_size": 2 * len(pixels),
        "feature_mask": mask.to(pixels.device),
        "sliding_window_shapes": (colours, patch, patch),
        "strides": (colours, max(1, patch // 2), max(1, patch // 2)),
        "perturbations_per_eval": 8,
    }
    if "baselines" in required:
        known["baselines"] = torch.zeros_like(pixels[:1]).expand(2, -1, -1, -1)
    return {name: value for name, value in known.items() if name in parameters}


def _as_maps(found: Tensor, pixels: Tensor, name: str) -> Tensor:
    if found.shape == pixels.shape:
        length: Tensor = torch.linalg.vector_norm(found, dim=1)
        return length
    if found.ndim != 4 or len(found) != len(pixels):
        raise UsageError(f"captum's {name} gives {tuple(found.shape)} for images of {tuple(pixels.shape)}, not maps.")
    return found.sum(dim=1).clamp(min=0)
