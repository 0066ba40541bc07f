"""The files of a run: what may be written where, said before the long work; the checkpoint at its end."""

from __future__ import annotations

import platform
import tempfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from csg_analyze.checkpoints import save_checkpoint
from csg_analyze.checkpoints.checksums import damage
from csg_analyze.errors import UsageError
from csg_analyze.metrics.gates import density_interval
from training.identity import Identity, recorded_origin
from training.setup import Setup
from training.state import TrainingState, state_path
from training.strategies import ClassSpecific


def check_before(out: Path, *, resume: bool, force: bool) -> None:
    """Raise UsageError for an output that could not be written, or would replace something without force."""
    state_file = state_path(out)
    if out.is_dir():
        raise UsageError(f"{str(out)!r} is a folder; give a file with --out, e.g. {str(out / 'std.pt')!r}.")
    try:
        with tempfile.TemporaryFile(dir=out.parent):
            pass
    except OSError as error:
        raise UsageError(f"cannot write into {str(out.parent)!r}: {error.strerror or error}.") from error
    if resume or force:
        return
    if state_file.exists():
        raise UsageError(
            f"an interrupted run left {str(state_file)!r}; go on with --resume, or start anew with --force."
        )
    if out.exists():
        raise UsageError(f"{str(out)!r} exists; give another --out, replace it with --force, or go on with --resume.")


def is_complete(out: Path, identity: Identity) -> bool:
    """Whether `out` is what this very run writes at its end. Raises UsageError if it is something else."""
    if not out.exists() or state_path(out).exists():
        return False
    if reason := damage(out):
        raise UsageError(f"{str(out)!r} cannot be used, {reason}; give another --out, or --force.")
    try:
        content = torch.load(out, map_location="cpu", weights_only=True)
        origin = recorded_origin(content["training"], content["record"])
    except Exception as error:  # whatever a foreign or broken file can raise
        raise UsageError(f"{str(out)!r} is not from this run; give another --out, or --force.") from error
    identity.check(out, origin)
    return True


def write_checkpoint(out: Path, setup: Setup, state: TrainingState) -> None:
    """Write the trained network, its gate, and all that says how it came about."""
    last = state.rows[-1]
    record: dict[str, Any] = {
        **setup.identity.record,
        "epoch": last.epoch,
        "metrics": {
            "test_accuracy": last.test_accuracy,
            "train_accuracy": last.train_accuracy,
            "train_loss": last.train_loss,
            "l1_density": last.l1_density,
        },
        "seconds": sum(row.seconds for row in state.rows),
        "device": str(setup.device),
        "versions": versions(),
    }
    # a fixed gate has no penalty, so no bound and no interval that its density would converge into
    if isinstance(state.strategy, ClassSpecific) and setup.recipe.gate.fixed_gate is None:
        bound, (n_classes, n_filters) = state.strategy.bound, state.strategy.gate.shape
        record["gate_bound"] = bound
        record["density_interval"] = list(density_interval(n_classes, n_filters, bound))
    save_checkpoint(
        out,
        state.network.network,
        architecture=setup.start.architecture,
        class_names=setup.train.class_names,
        preprocessing=setup.start.preprocessing,
        feature_layer=setup.start.feature_layer,
        data=setup.train.spec,
        training=setup.identity.training.upper(),
        gate=state.strategy.gate,
        record=record,
    )


def outcome(state: TrainingState) -> str:
    """How the training ended, in half a sentence."""
    last = state.rows[-1]
    density = "" if last.l1_density is None else f", L1-density {last.l1_density:.4f}"
    seconds = sum(row.seconds for row in state.rows)
    return f"test accuracy {last.test_accuracy:.4f}{density} after {last.epoch} epochs in {seconds:.0f} s"


def versions() -> dict[str, str]:
    """What the training ran on."""
    installed = {"python": platform.python_version(), "torch": str(torch.__version__)}  # with its CUDA build
    for package in ("torchvision", "csg-analyze"):
        try:
            installed[package] = version(package)
        except PackageNotFoundError:  # run from a checkout that was not installed
            installed[package] = "not installed"
    return installed
