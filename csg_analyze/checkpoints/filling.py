"""The weights of a file that fit a network, loaded into it, and what is said of them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from csg_analyze.checkpoints.matching import Match
from csg_analyze.checkpoints.unwrapping import is_secondary, name_of
from csg_analyze.errors import UsageError


def fill(network: nn.Module, tensors: Mapping[str, Tensor], match: Match) -> tuple[str, ...]:
    """Load a set of weights that fits into the network, in the network's own types. Gives remarks for a report.

    tensors: of the file, by place. Raises UsageError for weights that are not finite.
    """
    taken = {name: tensors[place] for name, place in match.sources.items()}
    check_finite(taken)
    state: Any = OrderedDict(
        (name, tensor.float() if tensor.is_floating_point() else tensor) for name, tensor in taken.items()
    )
    # names and shapes are today's, so that nothing is to be converted from an older version of a module
    state._metadata = getattr(network.state_dict(), "_metadata", None)
    network.load_state_dict(state, strict=False)
    return (*_notes(match), *cast_notes(taken))


def check_finite(tensors: Mapping[str, Tensor]) -> None:
    """Raise UsageError, naming the first, for tensors with values that are NaN or infinite."""
    broken = [name for name, t in tensors.items() if t.is_floating_point() and not torch.isfinite(t).all()]
    if broken:
        raise UsageError(
            f"NaN or infinite weights in {len(broken)} tensors of {len(tensors)} (first: {broken[0]!r}); "
            "the training diverged, use an earlier checkpoint."
        )


def cast_notes(tensors: Mapping[str, Tensor]) -> list[str]:
    """That weights were in other types than float32, if any were."""
    kinds = {tensor.dtype for tensor in tensors.values() if tensor.is_floating_point()} - {torch.float32}
    names = " and ".join(sorted(str(kind).removeprefix("torch.") for kind in kinds))
    return [f"weights in {names} were cast to float32"] if kinds else []


def _notes(match: Match) -> list[str]:
    notes = []
    if match.rivals or is_secondary(match.prefix):
        kind = "averaged or derived weights" if is_secondary(match.prefix) else "weights"
        others = f"; --weights takes also: {', '.join(map(name_of, match.rivals))}" if match.rivals else ""
        notes.append(f"the {kind} {name_of(match.prefix)!r} were taken{others}")
    if match.head is not None:
        notes.append(f"the head was taken from {match.head!r}")
    if match.ignored:
        parts = (f"{name} ({count} tensor{'s' * (count > 1)})" for name, count in match.ignored.items())
        notes.append(f"ignored, as no part of the network: {', '.join(parts)}")
    return notes
