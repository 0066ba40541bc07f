"""The files of a run: what may be written where, said before the long work; the checkpoint at its end."""

from __future__ import annotations

import platform
import tempfile
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from csg_analyze.checkpoints import save_checkpoint
from csg_analyze.checkpoints.checksums import damage
from csg_analyze.errors import UsageError
from csg_analyze.metrics.gates import density_interval
from training.setting import Setting, identity_of
from training.state import Identity, Run, check_identity, state_path
from training.strategies import ClassSpecific


def check_before(out: Path, *, resume: bool, force: bool) -> None:
    """Raise UsageError for an output that could not be written, or would replace something without force."""
    state = state_path(out)
    if out.is_dir():
        raise UsageError(f"{str(out)!r} is a folder; give a file with --out, e.g. {str(out / 'std.pt')!r}.")
    try:
        with tempfile.TemporaryFile(dir=out.parent):
            pass
    except OSError as error:
        raise UsageError(f"cannot write into {str(out.parent)!r}: {error.strerror or error}.") from error
    if resume or force:
        return
    if state.exists():
        raise UsageError(f"an interrupted run left {str(state)!r}; go on with --resume, or start anew with --force.")
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
        record = content["record"]
        found = identity_of(content["training"].lower(), record["recipe"], record["seed"], record["fingerprints"])
    except Exception as error:  # whatever a foreign or broken file can raise
        raise UsageError(f"{str(out)!r} is not from this run; give another --out, or --force.") from error
    check_identity(out, found, identity)
    return True


def write_checkpoint(out: Path, setting: Setting, run: Run) -> None:
    """Write the trained network, its gate, and all that says how it came about."""
    last = run.rows[-1]
    record: dict[str, Any] = {
        "recipe": asdict(setting.recipe),
        "seed": setting.seed,
        "epoch": last.epoch,
        "metrics": {
            "test_accuracy": last.test_accuracy,
            "train_accuracy": last.train_accuracy,
            "train_loss": last.train_loss,
            "l1_density": last.l1_density,
        },
        "seconds": sum(row.seconds for row in run.rows),
        "device": str(setting.device),
        "fingerprints": setting.fingerprints,
        "versions": versions(),
    }
    # a fixed gate has no penalty, so no bound and no interval that its density would converge into
    if isinstance(run.strategy, ClassSpecific) and setting.recipe.fixed_gate is None:
        bound, (n_classes, n_filters) = run.strategy.bound, run.strategy.gate.shape
        record["gate_bound"] = bound
        record["density_interval"] = list(density_interval(n_classes, n_filters, bound))
    save_checkpoint(
        out,
        run.network.network,
        architecture=setting.start.architecture,
        class_names=setting.train.class_names,
        preprocessing=setting.start.preprocessing,
        feature_layer=setting.start.feature_layer,
        data=setting.train.spec,
        training=setting.training.upper(),
        gate=run.strategy.gate,
        record=record,
    )


def outcome(run: Run) -> str:
    """How the training ended, in half a sentence."""
    last = run.rows[-1]
    density = "" if last.l1_density is None else f", L1-density {last.l1_density:.4f}"
    seconds = sum(row.seconds for row in run.rows)
    return f"test accuracy {last.test_accuracy:.4f}{density} after {last.epoch} epochs in {seconds:.0f} s"


def versions() -> dict[str, str]:
    """What the training ran on."""
    found = {"python": platform.python_version(), "torch": str(torch.__version__)}  # with its CUDA build
    for package in ("torchvision", "csg-analyze"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:  # run from a checkout that was not installed
            found[package] = "not installed"
    return found
