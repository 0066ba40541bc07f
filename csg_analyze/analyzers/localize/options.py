"""The options of the localization, read and checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from csg_analyze.errors import NotAvailable, UsageError, unknown
from csg_analyze.metrics.attribution import FeatureMaps

BACKWARD = 1.5
"""Cost of a filter's gradient and of scoring its map, in forward passes."""
METHODS = ("gradmap", "activmap", "cam", "gradcam")


def chosen_methods(text: str, feature_maps: FeatureMaps) -> tuple[list[str], list[str]]:
    """The methods named in `text` that this network has, and notes on those it does not have.

    Raises UsageError for an unknown method, NotAvailable if the network has none of them.
    """
    names = list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if names == ["auto"]:
        names = ["gradmap", "activmap"]
        if feature_maps.weight is not None:
            return [*names, "cam"], []
        if feature_maps.featureless:
            return names, [f"no CAM, and no Grad-CAM instead: {feature_maps.no_cam}."]
        return [*names, "gradcam"], [f"no CAM, Grad-CAM instead: {feature_maps.no_cam}."]
    if not names:
        raise UsageError("--methods names no method; leave it at auto, or give for example gradmap,activmap,cam.")
    for name in names:
        if name not in METHODS and not name.startswith("captum:"):
            raise unknown("method", name, (*METHODS, "captum:IntegratedGradients"))
    if "cam" in names and feature_maps.weight is None:
        names.remove("cam")
        if not names:
            instead = "" if feature_maps.featureless else "; ask for gradcam"
            raise NotAvailable(f"no class activation maps: {feature_maps.no_cam}{instead}")
        instead = "" if feature_maps.featureless else "; --methods gradcam is possible"
        return names, [f"no CAM: {feature_maps.no_cam}{instead}."]
    return names, []


def rates_of(deltas: str) -> tuple[float, ...]:
    """The IoUs of the rates. Raises UsageError unless all are numbers between 0 and 1."""
    try:
        rates = tuple(dict.fromkeys(float(part) for part in deltas.split(",") if part.strip()))
    except ValueError:
        rates = ()
    if not rates or not all(0 < delta < 1 for delta in rates):
        raise UsageError(f"--deltas takes numbers between 0 and 1, separated by commas, e.g. 0.2,0.3; not {deltas!r}.")
    return rates


def check_counts(**counts: int) -> None:
    """Raises UsageError for a count below 1."""
    for name, count in counts.items():
        if count < 1:
            raise UsageError(f"--{name.replace('_', '-')} must be at least 1, not {count}.")


def passes_of_localize(settings: Mapping[str, Mapping[str, Any]], n: int) -> float:
    """See `about.Passes`: GradMap's one pass back for every filter; the other methods cost little beside it."""
    own = settings["localize"]
    names = [name.strip() for name in own["methods"].split(",")]
    by_gradients = "gradmap" in names or "auto" in names
    return n * (1 + BACKWARD * own["gradmap_filters"]) if by_gradients else 0.0
