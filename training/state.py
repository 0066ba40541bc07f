"""The resumable state of a run: everything that changes while it trains, in one file that is replaced whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from csg_analyze.checkpoints import PixelNetwork
from csg_analyze.checkpoints.checksums import damage
from csg_analyze.errors import UsageError
from csg_analyze.files import replacing
from csg_analyze.flags import named
from training.optimisation import Optimisation, PathName
from training.progress import Row
from training.strategies import Strategy

FORMAT, VERSION = "csg-train state", 1
Identity = Mapping[str, Any]
"""What must be the same for a run to be gone on with: the recipe's fields, training, seed, data, start."""


@dataclass
class Run:
    """What changes while training. rows: one for every epoch done. Every epoch seeds its own generators."""

    network: PixelNetwork
    strategy: Strategy
    optimisations: Mapping[PathName, Optimisation]
    scaler: torch.amp.GradScaler
    rows: list[Row] = field(default_factory=list)


def state_path(out: Path) -> Path:
    """Where the state of the run that will write `out` is kept."""
    return out.with_name(out.name + ".resume")


def save_state(path: Path, run: Run, identity: Identity) -> None:
    """Replace the state file; plain tensors and values only. Raises UsageError where it cannot be written."""
    content = {
        "format": FORMAT,
        "version": VERSION,
        "identity": dict(identity),
        "network": run.network.state_dict(),
        "gate": None if run.strategy.gate is None else run.strategy.gate.detach(),
        "optimizers": {path: each.optimizer.state_dict() for path, each in run.optimisations.items()},
        "scaler": run.scaler.state_dict(),
        "rows": [asdict(row) for row in run.rows],
    }
    with replacing(path) as temporary:
        torch.save(content, temporary)


def restore_state(path: Path, run: Run, identity: Identity) -> None:
    """Bring a freshly prepared run to where the state file left it.

    Raises UsageError for a damaged file, and for the state of another run, naming what differs.
    """
    content = _read(path)
    check_identity(path, content["identity"], identity)
    run.network.load_state_dict(content["network"])
    if run.strategy.gate is not None:
        with torch.no_grad():
            run.strategy.gate.copy_(content["gate"])
    for name, each in run.optimisations.items():
        each.optimizer.load_state_dict(content["optimizers"][name])
    run.scaler.load_state_dict(content["scaler"])
    run.rows[:] = [Row(**row) for row in content["rows"]]


def check_state(path: Path, identity: Identity) -> None:
    """Raise UsageError where there is a state file, and it is damaged or of another run."""
    if path.exists():
        check_identity(path, _read(path)["identity"], identity)


def _read(path: Path) -> dict[str, Any]:
    try:
        reason = damage(path)
    except OSError as error:
        reason = error.strerror or str(error)
    if reason:
        raise UsageError(f"{str(path)!r} is damaged, {reason}; delete it, or start from scratch with --force.")
    try:
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        _ = content["identity"], [Row(**row) for row in content["rows"]]
        recognised = (content["format"], content["version"]) == (FORMAT, VERSION)
    except Exception as error:  # whatever a broken pickle or archive can raise
        raise UsageError(f"{str(path)!r} is damaged; delete it, or start from scratch with --force.") from error
    if not recognised:
        raise UsageError(f"{str(path)!r} is of another version of this program; start from scratch with --force.")
    return content


def check_identity(path: Path, stored: Identity, identity: Identity) -> None:
    """Raise UsageError, naming the first difference, where a file belongs to another run than the one asked for."""
    for name, value in identity.items():
        if stored.get(name) != value:
            what = name if name in ("training", "data", "start") else named(name)
            found = f"was {stored.get(name)} and is now {value}"
            raise UsageError(
                f"{str(path)!r} belongs to another run: {what} {found}; repeat the first command as it was, "
                f"write to another --out, or start from scratch with --force."
            )
