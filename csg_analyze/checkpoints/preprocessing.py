"""A network's preprocessing: from the flags, else the file, else torchvision, else ImageNet's with a note."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from csg_analyze.checkpoints.classifier import Preprocessing
from csg_analyze.errors import UsageError
from csg_analyze.models import CAFFE, NETWORKS, TIMM, TORCHVISION

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
ASSUMED = (
    "assumed: ImageNet's mean and std (the file does not say; give --mean and --std if it was trained with others)"
)


def find_preprocessing(
    architecture: str | None,
    recorded: Mapping[str, Any] | None,
    *,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    size: int | None = None,
) -> Preprocessing:
    """The preprocessing that the file records, torchvision's or ImageNet's, with the values of flags in their place.

    architecture: None for a network that neither this project nor torchvision builds.
    Raises UsageError for flags without exactly three numbers, a std that is not positive, a size below 1.
    """
    preprocessing = _without_flags(architecture, recorded)
    flagged: dict[str, Any] = {}
    if mean is not None:
        flagged["mean"] = _three("--mean", mean)
    if std is not None:
        flagged["std"] = _three("--std", std)
        if min(flagged["std"]) <= 0:
            raise UsageError(f"--std needs three numbers above 0, not {list(std)}.")
    if size is not None:
        if size < 1:
            raise UsageError(f"--size must be at least 1 pixel, not {size}.")
        flagged |= {"size": size, "resize": None}
    if not flagged:
        return preprocessing
    flags = ", ".join(f"--{name}" for name in flagged if name != "resize")
    # the note that mean and std were assumed holds until both have flags
    origin = flags if {"mean", "std"} <= set(flagged) else f"{flags}; the rest {preprocessing.origin}"
    return replace(preprocessing, **flagged, origin=origin)


def _without_flags(architecture: str | None, recorded: Mapping[str, Any] | None) -> Preprocessing:
    if recorded is not None:
        mean, std = _three("mean", recorded["mean"]), _three("std", recorded["std"])
        return Preprocessing(mean, std, recorded.get("size"), recorded.get("resize"), "the checkpoint's own record")
    if architecture is None:
        return Preprocessing(IMAGENET_MEAN, IMAGENET_STD, origin=ASSUMED)
    if architecture in NETWORKS:
        return Preprocessing(IMAGENET_MEAN, IMAGENET_STD, size=32, origin=ASSUMED)
    if architecture in CAFFE or architecture.startswith(TIMM):
        return Preprocessing(IMAGENET_MEAN, IMAGENET_STD, size=224, resize=256, origin=ASSUMED)
    from torchvision.models import get_model_weights

    weights = list(get_model_weights(architecture.removeprefix(TORCHVISION)))
    transform = weights[0].transforms()  # the first, IMAGENET1K_V1, from which most files are derived
    return Preprocessing(
        tuple(transform.mean),
        tuple(transform.std),
        transform.crop_size[0],
        transform.resize_size[0],
        f"torchvision's transforms for {weights[0]}",
    )


def _three(name: str, values: Sequence[float]) -> tuple[float, float, float]:
    if len(values) != 3:
        raise UsageError(f"{name} needs three numbers (red,green,blue), not {len(values)}.")
    red, green, blue = (float(value) for value in values)
    return red, green, blue
