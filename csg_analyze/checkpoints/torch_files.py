"""Files that torch.save, torch.jit or torch.export wrote -> nested plain values and tensors."""

from __future__ import annotations

import pickle
import pickletools
import re
import warnings
import zipfile
from pathlib import Path

import torch

from csg_analyze.checkpoints.admitted import ADMITTED
from csg_analyze.checkpoints.kinds import is_legacy
from csg_analyze.checkpoints.programs import Program, read_program
from csg_analyze.errors import UsageError
from csg_analyze.extras import HUB

HUB_LIBRARIES = ("timm", "transformers")
NAMED_OBJECTS = 5
"""How many names of Python objects a sentence lists."""


def read_torch_file(path: Path, *, allow_pickle: bool) -> object:
    """What torch.save wrote. Python objects other than those of `ADMITTED` are made only if `allow_pickle` is True.

    Raises UsageError for a file that needs leave, or that torch cannot read.
    """
    try:
        with torch.serialization.safe_globals(ADMITTED):
            return _load(path, weights_only=True)
    except pickle.UnpicklingError as error:
        if not allow_pickle:
            raise _blocked(path, str(error)) from error
    except Exception as error:  # torch raises many kinds of errors for damaged files
        if not allow_pickle:
            raise _unreadable(path, error) from error
    try:
        return _load(path, weights_only=False)
    except (ModuleNotFoundError, AttributeError) as error:
        library = str(error.name).partition(".")[0]  # None where an object lacks the attribute
        if library in HUB_LIBRARIES and isinstance(error, ModuleNotFoundError):
            raise UsageError(
                f"{str(path)!r} holds a module of {library}, which is not installed: {HUB}; or save its state_dict() "
                "where it is installed and give that."
            ) from error
        raise UsageError(
            f"{str(path)!r} holds Python objects whose code is not here ({error}); install or import it, or save the "
            "state_dict() where the code is and give that."
        ) from error
    except Exception as error:
        raise _unreadable(path, error) from error


def _load(path: Path, *, weights_only: bool) -> object:
    # opened here, as torch goes by a file's name where it is given one
    with warnings.catch_warnings(), path.open("rb") as stream:
        warnings.simplefilter("ignore")  # torch warns about pickles of damaged files; the errors say it
        return torch.load(stream, map_location="cpu", weights_only=weights_only)


def read_archive(path: Path, kind: str, *, allow_pickle: bool) -> Program:
    """The network in a TorchScript or torch.export archive. Raises UsageError without leave to load its code."""
    if not allow_pickle:
        raise UsageError(
            f"{str(path)!r} is a {kind} archive, code with weights; if you trust its author, add --allow-pickle to "
            "use it, else save its state_dict() and give that."
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return read_program(path, kind)
    except Exception as error:
        raise _unreadable(path, error) from error


def _blocked(path: Path, message: str) -> UsageError:
    """The error for a file that needs leave, naming the Python objects in it; the first is the outermost."""
    named = re.search(r"GLOBAL (\S+)", message)  # files of the older format cannot be listed: torch names the first
    names = _unsafe_names(path) or ([named[1]] if named else [])
    if not names:
        return _unreadable(path, message)
    more = f" and {len(names) - NAMED_OBJECTS} more" if len(names) > NAMED_OBJECTS else ""
    return UsageError(
        f"{str(path)!r} holds Python objects ({', '.join(names[:NAMED_OBJECTS])}{more}) that loading would execute; "
        "if you trust its author, add --allow-pickle, else save its state_dict() and give that."
    )


def _unsafe_names(path: Path) -> list[str]:
    """Names of Python objects that block a safe load, in the file's order; empty if it cannot be listed."""
    try:
        unsafe = set(torch.serialization.get_unsafe_globals_in_checkpoint(path))
        with zipfile.ZipFile(path) as archive:
            (name,) = [name for name in archive.namelist() if name.rpartition("/")[2] == "data.pkl"]
            operations = pickletools.genops(archive.read(name))
            order = [str(value).replace(" ", ".") for code, value, _ in operations if code.name == "GLOBAL"]
    except Exception:
        return []
    return [name for name in dict.fromkeys(order) if name in unsafe] or sorted(unsafe)


def _unreadable(path: Path, error: object) -> UsageError:
    with path.open("rb") as stream:
        head = stream.read(64)
    if is_legacy(head):
        return UsageError(f"{str(path)!r} is a PyTorch checkpoint that is cut off or damaged; copy or save it again.")
    if head.startswith(b"PK"):  # its checksums are right
        words = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
        return UsageError(f"{str(path)!r} cannot be read as a PyTorch checkpoint ({words}); save its state_dict().")
    return UsageError(
        f"{str(path)!r} is no PyTorch checkpoint, nor of another kind that is known here; give a .pt, .pth or "
        ".safetensors file."
    )
