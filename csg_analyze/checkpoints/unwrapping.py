"""Nested values of a file -> its tensors by place, and the sets of weights among them.

A place is all keys on the way to a tensor, joined by dots: `state_dict.module.conv1.weight`. Wrappers (`state_dict`)
and prefixes (`module.`) are thus one thing: whatever stands before the names that a network knows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from csg_analyze.checkpoints.admitted import PlainArray
from csg_analyze.errors import UsageError

WRAPPERS = (
    "state_dict", "model_state_dict", "model", "net", "network", "params", "weights", "student", "module", "encoder_q",
)  # fmt: skip
"""Where weights usually are; of two sets, that of the earlier name counts as the one that is meant."""
PREFIXES = ("module.", "_orig_mod.", "model.", "net.", "network.", "backbone.", "encoder.")
_TRANSPARENT = re.compile(r"(?:^|(?<=\.))(?:module|_orig_mod)\.")
_SECONDARY = re.compile(
    r"(?:^|_)(?:ema|swa|avg|averaged?|teacher|momentum|target|shadow|k|key|grads?|optim\w*)(?:_|$)|ema$"
)
_WRAPPED = re.compile(r"(?:_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.")
_OLD_DENSENET = re.compile(r"(denselayer\d+\.(?:norm|conv))\.([12])\.")
TOP = "top"
"""What `--weights` calls the set of weights that lies in the file without a name."""
DEPTH = 10
NAMED_KEYS = 10


def tensors_of(content: object) -> dict[tuple[str, ...], Tensor]:
    """Keys on the way -> tensor, for every tensor in mappings, sequences and modules, and every array of floats."""
    return dict(_walk(content, ()))


def spelled(place: str) -> str:
    """A place without what torch.compile, FSDP and activation checkpointing put anywhere into the names of modules.

    Names of torchvision's first DenseNet files, `norm.1`, are spelled as today: `norm1`.
    """
    return _OLD_DENSENET.sub(r"\1\2.", _WRAPPED.sub("", place))


def default_prefix(places: Mapping[tuple[str, ...], Tensor]) -> str:
    """What stands before the names of the weights that are probably meant, where no network is known to ask.

    The largest mapping of tensors counts, or the more usual of two that are nearly as large; then the usual prefixes
    go, which stand before all names.
    """
    groups: dict[tuple[str, ...], list[str]] = {}
    for place in places:
        groups.setdefault(place[:-1], []).append(place[-1])
    if not groups:
        return ""
    most = max(map(len, groups.values()))
    wrappers = {dotted(wrapper): wrapper for wrapper, names in groups.items() if 2 * len(names) >= most}
    prefix = preferred_prefix(wrappers)
    names = groups[wrappers[prefix]]
    while usual := next((each for each in PREFIXES if all(name.startswith(each) for name in names)), None):
        names = [name.removeprefix(usual) for name in names]
        prefix += usual
    return prefix


def named_prefixes(prefixes: Sequence[str], wanted: str | None) -> list[str]:
    """Those of the wanted name, or that have it on their way; all of them if none is wanted.

    Raises UsageError, listing the sets, if none has the wanted name.
    """
    if wanted is None:
        return list(prefixes)
    named = [prefix for prefix in prefixes if name_of(prefix) == wanted]
    named = named or [prefix for prefix in prefixes if f".{wanted}." in f".{prefix}"]
    if not named:
        names = ", ".join(dict.fromkeys(map(name_of, prefixes))) or "none"
        raise UsageError(f"there are no weights {wanted!r} in it; --weights takes: {names}.")
    return named


def preferred_prefix(prefixes: Iterable[str]) -> str:
    """The set of weights that training went on with, rather than an average of it; else the more usual place."""
    return min(prefixes, key=lambda prefix: (is_secondary(prefix), _rank(prefix)))


def is_secondary(prefix: str) -> bool:
    """Whether weights of that place are made from others: averages, a teacher, gradients."""
    return any(_SECONDARY.search(part.lower()) for part in prefix.split("."))


def name_of(prefix: str) -> str:
    """A set of weights as `--weights` names it: its place without DataParallel's and torch.compile's words."""
    return _TRANSPARENT.sub("", prefix).rstrip(".") or prefix.rstrip(".") or TOP


def dotted(keys: tuple[str, ...]) -> str:
    """The prefix of all that lies behind these keys."""
    return "".join(f"{key}." for key in keys)


def outline(content: object) -> str:
    """What a file holds at its top, in words: `epoch (int), model (dict)`."""
    if not isinstance(content, Mapping):
        return f"a {type(content).__name__}"
    entries = [f"{key} ({type(value).__name__})" for key, value in content.items()]
    more = f" and {len(entries) - NAMED_KEYS} more" if len(entries) > NAMED_KEYS else ""
    return (", ".join(entries[:NAMED_KEYS]) + more) or "nothing"


def _walk(content: object, keys: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Tensor]]:
    """Depth first, in the file's order. A depth is kept, as a pickle may hold itself."""
    if isinstance(content, PlainArray):
        content = content.values
    if isinstance(content, np.ndarray) and content.ndim and content.dtype.kind == "f":
        content = torch.from_numpy(content.astype(content.dtype.newbyteorder("=")))
    if isinstance(content, nn.Module):
        content = content.state_dict()
    if isinstance(content, Tensor):
        if keys and not content.is_nested:
            yield keys, content.detach()
    elif len(keys) < DEPTH:
        for key, value in _entries(content):
            yield from _walk(value, (*keys, key))


def _entries(content: object) -> Iterator[tuple[str, Any]]:
    if isinstance(content, Mapping):
        yield from ((str(key), value) for key, value in content.items())
    elif isinstance(content, list | tuple):
        yield from ((str(index), value) for index, value in enumerate(content))


def _rank(prefix: str) -> int:
    words = name_of(prefix).split(".")
    return min((WRAPPERS.index(word) for word in words if word in WRAPPERS), default=len(WRAPPERS))
