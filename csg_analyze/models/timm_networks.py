"""Networks of timm, an optional library, by their names there."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from torch import nn

from csg_analyze.errors import UsageError, unknown
from csg_analyze.extras import optional

TIMM = "timm:"


def timm_network(name: str, n_classes: int, options: Mapping[str, Any]) -> nn.Module:
    """timm's network of that name with fresh weights. options: more arguments, such as drop_rate or img_size.

    The name may have the tag of timm's weights (`resnet50.a1_in1k`). Nothing is read or downloaded. Raises UsageError
    if timm is missing, for an unknown name, suggesting the nearest, and for options that the network does not take.
    """
    timm = optional("timm", f"architecture {TIMM}{name}")
    if not timm.is_model(name.partition(".")[0]):
        raise unknown("network of timm", name, timm.list_models())
    how = inspect.signature(timm.create_model).parameters.keys() & options.keys()
    if how:  # where weights come from, not what the network is
        raise UsageError(f"{min(how)!r} is no option of timm's network {name!r}.")
    try:
        network: nn.Module = timm.create_model(name, pretrained=False, **{**options, "num_classes": n_classes})
    except Exception as error:  # each network checks its options in its own way
        raise not_built("timm", name, options, error) from error
    return network


def size_option(name: str, size: int) -> dict[str, Any]:
    """The option that builds timm's network of that name for images of size x size; empty where it takes any size."""
    timm = optional("timm", f"architecture {TIMM}{name}")
    base = name.partition(".")[0]
    settings = timm.models.get_pretrained_cfg(base) if timm.is_model(base) else None
    return {"img_size": size} if settings is not None and settings.fixed_input_size else {}


def not_built(library: str, name: str, options: Mapping[str, Any], error: Exception) -> UsageError:
    """The error for a network that a library does not build with these options, in its own words."""
    given = ", ".join(f"{key}={value!r}" for key, value in options.items()) or "no options"
    said = " ".join(str(error).split()).rstrip(".!") or type(error).__name__
    return UsageError(f"{library} does not build {name!r} with {given}: {said}.")
