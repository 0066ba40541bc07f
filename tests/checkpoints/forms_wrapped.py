"""Wrappers, prefixes, several sets of weights, and what lies beside them."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from tests.checkpoints.forms import Form, Make, State, other, refused, saved, under


def adam(state: State) -> dict[str, object]:
    moments = {i: {"step": torch.tensor(1.0), "exp_avg": torch.zeros_like(t)} for i, t in enumerate(state.values())}
    return {"state": moments, "param_groups": [{"lr": 0.1, "params": list(range(len(state)))}]}


def averaged(network: nn.Module, folder: Path) -> Path:
    torch.save(AveragedModel(network).state_dict(), folder / "swa.pt")
    return folder / "swa.pt"


def renamed(state: State) -> State:
    """As OpenMMLab names a network: `backbone.` and `head.fc.`."""
    head = {"head." + name: tensor for name, tensor in state.items() if name.startswith("fc.")}
    return under("backbone.", state, without="fc.") | head


WRAPPERS = ("state_dict", "model", "model_state_dict", "net", "network", "params", "weights", "anything_else")
PREFIXES = (
    "module.",
    "_orig_mod.",
    "model.",
    "net.",
    "backbone.",
    "encoder.",
    "module._orig_mod.model.",
    "algorithm.q.",
)
BESIDE: Make = saved(
    lambda s: (
        s | {"criterion.weight": torch.ones(4), "projector.0.weight": torch.ones(8, 64), "queue": torch.ones(9, 4)}
    )
)
LIGHTNING: Make = saved(
    lambda s: {
        "state_dict": under("model.", s) | {"criterion.weight": torch.ones(4)},
        "epoch": 3, "global_step": 9, "pytorch-lightning_version": "2.5", "loops": {}, "lr_schedulers": [],
        "optimizer_states": [adam(s)], "hyper_parameters": {"lr": 0.1},
    },
    "epoch=3.ckpt",
)  # fmt: skip
MOMENTUM: Make = saved(
    lambda s: {"state_dict": under("module.encoder_q.", s) | under("module.encoder_k.", other(s))}, "moco.pth.tar"
)

FORMS = (
    Form("a state dict", saved(lambda s: s)),
    *(Form(f"wrapped as `{w}`", saved(lambda s, w=w: {w: s, "epoch": 3})) for w in WRAPPERS),
    *(Form(f"prefix `{p}`", saved(lambda s, p=p: under(p, s))) for p in PREFIXES),
    Form("wrapped twice, with prefixes", saved(lambda s: {"ckpt": {"net": under("module.encoder.", s)}})),
    Form("weights as numpy arrays", saved(lambda s: {"params": {n: t.numpy() for n, t in s.items()}})),
    Form("a list of state dicts in a dict", saved(lambda s: {"nets": [s]})),
    Form(
        "`model` and `optimizer`",
        saved(lambda s: {"model": s, "optimizer": adam(s)}),
        says="ignored, as no part of the network: optimizer",
    ),
    Form(
        "criterion, projector and queue beside the weights",
        BESIDE,
        says="criterion (1 tensor), projector (1 tensor), queue (1 tensor)",
    ),
    Form("Lightning, with a criterion's weight", LIGHTNING, says="state_dict.criterion (1 tensor)"),
    Form("SWA (`AveragedModel`)", averaged, says="n_averaged (1 tensor)"),
    Form(
        "momentum encoder",
        MOMENTUM,
        says="the weights 'state_dict.encoder_q' were taken; --weights takes also: state_dict.encoder_k",
    ),
    Form(
        "OpenMMLab",
        saved(lambda s: {"meta": {"epoch": 1}, "state_dict": renamed(s)}),
        {"architecture": "resnet18"},
        says="the head was taken from 'state_dict.head.fc'",
        architecture="resnet18",
    ),
    Form(
        "OpenMMLab, without a flag",
        saved(lambda s: {"meta": {"epoch": 1}, "state_dict": renamed(s)}),
        says="the head was taken from 'state_dict.head.fc'",
        architecture="resnet34",
    ),
    Form(
        "`model` and `model_ema`",
        saved(lambda s: {"model": s, "model_ema": other(s)}),
        says="the weights 'model' were taken; --weights takes also: model_ema",
    ),
    Form(
        "`model` and `model_ema` with a choice",
        saved(lambda s: {"model": other(s), "model_ema": under("module.", s)}),
        {"weights": "model_ema"},
        says="the averaged or derived weights 'model_ema' were taken; --weights takes also: model",
    ),
    Form(
        "timm's `state_dict` and `state_dict_ema`",
        saved(lambda s: {"state_dict_ema": other(s), "state_dict": s}),
        says="--weights takes also: state_dict_ema",
    ),
    Form("`net` and `ema`", saved(lambda s: {"ema": other(s), "net": s}), says="--weights takes also: ema"),
    Form(
        "`teacher` and `student`",
        saved(lambda s: {"teacher": other(s), "student": under("module.backbone.", s)}),
        says="the weights 'student.backbone' were taken; --weights takes also: teacher",
    ),
    Form(
        "`teacher` and `student`, the teacher chosen",
        saved(lambda s: {"teacher": s, "student": other(s)}),
        {"weights": "teacher"},
        says="'teacher' were taken",
    ),
    refused(
        "a choice that is not there",
        saved(lambda s: {"model": s, "model_ema": s}),
        "there are no weights 'swa' in it; --weights takes: model, model_ema",
        flags={"weights": "swa"},
    ),
    Form(
        "weights at the top and `ema`",
        saved(lambda s: s | {"ema": other(s)}),
        says="the weights 'top' were taken; --weights takes also: ema",
    ),
    Form("`ema` alone", saved(lambda s: {"ema": s}), says="the averaged or derived weights 'ema' were taken"),
    refused(
        "tensors missing",
        saved(lambda s: {"model": under("", s, without=("layer2.0.bn1.weight", "layer2.0.bn1.bias"))}),
        "2 weights are missing (layer2.0.bn1.weight, layer2.0.bn1.bias)",
        flags={"architecture": "resnet8"},
    ),
    refused(
        "a tensor of another shape",
        saved(lambda s: s | {"layer1.0.conv1.weight": torch.ones(16, 16, 1, 1)}),
        "'layer1.0.conv1.weight' has shape (16, 16, 1, 1) instead of (16, 16, 3, 3)",
        flags={"architecture": "resnet8"},
    ),
    refused(
        "layers that the network lacks",
        saved(lambda s: s | {"layer1.1.conv1.weight": torch.ones(16, 16, 3, 3)}),
        "1 are unknown to it (layer1.1.conv1.weight)",
        flags={"architecture": "resnet8"},
    ),
    refused(
        "a backbone without its head",
        saved(lambda s: under("backbone.", s, without="linear")),
        "2 weights are missing (linear.weight, linear.bias)",
        flags={"architecture": "resnet8"},
    ),
    refused(
        "quantised weights",
        saved(lambda s: s | {"conv1.weight": torch.ones(16, 3, 3, 3, dtype=torch.int8)}),
        "'conv1.weight' holds int8 instead of floating-point numbers",
        flags={"architecture": "resnet8"},
    ),
    refused(
        "an optimizer alone",
        saved(lambda s: {"optimizer": adam(s)}),
        "none of its 37 weights is in the file, which holds optimizer",
        flags={"architecture": "resnet8"},
    ),
    refused(
        "no weights",
        saved(lambda s: {"epoch": 3, "best": 0.9}),
        "holds no named weights; it holds epoch (int), best (float)",
    ),
)
