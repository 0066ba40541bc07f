"""Files and folders of timm's and of transformers'."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch
from torch import nn

from tests.checkpoints.forms import Form, Make, refused, saved

NAMES = ["cat", "dog", "emu", "fox"]
TINY = {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1], "layer_type": "basic"}


def timm_folder(safe: bool, **built_with: Any) -> Make:
    def make(network: nn.Module, folder: Path) -> Path:
        from timm.models import save_for_hf

        how: Any = {"model_config": {"label_names": NAMES}, "safe_serialization": "both" if safe else False}
        save_for_hf(network, str(folder), model_args=built_with or None, **how)
        return folder

    return make


def classifier_of_transformers() -> nn.Module:
    """A tiny ResNet that gives logits, with names of classes."""
    from transformers import AutoModelForImageClassification, ResNetConfig

    labels = dict(enumerate(NAMES))
    network: nn.Module = AutoModelForImageClassification.from_config(ResNetConfig(**TINY, id2label=labels))
    network.register_forward_hook(lambda _network, _pixels, output: output.logits)
    return network


def transformers_folder(**how: Any) -> Make:
    def make(network: nn.Module, folder: Path) -> Path:
        network.save_pretrained(folder, **how)  # type: ignore[operator]
        return folder

    return make


def with_bin(network: nn.Module, folder: Path) -> Path:
    """As the library wrote folders before safetensors, by DataParallel."""
    network.config.save_pretrained(folder)  # type: ignore[operator, union-attr]
    torch.save({f"module.{name}": t for name, t in network.state_dict().items()}, folder / "pytorch_model.bin")
    return folder


def without_head(_network: nn.Module, folder: Path) -> Path:
    from transformers import ResNetConfig, ResNetModel

    ResNetModel(ResNetConfig(**TINY)).save_pretrained(folder)
    return folder


def whole(network: nn.Module, folder: Path) -> Path:
    torch.save(network, folder / "whole.pt")
    return folder / "whole.pt"


TIMM = "timm:test_resnet"
RESNET: dict[str, Any] = {
    "build": classifier_of_transformers,
    "architecture": "transformers",
    "loaded_as": "ResNetForImageClassification",
}
FORMS = (
    Form(
        "a training file of timm",
        saved(lambda s: {"arch": "resnet", "state_dict": s, "args": argparse.Namespace(lr=0.1), "epoch": 3}),
        {"architecture": TIMM},
        architecture=TIMM,
    ),
    Form("a folder of timm with `model.safetensors`", timm_folder(True), architecture=TIMM,
         says="model.safetensors was read, not pytorch_model.bin"),
    Form("a folder of timm with `pytorch_model.bin`", timm_folder(False), architecture=TIMM,
         says="class names are those of the file's"),
    Form("a folder of transformers", transformers_folder(), says="safetensors files carry no checksums", **RESNET),
    Form("a folder of transformers in shards", transformers_folder(max_shard_size="10KB"),
         says="safetensors files carry no checksums", **RESNET),
    Form("a folder of transformers with `pytorch_model.bin`", with_bin,
         says="class names are those of the file's", **RESNET),
    Form("a whole module of timm, with leave", whole, {"allow_pickle": True}, architecture=TIMM, loaded_as="ResNet"),
    refused("a whole module of timm", whole, "holds Python objects (timm.models.resnet.ResNet, ", architecture=TIMM),
    refused("a folder of transformers without a head", without_head, "ResNetModel is no image classifier"),
)  # fmt: skip
