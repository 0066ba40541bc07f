"""One small network of each kind of timm and transformers: layer, head, and that nothing found is trivially zero."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from captum.attr import LayerGradCam
from torch import Tensor, nn

from csg_analyze.checkpoints import Classifier, classifier_of
from csg_analyze.inputs.ablation import ablation
from csg_analyze.inputs.cache import Cache
from csg_analyze.inputs.forward import forward_pass
from csg_analyze.progress import untracked
from tests.examples import random_dataset
from tests.models.examples import SIZE, seeded

DATA = random_dataset(4, 4)


class Logits(nn.Module):
    """A classifier of transformers as a network that gives logits."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: Tensor) -> Tensor:
        return self.network(pixels).logits


def transformers(kind: str, **sizes: Any) -> Callable[[], nn.Module]:
    """An image classifier of transformers."""
    library = pytest.importorskip("transformers")
    configuration = getattr(library, f"{kind}Config")(num_labels=4, **sizes)
    return lambda: Logits(getattr(library, f"{kind}ForImageClassification")(configuration))


def check(network: nn.Module, layer: str, head: str, kind: str) -> Classifier:
    classifier = classifier_of(network, size=SIZE)
    assert classifier.head_input is not None
    # names begin otherwise in other versions of these libraries
    assert classifier.feature_layer.endswith(layer)
    assert classifier.head.endswith(head)
    assert classifier.head_input.kind == kind
    run = forward_pass(classifier, DATA, frozenset(), Cache(None), untracked)
    assert run.activations.shape == (4, classifier.n_filters)
    removed = ablation(classifier, DATA, run, untracked, ablate="network").logits(
        np.arange(classifier.n_filters) % 2 > 0
    )
    assert np.abs(removed - run.logits).max() > 1e-4 * np.abs(run.logits).max()
    pixels = DATA.images[:2].float() / 255
    grad_cam = LayerGradCam(classifier.network, classifier.layer()).attribute(pixels, 1, relu_attributions=False)
    assert grad_cam.abs().max() > 0
    return classifier


TINY = {"img_size": SIZE, "embed_dim": 16, "num_heads": 2}
OF_TIMM: dict[str, tuple[str, dict[str, Any], str, str, str]] = {
    "vit": ("VisionTransformer", {**TINY, "patch_size": 8, "depth": 2}, "blocks.1.norm1", "head", "class token"),
    "vit with registers": (
        "VisionTransformer", {**TINY, "patch_size": 8, "depth": 2, "reg_tokens": 4}, "blocks.1.norm1", "head",
        "class token",
    ),
    "vit, tokens averaged": (
        "VisionTransformer", {**TINY, "patch_size": 8, "depth": 2, "global_pool": "avg"}, "blocks", "head", "mean",
    ),
    "deit, distilled": (
        "deit.VisionTransformerDistilled", {**TINY, "patch_size": 8, "depth": 2}, "blocks.1.norm1", "head_dist",
        "class token",
    ),
    "swin": (
        "SwinTransformer",
        {"img_size": SIZE, "patch_size": 4, "embed_dim": 8, "depths": (1, 1), "num_heads": (2, 2), "window_size": 4},
        "norm", "head.fc", "mean",
    ),
    "convnext": ("ConvNeXt", {"depths": (1, 1, 1, 1), "dims": (8, 8, 8, 8)}, "stages", "head.fc", "mean"),
    "mixer": (
        "MlpMixer", {"img_size": SIZE, "patch_size": 8, "num_blocks": 1, "embed_dim": 16}, "norm", "head", "mean",
    ),
    "pvt": (
        "pvt_v2.PyramidVisionTransformerV2",
        {"depths": (1, 1), "embed_dims": (8, 12), "num_heads": (1, 2), "sr_ratios": (2, 1), "mlp_ratios": (2, 2)},
        "stages", "head", "mean",
    ),
    "resnet": (
        "ResNet", {"block": "BasicBlock", "layers": (1, 1, 1, 1), "channels": (4, 4, 4, 8)}, "layer4", "fc", "mean",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", OF_TIMM)
def test_timm(name: str) -> None:
    kind, sizes, layer, head, reads = OF_TIMM[name]
    models = pytest.importorskip("timm").models
    make: Any = models
    for part in kind.split("."):
        make = getattr(make, part)
    if sizes.get("block"):
        sizes = {**sizes, "block": models.resnet.BasicBlock}
    check(seeded(lambda: make(num_classes=4, **sizes)), layer, head, reads)


OF_TRANSFORMERS: dict[str, tuple[str, dict[str, Any], str, str, str]] = {
    "vit": (
        "ViT",
        {"image_size": SIZE, "patch_size": 8, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
         "intermediate_size": 24},
        "1.layernorm_before", "classifier", "class token",
    ),
    "swin": (
        "Swin",
        {"image_size": SIZE, "patch_size": 4, "embed_dim": 8, "depths": [1, 1], "num_heads": [2, 2], "window_size": 4},
        "swin.layernorm", "classifier", "mean",
    ),
    "convnext": (
        "ConvNext", {"hidden_sizes": [8, 8, 8, 8], "depths": [1, 1, 1, 1]},
        "convnext.encoder", "classifier", "mean",
    ),
    "resnet": (
        "ResNet", {"embedding_size": 8, "hidden_sizes": [8, 12], "depths": [1, 1], "layer_type": "basic"},
        "resnet.encoder", "classifier.1", "mean",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", OF_TRANSFORMERS)
def test_transformers(name: str) -> None:
    kind, sizes, layer, head, reads = OF_TRANSFORMERS[name]
    check(seeded(transformers(kind, **sizes)), layer, head, reads)


def test_a_layer_inside_may_be_named() -> None:
    """Blocks of transformers give tuples, or tensors, by its version."""
    kind, sizes, *_ = OF_TRANSFORMERS["vit"]
    network = seeded(transformers(kind, **sizes))
    norm = next(name for name, _ in network.named_modules() if name.endswith("0.layernorm_before"))
    classifier = classifier_of(network, size=SIZE, layer=norm.rpartition(".")[0])
    run = forward_pass(classifier, DATA, frozenset(), Cache(None), untracked)
    assert run.activations.shape == (4, 16)
    assert torch.isfinite(torch.from_numpy(run.activations)).all()
