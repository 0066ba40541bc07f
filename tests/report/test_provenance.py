from __future__ import annotations

import getpass
import json
import os
import platform
import shlex
import socket
import subprocess
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path

import pytest

from csg_analyze.report.document import json_text
from csg_analyze.report.provenance import installed, provenance, revision


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "commit.gpgsign=false"]
    command = ["git", *identity, "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A committed checkout with a package in it."""
    folder = tmp_path / "checkout" / "csg_analyze"
    folder.mkdir(parents=True)
    (folder / "errors.py").write_text("")
    git(folder.parent, "init", "--quiet")
    git(folder.parent, "add", ".")
    git(folder.parent, "commit", "--quiet", "-m", "first")
    return folder


def test_what_it_takes_to_repeat_a_report() -> None:
    command = ["/home/somebody/.venv/bin/csg-analyze", "report", "my model.pt", "--out", "$x"]
    record = provenance(
        command, seeds={"mis": 3}, device="cpu", checkpoints={"my model.pt": "ab" * 32}, data={"spec": "scenes", "n": 5}
    )
    assert shlex.split(str(record["command"])) == ["csg-analyze", *command[1:]]
    assert (record["seeds"], record["device"]) == ({"mis": 3}, "cpu")
    assert record["checkpoints"] == {"my model.pt": "ab" * 32}
    assert record["data"] == {"spec": "scenes", "n": 5}
    versions = record["versions"]
    assert isinstance(versions, dict)
    assert versions["python"] == platform.python_version()
    for package in ("torch", "torchvision", "numpy", "scikit-learn"):
        assert versions[package] == version(package)
    age = datetime.now(UTC) - datetime.fromisoformat(str(record["created"]))
    assert timedelta() <= age < timedelta(minutes=1)
    assert record["cpu_count"] == os.cpu_count()
    assert json.loads(json_text(record)) == record


def test_neither_user_nor_host_nor_home_is_recorded() -> None:
    text = json_text(provenance(["csg-analyze"], seeds={}, device="cpu", checkpoints={}, data={}))
    assert str(Path.home()) not in text
    assert f'"{getpass.getuser()}"' not in text
    assert socket.gethostname() not in text or len(socket.gethostname()) < 4


def test_an_empty_command_is_recorded_as_such() -> None:
    assert provenance([], seeds={}, device="cpu", checkpoints={}, data={})["command"] == "''"


def test_what_is_not_installed_has_no_version() -> None:
    assert installed("no-such-distribution-at-all") is None


def test_revision_of_a_checkout(package: Path) -> None:
    head = git(package, "rev-parse", "HEAD")
    assert revision(package) == {"revision": head, "dirty": False}
    (package.parent / "csg.pt").write_text("a user's checkpoint, beside the code")
    assert revision(package) == {"revision": head, "dirty": False}
    (package / "errors.py").write_text("changed")
    assert revision(package) == {"revision": head, "dirty": True}


def test_a_new_file_among_the_code_is_a_change(package: Path) -> None:
    (package / "new.py").write_text("")
    recorded = revision(package)
    assert recorded is not None
    assert recorded["dirty"] is True


def test_no_revision_without_a_checkout_of_this_package(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed_inside = package.parent / "venv" / "csg_analyze"
    installed_inside.mkdir(parents=True)
    (installed_inside / "errors.py").write_text("")
    assert revision(installed_inside) is None  # in somebody's checkout, but not part of it
    assert revision(tmp_path) is None
    assert revision(tmp_path / "missing") is None
    monkeypatch.setenv("PATH", str(tmp_path))
    assert revision(package) is None


def test_a_git_hooks_surroundings_do_not_mislead(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    assert revision(package) is not None
