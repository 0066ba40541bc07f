"""The network that a state dict belongs to."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from csg_analyze.errors import UsageError
from csg_analyze.models import NETWORKS, TORCHVISION, architectures, build


def class_count(state_dict: dict[str, Tensor]) -> int:
    """Rows of the last matrix, which is the head's weight; without a matrix, of the last convolution."""
    matrices = [t for t in state_dict.values() if t.ndim == 2] or [t for t in state_dict.values() if t.ndim == 4]
    if not matrices:
        raise UsageError("the checkpoint holds no layer with weights; it is no CNN classifier.")
    return len(matrices[-1])


def restore_network(
    state_dict: dict[str, Tensor],
    architecture: str | None,
    n_classes: int | None,
) -> tuple[nn.Module, str]:
    """The network of that architecture with these weights, in eval mode, and the architecture's name.

    Without an architecture, this project's own networks are recognised by the names and shapes of their weights.
    Raises UsageError if none fits, or if the named one does not fit, saying what differs.
    """
    n_classes = n_classes or class_count(state_dict)
    if architecture is None:
        architecture = next((name for name in NETWORKS if not _differences(name, state_dict, n_classes)), None)
        if architecture is None:
            raise UsageError(
                f"the file does not say which network it is, and its {len(state_dict)} tensors fit none of "
                f"{', '.join(NETWORKS)}; name it with --arch (any torchvision network, e.g. --arch resnet18)."
            )
    elif TORCHVISION + architecture in architectures() and _differences(architecture, state_dict, n_classes):
        architecture = TORCHVISION + architecture  # a name of two networks (alexnet): the weights decide
    differences = _differences(architecture, state_dict, n_classes)
    if differences:
        raise UsageError(f"the weights do not fit architecture {architecture!r}: {differences}; check --arch.")
    with torch.random.fork_rng():  # building draws initial weights from the global generator
        network = build(architecture, n_classes)
    network.load_state_dict(state_dict, strict=False)
    return network.eval(), architecture


def _differences(architecture: str, state_dict: dict[str, Tensor], n_classes: int) -> str:
    """The differences between these weights and the architecture's, in words; empty if there are none."""
    with torch.device("meta"):
        expected = build(architecture, n_classes).state_dict()
    # files from before torch 0.4.1 do not count the batches of batch norm; nothing in eval mode reads the count
    missing = [n for n in expected if n not in state_dict and not n.endswith("num_batches_tracked")]
    auxiliary = ("aux1.", "aux2.", "AuxLogits.")  # training-only branches of googlenet and inception
    unexpected = [name for name in state_dict if name not in expected and not name.startswith(auxiliary)]
    for name, tensor in state_dict.items():
        if name in expected and expected[name].shape != tensor.shape:
            return f"{name!r} has shape {tuple(tensor.shape)} instead of {tuple(expected[name].shape)}"
    parts = [f"{len(missing)} weights are missing (first: {missing[0]!r})"] if missing else []
    parts += [f"{len(unexpected)} are unknown to it (first: {unexpected[0]!r})"] if unexpected else []
    return " and ".join(parts)
