"""The resumable state of a run: everything that changes while it trains, in one file that is replaced whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from csg_analyze.checkpoints import PixelNetwork
from csg_analyze.checkpoints.checksums import damage
from csg_analyze.checkpoints.origin import Origin
from csg_analyze.errors import UsageError
from csg_analyze.files import replacing
from training.identity import Identity, flat_origin, recorded_origin
from training.optimisation import PathName, PathOptimizer
from training.progress import Row
from training.strategies import Strategy

FORMAT, VERSION = "csg-train state", 2
FLAT_VERSION = 1
"""States of runs that were interrupted before a recipe had groups; they are gone on with all the same."""


@dataclass
class TrainingState:
    """What changes while training. rows: one for every epoch done. Every epoch seeds its own generators."""

    network: PixelNetwork
    strategy: Strategy
    optimizers: Mapping[PathName, PathOptimizer]
    scaler: torch.amp.GradScaler
    rows: list[Row] = field(default_factory=list)


def state_path(out: Path) -> Path:
    """Where the state of the run that will write `out` is kept."""
    return out.with_name(out.name + ".resume")


def save_state(path: Path, state: TrainingState, identity: Identity) -> None:
    """Replace the state file; plain tensors and values only. Raises UsageError where it cannot be written."""
    content = {
        "format": FORMAT,
        "version": VERSION,
        "identity": {"training": identity.training, **identity.record},
        "network": state.network.state_dict(),
        "gate": None if state.strategy.gate is None else state.strategy.gate.detach(),
        "optimizers": {path: each.optimizer.state_dict() for path, each in state.optimizers.items()},
        "scaler": state.scaler.state_dict(),
        "rows": [asdict(row) for row in state.rows],
    }
    with replacing(path) as temporary:
        torch.save(content, temporary)


def restore_state(path: Path, state: TrainingState, identity: Identity) -> None:
    """Bring a state from before the first epoch to where the file left it.

    Raises UsageError for a damaged file, and for the state of another run, naming what differs.
    """
    origin, content = _read(path)
    identity.check(path, origin)
    state.network.load_state_dict(content["network"])
    if state.strategy.gate is not None:
        with torch.no_grad():
            state.strategy.gate.copy_(content["gate"])
    for name, each in state.optimizers.items():
        each.optimizer.load_state_dict(content["optimizers"][name])
    state.scaler.load_state_dict(content["scaler"])
    state.rows[:] = [Row(**row) for row in content["rows"]]


def check_state(path: Path, identity: Identity) -> None:
    """Raise UsageError where there is a state file, and it is damaged or of another run."""
    if path.exists():
        identity.check(path, _read(path)[0])


def _read(path: Path) -> tuple[Origin, dict[str, Any]]:
    """Which run a state file is of, and its content. Raises UsageError for a damaged or newer file."""
    try:
        reason = damage(path)
    except OSError as error:
        reason = error.strerror or str(error)
    if reason:
        raise UsageError(f"{str(path)!r} is damaged, {reason}; delete it, or start from scratch with --force.")
    try:
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        version = content["version"] if content["format"] == FORMAT else None
        recorded, _ = content["identity"], [Row(**row) for row in content["rows"]]
        if version in (FLAT_VERSION, VERSION):
            flat = version == FLAT_VERSION
            return flat_origin(recorded) if flat else recorded_origin(recorded["training"], recorded), content
    except Exception as error:  # whatever a broken pickle or archive can raise
        raise UsageError(f"{str(path)!r} is damaged; delete it, or start from scratch with --force.") from error
    raise UsageError(f"{str(path)!r} is of another version of this program; start from scratch with --force.")
