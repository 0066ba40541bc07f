"""Networks by name, and the layers that analyses read."""

from csg_analyze.models.caffe_resnets import CAFFE
from csg_analyze.models.catalogue import NETWORKS, TORCHVISION, architectures, build, timm_architectures
from csg_analyze.models.cifar import CifarAlexNet, CifarResNet, PaddedShortcut
from csg_analyze.models.layers import Executed, execution_order, find_layers
from csg_analyze.models.timm_networks import TIMM

__all__ = [
    "CAFFE", "NETWORKS", "TIMM", "TORCHVISION", "CifarAlexNet", "CifarResNet", "Executed", "PaddedShortcut",
    "architectures", "build", "execution_order", "find_layers", "timm_architectures",
]  # fmt: skip
