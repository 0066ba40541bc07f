"""nox -s tests | lint | demo | bench: one environment, built once, serves them all. lowest and docs have their own."""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import nox
from packaging.requirements import Requirement

nox.options.sessions = ["tests", "lint"]
nox.needs_version = ">=2024.10.9"

ROOT = Path(__file__).parent
PYPROJECT = ROOT / "pyproject.toml"
# torch alone is gigabytes: a virtual environment for every session would build the same thing four times
SHARED = ROOT / ".nox" / "shared"
STAMP = SHARED / "built-from"
ALL_CORES = ("-n", "auto")
ONE_THREAD = {"OMP_NUM_THREADS": "1"}
"""A worker a core: threads of their own on top would wait for each other, and take twice as long."""
LINT = (("ruff", "check", "."), ("ruff", "format", "--check", "."), ("mypy",))
"""The same as the hooks of .pre-commit-config.yaml."""
BENCHMARKS = (
    "mutual_information", "forward", "training", "epochs", "confusion", "correlation", "gradmap", "activmap", "attacks",
)  # fmt: skip


def environment(session: nox.Session) -> str:
    """The shared environment's Python; built when pyproject.toml, Python or the constraints changed since."""
    bin_folder = SHARED / ("Scripts" if os.name == "nt" else "bin")
    python = str(bin_folder / "python")
    contents = (PYPROJECT.read_text(), sys.version, os.environ.get("PIP_CONSTRAINT", ""))
    wanted = hashlib.sha256("".join(contents).encode()).hexdigest()
    if not STAMP.exists() or STAMP.read_text() != wanted:
        session.run(sys.executable, "-m", "venv", "--clear", str(SHARED), external=True)
        session.run(python, "-m", "pip", "install", "--quiet", "-e", f"{ROOT}[dev]", external=True)
        STAMP.write_text(wanted)
    os.environ["PATH"] = f"{bin_folder}{os.pathsep}{os.environ['PATH']}"
    return python


@nox.session(venv_backend="none")
def tests(session: nox.Session) -> None:
    """All tests on all cores, and the share of lines they ran; words after -- go to pytest instead."""
    python = environment(session)
    session.run(python, "-m", "pytest", *(session.posargs or [*ALL_CORES, "--cov"]), env=ONE_THREAD, external=True)


@nox.session(reuse_venv=True, default=False)
def lowest(session: nox.Session) -> None:
    """All tests on the lowest versions that pyproject.toml allows.

    `-- --except torch,torchvision` leaves these at the newest; further words go to pytest.
    """
    options = argparse.ArgumentParser(prog="nox -s lowest --", allow_abbrev=False, add_help=False)
    options.add_argument("--except", dest="newest", default="")
    known, words = options.parse_known_args(session.posargs)
    session.install("-e", f"{ROOT}[dev]", *lowest_versions(except_for=known.newest.split(",")))
    session.run("python", "-m", "pytest", *(words or ALL_CORES), env=ONE_THREAD)


def lowest_versions(except_for: Sequence[str] = ()) -> list[str]:
    """`name==version` for every dependency, the development tools included, that has a lower bound."""
    project = nox.project.load_toml(PYPROJECT)["project"]
    extras = project["optional-dependencies"]
    requirements = map(Requirement, (*project["dependencies"], *extras["hub"], *extras["dev"]))
    return [
        f"{requirement.name}=={bound.version}"
        for requirement in requirements
        for bound in requirement.specifier
        if bound.operator == ">=" and requirement.name not in except_for
    ]


@nox.session(venv_backend="none")
def lint(session: nox.Session) -> None:
    """Ruff and mypy --strict."""
    python = environment(session)
    for command in LINT:
        session.run(python, "-m", *command, external=True)


@nox.session(venv_backend="none", default=False)
def demo(session: nox.Session) -> None:
    """The main job: train both networks, analyze, write the report; words after -- go to csg-analyze demo."""
    python = environment(session)
    session.run(python, "-m", "csg_analyze", "demo", *session.posargs, external=True)


@nox.session(reuse_venv=True, default=False)
def docs(session: nox.Session) -> None:
    """The site, in site/; any warning is an error, a dead link too. Its tools read the code without running it."""
    session.install("--quiet", *nox.project.load_toml(PYPROJECT)["project"]["optional-dependencies"]["docs"])
    session.run("mkdocs", "build", "--strict", "--quiet", *session.posargs, env={"NO_MKDOCS_2_WARNING": "1"})


@nox.session(venv_backend="none", default=False)
def bench(session: nox.Session) -> None:
    """Speed as ratios, each pair measured in one run; `-- forward` runs only that one."""
    python = environment(session)
    for name in session.posargs or BENCHMARKS:
        session.run(python, "-m", f"tests.benchmarks.bench_{name}", external=True)
