"""Networks that take images of one size only, such as ViTs: built for another, or scaled to it."""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from csg_analyze.errors import UsageError
from csg_analyze.models.catalogue import TORCHVISION
from csg_analyze.models.timm_networks import TIMM, fixed_side


def option_of_size(architecture: str, size: int) -> dict[str, Any]:
    """The option of `build` for images of size x size; empty for networks that take any size, and unknown ones."""
    if architecture.startswith(TIMM):
        return {"img_size": size} if fixed_side(architecture.removeprefix(TIMM)) else {}
    name = architecture.removeprefix(TORCHVISION)
    if name.startswith("vit_"):
        return {"image_size": size}
    return {"input_size": (size, size)} if name == "maxvit_t" else {}


def built_for(architecture: str, options: Mapping[str, Any]) -> int | None:
    """The side in pixels of the images that a network of timm with these options takes; None if it takes any."""
    side = fixed_side(architecture.removeprefix(TIMM)) if architecture.startswith(TIMM) else None
    given = options.get("img_size", side)
    given = given[0] if isinstance(given, Sequence) and given else given
    return given if side is not None and isinstance(given, int) else None


def is_for(architecture: str, options: Mapping[str, Any], size: int) -> bool:
    """Whether a network that was built with these options takes images of size x size."""
    wanted = option_of_size(architecture, size)
    return all(options.get(name) in (value, (size, size), [size, size]) for name, value in wanted.items())


def scaled(network: nn.Module, size: int) -> nn.Module:
    """The network itself, for images of size x size, its position embeddings interpolated as its library does.

    Raises UsageError if its library does not scale it, or not to that size.
    """
    from torchvision.models import VisionTransformer

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torch, on how timm interpolates
            if callable(scale := getattr(network, "set_input_size", None)):  # timm
                scale(img_size=size)
            elif isinstance(network, VisionTransformer):
                _scale_of_torchvision(network, size)
            else:
                raise ValueError("its library scales no such network; leave --size out")
    except (AssertionError, ValueError, RuntimeError) as error:
        said = " ".join(str(error).split()).rstrip(".!")
        raise UsageError(f"the network cannot be scaled to {size}x{size} images: {said}.") from error
    return network


def _scale_of_torchvision(network: Any, size: int) -> None:
    from torchvision.models.vision_transformer import interpolate_embeddings

    name, side = "encoder.pos_embedding", network.patch_size
    if size % side:
        raise ValueError(f"its patches have {side}x{side} pixels")
    state = interpolate_embeddings(size, side, OrderedDict({name: network.encoder.pos_embedding.detach()}))
    network.encoder.pos_embedding = nn.Parameter(state[name])
    network.image_size, network.seq_length = size, state[name].shape[1]
