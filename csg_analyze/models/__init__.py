"""Networks by name, and the layers that analyses read."""

from csg_analyze.models.catalogue import NETWORKS, TORCHVISION, architectures, build
from csg_analyze.models.cifar import CifarAlexNet, CifarResNet, PaddedShortcut
from csg_analyze.models.layers import Executed, execution_order, find_layers

__all__ = [
    "NETWORKS", "TORCHVISION", "CifarAlexNet", "CifarResNet", "Executed", "PaddedShortcut", "architectures", "build",
    "execution_order", "find_layers",
]  # fmt: skip
