"""Where a report comes from: command, versions, revision, machine, checkpoints, data."""

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
) -> dict[str, JSON]:
    """What it takes to repeat a report.

    command: the arguments as typed; the program's own path is shortened to its name, since where it is installed
    says nothing but who the user is. seeds: of every analyzer and input that draws something. checkpoints: path as
    typed -> SHA-256 of the file. data: what is known of the dataset (spec, split, n, fingerprint). Neither the host's
    nor the user's name is recorded.
    """
    program, *arguments = command or ("",)
    return {
        "command": shlex.join([PurePath(program).name, *arguments]),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "seeds": dict(seeds),
        "device": device,
        "checkpoints": dict(checkpoints),
        "data": dict(data),
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
    """The git revision of the checkout that `package` belongs to, and whether its code differs from it.

    None where there is none: no git, no checkout, or a package that merely lies inside somebody else's (an
    environment in a project's folder), whose revision would be a false statement.
    """
    head = _git(package, "rev-parse", "HEAD")
    tracked = _git(package, "ls-files", "--", "errors.py")
    changes = _git(package, "status", "--porcelain", "--", ".", ":/training")
    if not head or not tracked or changes is None:
        return None
    return {"revision": head, "dirty": bool(changes)}


def _git(folder: Path, *arguments: str) -> str | None:
    # inside a git hook GIT_DIR and its like point elsewhere; OPTIONAL_LOCKS keeps `status` from writing
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
