"""One way to build any network by name: this project's own, torchvision's and timm's."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from torch import nn

from csg_analyze.errors import UsageError, unknown
from csg_analyze.extras import optional
from csg_analyze.models.caffe_resnets import CAFFE
from csg_analyze.models.cifar import CifarAlexNet, CifarResNet
from csg_analyze.models.cifar_resnets import cifar_resnets
from csg_analyze.models.cifar_vggs import cifar_vggs
from csg_analyze.models.timm_networks import TIMM, not_built, timm_network

NETWORKS: dict[str, Callable[[int], nn.Module]] = {
    "resnet8": partial(CifarResNet, 1),
    "resnet20": partial(CifarResNet, 3),
    "resnet32": partial(CifarResNet, 5),
    "resnet44": partial(CifarResNet, 7),
    "resnet56": partial(CifarResNet, 9),
    "resnet110": partial(CifarResNet, 18),
    "alexnet": CifarAlexNet,
    **cifar_resnets(),
    **cifar_vggs(),
}
"""This project's own networks for 32x32 images: from a number of classes to a freshly initialised network."""

TORCHVISION = "torchvision:"


def architectures() -> list[str]:
    """The project's own networks, then torchvision's classification networks, as `build` names them; not timm's."""
    import torchvision.models
    from torchvision.models import list_models

    theirs = list_models(module=torchvision.models)
    return [*NETWORKS, *CAFFE, *(name if name not in NETWORKS else TORCHVISION + name for name in theirs)]


def timm_architectures() -> list[str]:
    """All networks of timm, as `build` names them. Raises UsageError if timm is missing."""
    return [TIMM + name for name in optional("timm", "the list of timm's networks").list_models()]


def build(architecture: str, n_classes: int, **options: Any) -> nn.Module:
    """A freshly initialised network in train mode, drawing from torch's global generator.

    For a name of two networks (alexnet), `torchvision:NAME` is torchvision's, and NAME the project's own. `timm:NAME`
    is timm's. options: more arguments for the library's function that builds it.
    Raises UsageError for an unknown name, suggesting the nearest, for options that the network does not take, and for
    fewer than two classes.
    """
    if n_classes < 2:
        raise UsageError(f"a classifier needs at least 2 classes, not {n_classes}.")
    if architecture.startswith(TIMM):
        return timm_network(architecture.removeprefix(TIMM), n_classes, options)
    own = NETWORKS.get(architecture) or CAFFE.get(architecture)
    if own is not None:
        if options:
            raise UsageError(f"{architecture!r} takes no options, such as {min(options)!r}.")
        return own(n_classes)
    if architecture not in architectures():
        raise unknown("architecture", architecture, architectures())
    from torchvision.models import get_model

    name = architecture.removeprefix(TORCHVISION)
    auxiliary = {"aux_logits": False, "init_weights": True} if name in ("googlenet", "inception_v3") else {}
    try:
        network: nn.Module = get_model(name, **{**auxiliary, **options, "weights": None, "num_classes": n_classes})
    except (TypeError, ValueError, AssertionError) as error:
        raise not_built("torchvision", name, options, error) from error
    return network
