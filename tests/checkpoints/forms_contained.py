"""Files and folders of PyTorch's and of Hugging Face's."""

from __future__ import annotations

import argparse
import collections
import datetime
import json
import warnings
from pathlib import Path

import numpy as np
import torch
import torch.distributed.checkpoint as dcp
from safetensors.torch import save_file
from torch import nn

from tests.checkpoints.forms import Form, Make, refused, saved

SETTINGS = {
    "args": argparse.Namespace(lr=0.1, out=Path("runs"), when=datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC)),
    "best": np.float64(0.9),
    "epoch": np.int64(3),
    "rng": np.random.default_rng(0).integers(0, 9, 5),
    "name": np.str_("a"),
    "counts": collections.defaultdict(list, {"a": [1]}),
    "torch": torch.__version__,
    "took": datetime.timedelta(1),
}


def cast(kind: torch.dtype) -> Make:
    return saved(lambda s: {name: t.to(kind) if t.is_floating_point() else t for name, t in s.items()})


def safetensors(name: str, beside: tuple[str, ...] = ()) -> Make:
    """A safetensors file in a folder; the folder is given if there is anything else in it."""

    def make(network: nn.Module, folder: Path) -> Path:
        save_file(network.state_dict(), folder / name)
        for each in beside:
            (folder / each).write_text("{}")
        return folder if beside else folder / name

    return make


def sharded(ending: str, lost: bool = False, give: str = "") -> Make:
    def make(network: nn.Module, folder: Path) -> Path:
        items = list(network.state_dict().items())
        parts = {f"model-0000{i}-of-00002{ending}": dict(items[i - 1 :: 2]) for i in (1, 2)}
        for name, part in parts.items():
            save_file(part, folder / name) if ending == ".safetensors" else torch.save(part, folder / name)
        index = {"metadata": {}, "weight_map": {tensor: name for name, part in parts.items() for tensor in part}}
        (folder / f"model{ending}.index.json").write_text(json.dumps(index))
        if lost:
            (folder / f"model-00002-of-00002{ending}").unlink()
        return folder / give

    return make


def distributed(network: nn.Module, folder: Path) -> Path:
    content = {"model": network.state_dict(), "epoch": 3, "optim": {"step": torch.ones(3)}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dcp.save(content, checkpoint_id=folder, no_dist=True)
    return folder


def in_folder(*names: str) -> Make:
    def make(network: nn.Module, folder: Path) -> Path:
        for name in names:
            torch.save(network.state_dict(), folder / name)
        return folder

    return make


def whole(old: bool = False) -> Make:
    def make(network: nn.Module, folder: Path) -> Path:
        torch.save(network, folder / "whole.pt", _use_new_zipfile_serialization=not old)
        return folder / "whole.pt"

    return make


def scripted(network: nn.Module, folder: Path) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.trace(network, torch.zeros(1, 3, 32, 32)).save(folder / "script.pt")  # type: ignore[no-untyped-call]
    return folder / "script.pt"


def exported(network: nn.Module, folder: Path) -> Path:
    torch.export.save(torch.export.export(network, (torch.zeros(2, 3, 32, 32),)), folder / "model.pt2")
    return folder / "model.pt2"


CLASSES = "holds Python objects (csg_analyze.models.cifar.CifarResNet, "
FORMS = (
    *(
        Form(f"`{ending}` of torch.save", saved(lambda s: {"state_dict": s}, "w" + ending))
        for ending in (".pt", ".pth", ".th", ".ckpt", ".pth.tar", ".bin", "")
    ),
    Form(
        "torch.save before 1.6 (legacy)",
        saved(lambda s: s, "w.pth", _use_new_zipfile_serialization=False),
        says="the file carries no checksums",
    ),
    Form("weights in fp16", cast(torch.float16), says="weights in float16 were cast to float32"),
    Form("weights in bf16", cast(torch.bfloat16), says="weights in bfloat16 were cast to float32"),
    Form("weights in fp64", cast(torch.float64), says="weights in float64 were cast to float32"),
    Form("`argparse.Namespace`, numpy, paths, dates beside the weights", saved(lambda s: {"model": s, **SETTINGS})),
    Form(
        "entries named as this project's own",
        saved(
            lambda s: {
                "model": s,
                "record": 5,
                "preprocessing": "imagenet",
                "class_names": 4,
                "gate": "no",
                "training": 1.5,
                "feature_layer": [],
            }
        ),
    ),
    Form("`.safetensors`", safetensors("w.safetensors"), says="safetensors files carry no checksums"),
    Form(
        "a folder with `model.safetensors`",
        safetensors("model.safetensors", ("config.json",)),
        says="safetensors files carry no checksums",
    ),
    Form(
        "a folder with `pytorch_model.bin`",
        in_folder("pytorch_model.bin", "training_args.bin"),
        says="pytorch_model.bin was read, not training_args.bin",
    ),
    Form("a folder with one checkpoint", in_folder("any.pth")),
    Form("safetensors in shards, the folder", sharded(".safetensors")),
    Form("safetensors in shards, the index", sharded(".safetensors", give="model.safetensors.index.json")),
    Form("`.bin` in shards", sharded(".bin")),
    Form("a folder of torch.distributed.checkpoint", distributed, says="ignored, as no part of the network: optim"),
    Form("a whole module, with leave", whole(), {"allow_pickle": True}, loaded_as="CifarResNet"),
    Form("TorchScript, with leave", scripted, {"allow_pickle": True}),
    Form("`.pt2` of torch.export, with leave", exported, {"allow_pickle": True}),
    refused("a whole module", whole(), CLASSES),
    refused(
        "a whole module before 1.6 (legacy)",
        whole(old=True),
        "holds Python objects (csg_analyze.models.cifar.CifarResNet)",
    ),
    refused(
        "TorchScript",
        scripted,
        "is a TorchScript archive, code with weights; if you trust its author, add --allow-pickle",
    ),
    refused(
        "`.pt2` of torch.export",
        exported,
        "is a torch.export archive, code with weights; if you trust its author, add --allow-pickle",
    ),
    refused(
        "a folder with several checkpoints",
        in_folder("a.pth", "b.pth"),
        "is a folder with 2 checkpoints (a.pth, b.pth); give one of them",
    ),
    refused(
        "a shard missing",
        sharded(".safetensors", lost=True),
        "names 2 files, of which model-00002-of-00002.safetensors are missing",
    ),
)
