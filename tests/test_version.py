from __future__ import annotations

import subprocess
import sys
import tomllib
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

import csg_analyze
import csg_analyze.cli
import training.cli
from csg_analyze import version

PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"
NUMBER = tomllib.loads(PYPROJECT.read_text())["project"]["version"]


def test_the_version_is_that_of_pyproject() -> None:
    assert csg_analyze.__version__ == NUMBER


@pytest.mark.parametrize(("main", "program"), [(csg_analyze.cli.main, "csg-analyze"), (training.cli.main, "csg-train")])
def test_both_programs_show_it(main: Callable[..., None], program: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["--version"])
    assert stop.value.code == 0
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == (f"{program} {NUMBER}\n", "")


@pytest.mark.parametrize("program", ["csg_analyze", "training"])
def test_showing_it_imports_nothing_heavy(program: str) -> None:
    code = f"""
import sys
from {program}.cli import main
try:
    main(["--version"])
finally:
    print(sorted({{"torch", "pandas", "numpy", "sklearn", "matplotlib", "seaborn"}} & sys.modules.keys()))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[1] == "[]"


def test_a_checkout_that_was_not_installed_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(_name: str) -> str:
        raise PackageNotFoundError

    monkeypatch.setattr(version, "version", absent)
    assert version.installed_version() == "0+unknown"
