"""Networks that the user's own code builds: `package.module:factory`, with options."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from csg_analyze.checkpoints.filling import fill
from csg_analyze.checkpoints.matching import best_match
from csg_analyze.checkpoints.skeletons import Skeleton
from csg_analyze.errors import UsageError, unknown

_NAMESPACES = ("torchvision", "timm", "hf")  # libraries, where --arch may name a network of theirs


def names_factory(architecture: str | None) -> bool:
    """Whether this is `package.module:factory`, not a network of a library such as torchvision:alexnet."""
    module, colon, _ = (architecture or "").partition(":")
    return bool(colon) and module not in _NAMESPACES


def option_values(given: Sequence[str]) -> dict[str, Any]:
    """`["num_classes=12"]` -> `{"num_classes": 12}`: values are Python literals, else text.

    Raises UsageError for what is not NAME=VALUE.
    """
    options: dict[str, Any] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not (equals and name.isidentifier()):
            raise UsageError(f"--arch-option reads NAME=VALUE, e.g. num_classes=12; not {text!r}.")
        try:
            options[name] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            options[name] = value
    return options


@contextmanager
def importable_here() -> Iterator[None]:
    """While open, modules in the working directory can be imported, as by `python -m`."""
    here = str(Path.cwd())
    sys.path.insert(0, here)
    try:
        yield
    finally:
        if here in sys.path:
            sys.path.remove(here)


def build_by(factory: str, options: Mapping[str, Any]) -> nn.Module:
    """Import `package.module:factory`, which runs that code, and call it with the options.

    The working directory counts as a place to import from. Torch's global generator is left as it was. Raises
    UsageError for no such module or attribute, an error in the user's code, and a result that is no module.
    """
    module_name, _, attribute = factory.partition(":")
    with importable_here(), torch.random.fork_rng():
        function = _attribute(factory, module_name, attribute)
        try:
            network = function(**options)
        except Exception as error:  # the user's own code
            arguments = ", ".join(f"{name}={value!r}" for name, value in options.items())
            raise UsageError(
                f"{factory}({arguments}) raised {_said(error)}; check --arch-option, or call it in Python."
            ) from error
    if not isinstance(network, nn.Module):
        raise UsageError(f"{factory} gave {type(network).__name__}, not a torch.nn.Module; name one that builds one.")
    return network


def _attribute(factory: str, module_name: str, attribute: str) -> Any:
    try:
        module = import_module(module_name)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if module_name != missing and not module_name.startswith(missing + "."):
            raise UsageError(f"--arch {factory}: importing {module_name!r} raised {_said(error)}.") from error
        raise UsageError(
            f"--arch {factory}: there is no module {missing!r}, neither installed nor in {str(Path.cwd())!r}; give "
            "package.module:factory."
        ) from error
    except Exception as error:  # the user's own code, or a name that is no module's
        raise UsageError(f"--arch {factory}: importing {module_name!r} raised {_said(error)}.") from error
    found = getattr(module, attribute, None)
    if found is None:
        public = [name for name, value in vars(module).items() if callable(value) and not name.startswith("_")]
        raise unknown(f"factory of {module_name!r}", attribute, public or ["(it has none)"])
    if not callable(found):
        raise UsageError(
            f"--arch {factory}: {attribute!r} is of type {type(found).__name__}; name a function or a class."
        )
    return found


def filled(
    network: nn.Module, tensors: Mapping[str, Tensor], factory: str, weights: str | None = None
) -> tuple[str, ...]:
    """Load the weights of a file that fit a network best. Gives remarks for a report.

    tensors: of the file, by place. weights: the set to take, where there are several. Raises UsageError, saying what
    differs, if none fits.
    """
    match = best_match(tensors, Skeleton.of(network), weights)
    if not match.fits:
        raise UsageError(f"the weights do not fit {factory}: {match.differences}; check --arch and --arch-option.")
    try:
        return fill(network, tensors, match)
    except UsageError:
        raise
    except Exception as error:  # hooks of the user's own modules
        raise UsageError(f"loading the weights into {factory} raised {_said(error)}.") from error


def _said(error: Exception) -> str:
    """An error on one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}".rstrip(": ")
