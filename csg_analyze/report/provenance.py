"""The provenance of a report: command, versions, revision, machine, checkpoints, data."""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path, PurePath

from csg_analyze.report.document import JSON

PACKAGES = ("csg-analyze", "torch", "torchvision", "numpy", "scipy", "scikit-learn", "pandas", "matplotlib", "seaborn")
PACKAGE_FOLDER = Path(__file__).resolve().parent.parent


def provenance(
    command: Sequence[str],
    *,
    seeds: Mapping[str, int],
    device: str,
    checkpoints: Mapping[str, str],
    data: Mapping[str, JSON],
    feature_layers: Mapping[str, str] | None = None,
) -> dict[str, JSON]:
    """All that is needed to repeat a report.

    command: the arguments as typed; the program's path is shortened to its name, because the rest only says who the
    user is. seeds: of all analyzers and inputs with random numbers. checkpoints: path as typed -> SHA-256 of the file.
    data: the dataset (spec, split, n, fingerprint). feature_layers: model -> its feature layer,
    and what the head reads of it. Neither the host's nor the user's name is recorded.
    """
    program, *arguments = command or ("",)
    return {
        "command": shlex.join([PurePath(program).name, *arguments]),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "seeds": dict(seeds),
        "device": device,
        "checkpoints": dict(checkpoints),
        "data": dict(data),
        "feature_layers": dict(feature_layers or {}),
        "versions": {"python": platform.python_version()} | {name: installed(name) for name in PACKAGES},
        "git": revision(PACKAGE_FOLDER),
        "platform": platform.platform(),
        "cpu_count": os.cpu_count(),
    }


def installed(package: str) -> str | None:
    """The installed version of a distribution, without importing it."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def revision(package: Path) -> dict[str, JSON] | None:
    """The git revision of the checkout that contains `package`, and whether its code differs from that revision.

    None without git or a checkout, and for a package installed inside the checkout of another project, whose revision
    would be wrong.
    """
    head = _git(package, "rev-parse", "HEAD")
    tracked = _git(package, "ls-files", "--", "errors.py")
    changes = _git(package, "status", "--porcelain", "--", ".", ":/training")
    if not head or not tracked or changes is None:
        return None
    return {"revision": head, "dirty": bool(changes)}


def _git(folder: Path, *arguments: str) -> str | None:
    # in a git hook, GIT_DIR and the like point elsewhere; without optional locks `status` does not write
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment["GIT_OPTIONAL_LOCKS"] = "0"
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            timeout=10,
            env=environment,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
