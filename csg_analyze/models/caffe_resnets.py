"""ResNets in Caffe's style, whose files have the tensors of torchvision's and mean another function.

He et al. 2016 halve the maps in a bottleneck's first 1x1 convolution, torchvision in its 3x3 convolution.
"""

from __future__ import annotations

from functools import partial

from torch import nn

DEPTHS = (50, 101, 152)


def caffe_resnet(depth: int, n_classes: int) -> nn.Module:
    """torchvision's ResNet of that depth with each bottleneck's stride moved to its first convolution."""
    from torchvision.models import get_model
    from torchvision.models.resnet import Bottleneck

    network: nn.Module = get_model(f"resnet{depth}", weights=None, num_classes=n_classes)
    for module in network.modules():
        if isinstance(module, Bottleneck):
            module.conv1.stride, module.conv2.stride = module.conv2.stride, (1, 1)
    return network


CAFFE = {f"resnet{depth}-caffe": partial(caffe_resnet, depth) for depth in DEPTHS}
"""Name -> network of so many classes, for images as torchvision's ResNets take them."""
