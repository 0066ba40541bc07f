"""nox -s tests | lint | demo | bench. One environment, built once, serves them all."""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path

import nox

nox.options.sessions = ["tests", "lint"]
nox.needs_version = ">=2024.10.9"

ROOT = Path(__file__).parent
# torch alone is gigabytes: a virtual environment for every session would build the same thing four times
SHARED = ROOT / ".nox" / "shared"
STAMP = SHARED / "built-from"
BENCHMARKS = (
    "mutual_information", "forward", "training", "epochs", "confusion", "correlation", "gradmap", "activmap", "attacks",
)  # fmt: skip


def environment(session: nox.Session) -> str:
    """The shared environment's Python; built when pyproject.toml or the Python version changed since."""
    bin_folder = SHARED / ("Scripts" if os.name == "nt" else "bin")
    python = str(bin_folder / "python")
    wanted = hashlib.sha256((ROOT / "pyproject.toml").read_bytes() + sys.version.encode()).hexdigest()
    if not STAMP.exists() or STAMP.read_text() != wanted:
        session.run(sys.executable, "-m", "venv", "--clear", str(SHARED), external=True)
        session.run(python, "-m", "pip", "install", "--quiet", "-e", f"{ROOT}[dev]", external=True)
        STAMP.write_text(wanted)
    os.environ["PATH"] = f"{bin_folder}{os.pathsep}{os.environ['PATH']}"
    return python


@nox.session(venv_backend="none")
def tests(session: nox.Session) -> None:
    """The tests, on all cores; words after -- go to pytest instead."""
    python = environment(session)
    # a worker a core: threads of their own on top would wait for each other, and take twice as long
    env = {"OMP_NUM_THREADS": "1"}
    session.run(python, "-m", "pytest", *(session.posargs or ["-n", "auto"]), env=env, external=True)


@nox.session(venv_backend="none")
def lint(session: nox.Session) -> None:
    """Ruff and mypy --strict."""
    python = environment(session)
    session.run(python, "-m", "ruff", "check", ".", external=True)
    session.run(python, "-m", "ruff", "format", "--check", ".", external=True)
    session.run(python, "-m", "mypy", external=True)


@nox.session(venv_backend="none", default=False)
def demo(session: nox.Session) -> None:
    """The main job: train both networks, analyze, write the report; words after -- go to csg-analyze demo."""
    python = environment(session)
    session.run(python, "-m", "csg_analyze", "demo", *session.posargs, external=True)


@nox.session(venv_backend="none", default=False)
def bench(session: nox.Session) -> None:
    """Speed as ratios, each pair measured in one run; `-- forward` runs only that one."""
    python = environment(session)
    for name in session.posargs or BENCHMARKS:
        session.run(python, "-m", f"tests.benchmarks.bench_{name}", external=True)
