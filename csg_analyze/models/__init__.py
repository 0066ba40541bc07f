"""Networks by name, and the layers that analyses read."""

from csg_analyze.models.caffe_resnets import CAFFE
from csg_analyze.models.catalogue import NETWORKS, TORCHVISION, architectures, build, timm_architectures
from csg_analyze.models.cifar import CifarAlexNet, CifarResNet, PaddedShortcut
from csg_analyze.models.layers import NO_LAYERS, Executed, Layers, examine, execution_order, find_layers
from csg_analyze.models.sizes import built_for, is_for, option_of_size, scaled
from csg_analyze.models.timm_networks import TIMM
from csg_analyze.models.views import attached, channels_of

__all__ = [
    "CAFFE", "NETWORKS", "NO_LAYERS", "TIMM", "TORCHVISION", "CifarAlexNet", "CifarResNet", "Executed", "Layers",
    "PaddedShortcut", "architectures", "attached", "build", "built_for", "channels_of", "examine", "execution_order",
    "find_layers", "is_for", "option_of_size", "scaled", "timm_architectures",
]  # fmt: skip
