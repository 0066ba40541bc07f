"""Networks that came as modules, with code of their own: made ready, tried, and told apart."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from csg_analyze.checkpoints.classifier import Preprocessing
from csg_analyze.checkpoints.filling import cast_notes, check_finite
from csg_analyze.errors import UsageError

SIZES = (224, 32, 64, 96, 128, 28, 48, 256, 299, 384)
"""Sides of images to try, in pixels, where nobody says which a network takes."""
ANOTHER = 256
"""What a network that takes images of any size takes besides the first of SIZES."""
CPU = torch.device("cpu")


def unwrapped(module: nn.Module) -> nn.Module:
    """The network inside torch.compile, DataParallel and DistributedDataParallel, which would hide it from hooks.

    Raises UsageError for TorchScript, which takes no hooks.
    """
    while True:
        if isinstance(module, nn.DataParallel | nn.parallel.DistributedDataParallel):
            module = module.module
        elif isinstance(inner := getattr(module, "_orig_mod", None), nn.Module):
            module = inner
        elif isinstance(module, torch.jit.ScriptModule):
            raise UsageError("a TorchScript module takes no forward hooks; give the module it was made from.")
        else:
            return module


def prepared(network: nn.Module) -> tuple[nn.Module, tuple[str, ...]]:
    """The network itself in eval mode, on the CPU, in float32 and without gradients, and remarks for a report.

    Raises UsageError for weights that are not finite.
    """
    tensors = {name: t for name, t in network.state_dict().items() if isinstance(t, Tensor) and t.is_floating_point()}
    check_finite(tensors)
    notes = tuple(cast_notes(tensors))
    return network.cpu().float().eval().requires_grad_(False), notes


def with_size(network: nn.Module, preprocessing: Preprocessing) -> Preprocessing:
    """The preprocessing with the one size that the network takes, found by trying; unchanged if it says its size.

    A network that takes 224x224 and ANOTHER is taken to accept any size. Raises UsageError, with the network's own
    words, if it takes none of SIZES.
    """
    if preprocessing.size is not None:
        _logits(network, preprocessing.size)
        return preprocessing
    if isinstance(size := getattr(network, "size", None), int):  # an exported program says it
        return _with(preprocessing, size, "as it was exported")
    size = taken_size(network)
    if size is None:
        _logits(network, SIZES[0])  # raises
    if size == SIZES[0] and _takes(network, ANOTHER):
        return preprocessing
    return _with(preprocessing, size, "found by trying")


def _with(preprocessing: Preprocessing, size: int | None, how: str) -> Preprocessing:
    found = f"size {size} {how}"
    origins = {**preprocessing.origins, "size": found}
    return replace(preprocessing, size=size, origin=f"{preprocessing.origin}; {found}", origins=origins)


def taken_size(network: nn.Module, besides: int | None = None) -> int | None:
    """The first of SIZES that the network takes, another than `besides`; None if it takes none of them."""
    return next((size for size in SIZES if size != besides and _takes(network, size)), None)


def size_refused(network: nn.Module, height: int, width: int, error: Exception) -> UsageError:
    """The error for images of a size that the network does not take: its own words, and a size that it takes."""
    said = " ".join(str(error).split())[:200].rstrip(".")
    size = taken_size(network, height if height == width else None)
    way_out = "give --size, or size= in Python"
    if size is not None:
        way_out = f"it takes {size}x{size}: give --size {size}, or size={size} in Python"
    return UsageError(f"the network does not take {width}x{height} images ({type(error).__name__}: {said}); {way_out}.")


def answered(network: nn.Module, preprocessing: Preprocessing) -> tuple[int, str]:
    """C, the number of logits, and a fingerprint of how the network computes, which its weights do not say.

    Two networks may have one class name and the same weights, or one may be edited between two runs: the fingerprint is
    of its modules and its answer to fixed noise. Raises UsageError if that is no (N, C) with C > 1.
    """
    logits = _logits(network, preprocessing.size or SIZES[0], torch.Generator().manual_seed(0))
    # few digits: the last ones depend on the number of threads
    answer = [f"{value:.2e}" for value in (*logits.double().flatten()[:32].tolist(), float(logits.std()))]
    structure = re.sub(r" at 0x[0-9a-f]+", "", repr(network))  # addresses differ from run to run
    return logits.shape[1], hashlib.sha256(f"{structure}{answer}".encode()).hexdigest()


def sha256_of_state(module: nn.Module) -> str:
    """SHA-256 in hex of a state dict: names, types, shapes and bytes of its tensors."""
    digest = hashlib.sha256()
    for name, value in module.state_dict().items():
        if isinstance(value, Tensor):
            digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
            digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
        else:
            digest.update(f"{name} {value!r}".encode())
    return digest.hexdigest()


def _logits(network: nn.Module, size: int, generator: torch.Generator | None = None) -> Tensor:
    """Logits (2, C) of two images: grey ones, or noise of a generator."""
    images = torch.full((2, 3, size, size), 0.5)
    if generator is not None:
        images = torch.rand(images.shape, generator=generator)
    try:
        with torch.no_grad():
            logits: Any = network(images)
    except Exception as error:  # the user's own code
        raise size_refused(network, size, size, error) from error
    if not isinstance(logits, Tensor) or logits.ndim != 2 or len(logits) != 2 or logits.shape[1] < 2:
        kind = f"shape {tuple(logits.shape)}" if isinstance(logits, Tensor) else type(logits).__name__
        raise UsageError(
            f"the network gives {kind} for two images; it must give logits (N, C) of at least two classes."
        )
    return logits


def _takes(network: nn.Module, size: int) -> bool:
    try:
        with torch.no_grad():
            network(torch.full((2, 3, size, size), 0.5, device=_device_of(network)))
    except Exception:  # the user's own code
        return False
    return True


def _device_of(network: nn.Module) -> torch.device:
    return next((tensor.device for tensor in network.state_dict().values() if isinstance(tensor, Tensor)), CPU)
