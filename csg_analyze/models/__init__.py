"""Networks by name, and the layers that analyses read."""

from csg_analyze.models.catalogue import NETWORKS, TORCHVISION, architectures, build
from csg_analyze.models.cifar import CifarAlexNet, CifarResNet, PaddedShortcut
from csg_analyze.models.layers import NO_LAYERS, Executed, Layers, examine, execution_order, find_layers
from csg_analyze.models.views import attached, channels_of

__all__ = [
    "NETWORKS", "NO_LAYERS", "TORCHVISION", "CifarAlexNet", "CifarResNet", "Executed", "Layers", "PaddedShortcut",
    "architectures", "attached", "build", "channels_of", "examine", "execution_order", "find_layers",
]  # fmt: skip
