"""Networks that are recognised by their weights, or by what the file says of them."""

from __future__ import annotations

from tests.checkpoints.forms import Form, refused, saved, under

OPEN_MMLAB = "model = dict(backbone=dict(type='ResNet', depth=50, style='{}'), head=dict(num_classes=4))"

FORMS = (
    Form("ResNet-34 of torchvision", saved(lambda s: s), architecture="resnet34"),
    Form(
        "ResNet-18 of torchvision, whose tensors fit others too",
        saved(lambda s: {"model": s}),
        says="taken for resnet18, whose tensors these networks have too, which compute differently: timm:resnetblur18",
        architecture="resnet18",
    ),
    Form(
        "SqueezeNet of torchvision, behind `module.`",
        saved(lambda s: under("module.", s)),
        architecture="squeezenet1_1",
    ),
    Form("ResNet-18 of kuangliu", saved(lambda s: {"net": s, "acc": 95.1}), architecture="resnet18-cifar-kuangliu"),
    Form("ResNet-18 of weiaicunzai", saved(lambda s: s), architecture="resnet18-cifar-weiaicunzai"),
    Form("VGG-11 of kuangliu", saved(lambda s: {"net": s}), architecture="vgg11_bn-cifar-kuangliu"),
    Form("VGG-11 of chenyaofo", saved(lambda s: s), architecture="vgg11_bn-cifar-chenyaofo"),
    Form("ResNet-20 of chenyaofo", saved(lambda s: s), architecture="resnet20-cifar"),
    Form("ResNet-20 of akamaster with option B", saved(lambda s: {"state_dict": s}), architecture="resnet20-option-b"),
    refused(
        "ResNet-18 with a 3x3 stem under torchvision's names",
        saved(lambda s: s),
        "its weights fit several networks that compute differently: resnet18-cifar, resnet18-cifar-maxpool (maxpool is "
        "MaxPool2d instead of Identity); name the one it is with --arch",
        architecture="resnet18-cifar",
    ),
    Form(
        "the same, named",
        saved(lambda s: s),
        {"architecture": "resnet18-cifar-maxpool"},
        architecture="resnet18-cifar-maxpool",
    ),
    Form(
        "a file that says `arch: resnet18` of a relative",
        saved(lambda s: {"state_dict": s, "arch": "resnet18"}),
        architecture="resnet18-cifar-kuangliu",
    ),
    Form(
        "Lightning's `hyper_parameters` with `backbone`",
        saved(lambda s: {"state_dict": under("model.", s), "hyper_parameters": {"backbone": "ResNet18"}}),
        architecture="resnet18",
    ),
    refused(
        "a file that says another network",
        saved(lambda s: {"state_dict": s, "arch": "resnet20"}),
        "the file says that it is 'resnet20', but its weights do not fit",
        architecture="resnet34-cifar-kuangliu",
    ),
    Form(
        "OpenMMLab with `style='caffe'`",
        saved(lambda s: {"meta": {"cfg": OPEN_MMLAB.format("caffe")}, "state_dict": under("backbone.", s)}),
        says="the file says style='caffe', so it was taken for resnet50-caffe",
        architecture="resnet50-caffe",
    ),
    refused(
        "tensors of no known network",
        saved(lambda s: {name.replace("layer2.", "stage2."): tensor for name, tensor in s.items()}),
        "tensors are those of none that is known (this project's, torchvision's and timm's)",
    ),
)
