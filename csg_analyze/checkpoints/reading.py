"""A checkpoint file -> tensors and plain values, without executing any content of the file."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from csg_analyze.checkpoints.checksums import UNCHECKED, damage, has_checksums
from csg_analyze.checkpoints.writing import FORMAT, VERSION
from csg_analyze.errors import UsageError

WRAPPERS = ("state_dict", "model_state_dict", "model", "net")
PREFIXES = ("module.", "_orig_mod.", "model.", "net.")
AUTHORS_GATE = "lmask.mask"  # the paper's own checkpoints keep the gate here, as (K, C)


@dataclass(frozen=True)
class Contents:
    """The content of a file: named tensors, a gate (C, K) or None, and plain values about them.

    notes: remarks for a report. module: the whole network, where the file holds one.
    """

    state_dict: dict[str, Tensor]
    gate: Tensor | None = None
    about: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    module: nn.Module | None = None


def read_contents(path: Path, *, allow_pickle: bool = False) -> Contents:
    """Read a `.pt`/`.pth` file: this project's own, or a state dict in one of the usual wrappings.

    Nothing in the file is executed unless `allow_pickle` is True. Raises UsageError for a file that is missing, empty,
    damaged (by its checksums, too) or no checkpoint, that needs unpickling, or that holds weights that are not finite.
    """
    loaded = _load(path, allow_pickle)
    if isinstance(loaded, Mapping) and loaded.get("format") == FORMAT:
        if loaded.get("version", 0) > VERSION:
            raise UsageError(f"{str(path)!r} was written by a newer csg-analyze; update this one to read it.")
        contents = Contents(dict(loaded["state_dict"]), loaded.get("gate"), loaded)
    else:
        contents = _unwrap(path, loaded)
    _check_finite(path, contents)
    return contents if has_checksums(path) else replace(contents, notes=(UNCHECKED,))


def _load(path: Path, allow_pickle: bool) -> object:
    if not path.exists():
        raise UsageError(f"there is no checkpoint at {str(path)!r}; check the path.")
    if path.is_dir():
        raise UsageError(f"{str(path)!r} is a folder; give the checkpoint file inside it.")
    try:
        with path.open("rb") as stream:
            head = stream.read(4096)
    except OSError as error:
        raise UsageError(f"cannot read {str(path)!r}: {error.strerror or error}.") from error
    if not head:
        raise UsageError(f"{str(path)!r} is empty (0 bytes); the file was not written or not copied whole.")
    if _is_text(head):
        raise UsageError(f"{str(path)!r} is a text file, not a PyTorch checkpoint; give a .pt or .pth file.")
    if reason := damage(path):
        raise UsageError(f"{str(path)!r} cannot be used, {reason}; copy, download or save it again.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns about pickles of damaged files; the error below says it
            return torch.load(path, map_location="cpu", weights_only=not allow_pickle)
    except pickle.UnpicklingError as error:
        blockers = _unsafe_names(path)
        if blockers:
            raise UsageError(
                f"{str(path)!r} holds Python objects ({', '.join(blockers)}) that loading would execute; "
                "if you trust its author, add --allow-pickle, else save its state_dict() and give that."
            ) from error
        raise UsageError(f"{str(path)!r} is not a readable PyTorch checkpoint; give a .pt or .pth file.") from error
    except (ImportError, AttributeError) as error:
        if not allow_pickle:
            raise UsageError(_unreadable(path)) from error
        raise UsageError(
            f"{str(path)!r} needs code that cannot be imported here ({error}); run where that code lies, or save the "
            "network's state_dict() and name the code with --arch package.module:factory."
        ) from error
    except Exception as error:  # torch raises many kinds of errors for damaged files
        raise UsageError(_unreadable(path)) from error


def _unreadable(path: Path) -> str:
    return f"{str(path)!r} cannot be read as a PyTorch checkpoint (cut off, damaged, or of another kind)."


def _is_text(head: bytes) -> bool:
    try:
        return all(character.isprintable() or character.isspace() for character in head.decode())
    except UnicodeDecodeError:
        return False


def _unsafe_names(path: Path) -> list[str]:
    """Names of Python objects that block a safe load; empty if the file is too old or too damaged to list them."""
    try:
        return sorted(torch.serialization.get_unsafe_globals_in_checkpoint(path))[:5]
    except Exception:
        return []


def _unwrap(path: Path, loaded: object) -> Contents:
    about: dict[str, Any] = {}
    while isinstance(loaded, Mapping):
        wrapper = next((w for w in WRAPPERS if isinstance(loaded.get(w), Mapping | nn.Module)), None)
        if wrapper is None:
            break
        about |= {str(k): v for k, v in loaded.items() if isinstance(v, str | int | float)}
        loaded = loaded[wrapper]
    module = loaded if isinstance(loaded, nn.Module) else None
    if module is not None:
        loaded = module.state_dict()
    tensors = {str(k): v for k, v in loaded.items() if isinstance(v, Tensor)} if isinstance(loaded, Mapping) else {}
    if not tensors:
        raise UsageError(f"{str(path)!r} holds no named weights (no state dict was found in it).")
    tensors = _strip_prefixes(tensors)
    gate = tensors.pop(AUTHORS_GATE, None)
    return Contents(tensors, None if gate is None else gate.T.contiguous(), about, module=module)


def _strip_prefixes(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Remove the prefixes that DataParallel, torch.compile and wrapping modules put before all names."""
    for _ in PREFIXES:
        for prefix in PREFIXES:
            if all(name.startswith(prefix) for name in tensors):
                tensors = {name.removeprefix(prefix): value for name, value in tensors.items()}
    return tensors


def _check_finite(path: Path, contents: Contents) -> None:
    everything = contents.state_dict | ({} if contents.gate is None else {"gate": contents.gate})
    broken = [name for name, t in everything.items() if t.is_floating_point() and not torch.isfinite(t).all()]
    if broken:
        raise UsageError(
            f"{str(path)!r} holds NaN or infinite weights in {len(broken)} of {len(everything)} tensors "
            f"(first: {broken[0]!r}); the training diverged, use an earlier checkpoint."
        )
