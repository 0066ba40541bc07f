"""Networks by name, and the layers that analyses read."""

from csg_analyze.models.caffe_resnets import CAFFE
from csg_analyze.models.catalogue import NETWORKS, TORCHVISION, architectures, build, timm_architectures
from csg_analyze.models.cifar import CifarAlexNet, CifarResNet, PaddedShortcut
from csg_analyze.models.layers import Executed, execution_order, find_layers
from csg_analyze.models.sizes import built_for, is_for, option_of_size, scaled
from csg_analyze.models.timm_networks import TIMM

__all__ = [
    "CAFFE", "NETWORKS", "TIMM", "TORCHVISION", "CifarAlexNet", "CifarResNet", "Executed", "PaddedShortcut",
    "architectures", "build", "built_for", "execution_order", "find_layers", "is_for", "option_of_size", "scaled",
    "timm_architectures",
]  # fmt: skip
