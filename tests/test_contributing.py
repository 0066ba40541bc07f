"""The example of CONTRIBUTING.md is complete: it runs, is tested, and reads like the rest of the code."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

from csg_analyze.analysis import analyze
from csg_analyze.composing import compose
from csg_analyze.plan import Plan, plan
from csg_analyze.registry import ANALYZERS, read_signature
from csg_analyze.report.folder import write_report
from tests.examples import random_classifier, random_dataset

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"```python\n# (\S+)\n(.*?)```", TEXT, flags=re.DOTALL))
ANALYSIS, TEST = "csg_analyze/analyzers/silence.py", "tests/analyzers/test_silence.py"


def execute(path: str, module: ModuleType) -> ModuleType:
    """Run the example's file of that path as the module."""
    exec(compile(FILES[path], path, "exec"), module.__dict__)
    return module


@pytest.fixture
def analysis(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The example's analysis, to be imported as if its file lay in the package."""
    name = ANALYSIS.removesuffix(".py").replace("/", ".")
    module = ModuleType(name)
    monkeypatch.setitem(sys.modules, name, module)  # before it runs: annotations are looked up there
    return execute(ANALYSIS, module)


def test_the_examples_own_tests_pass(analysis: ModuleType) -> None:
    assert set(FILES) == {ANALYSIS, TEST}
    tests = [value for name, value in vars(execute(TEST, ModuleType("test"))).items() if name.startswith("test_")]
    assert len(tests) == 2
    for test in tests:
        test()


def test_the_example_stands_in_a_report(analysis: ModuleType, tmp_path: Path) -> None:
    (registration,) = re.findall(r"```toml\n(.*?)```", TEXT, flags=re.DOTALL)
    ((name, value),) = tomllib.loads(registration)["project"]["entry-points"][ANALYZERS].items()
    assert value == f"{analysis.__name__}:{name}"
    step = read_signature(name, getattr(analysis, name))
    assert step.options["threshold"].default == 1e-6
    classifier, dataset = random_classifier(), random_dataset(30)
    needs = plan(["mis"]).inputs  # the inputs that the example needs, and more
    steps = Plan((step,), {need: needs[need] for need in ("forward_pass", *step.needs)}, {})
    report = compose([analyze(classifier, dataset, steps)], [classifier], [dataset], steps)
    write_report(report, tmp_path / "report")
    assert "Filters that are silent for a class" in (tmp_path / "report" / "report.md").read_text()
    assert (tmp_path / "report" / "tables" / "silence_per_class.csv").exists()
    assert (tmp_path / "report" / "figures" / "silence_silent_filters.png").exists()


@pytest.mark.parametrize("path", [ANALYSIS, TEST])
@pytest.mark.parametrize("command", [("check",), ("format", "--check")], ids=" ".join)
def test_the_example_is_lint_clean(path: str, command: tuple[str, ...]) -> None:
    arguments = [sys.executable, "-m", "ruff", *command, "--stdin-filename", path, "-"]
    if command == ("check",):  # the example's own module does not lie in the package: say that it would
        arguments += ["--config", 'lint.isort.known-first-party = ["csg_analyze"]']
    done = subprocess.run(arguments, cwd=ROOT, input=FILES[path], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`([\w/.]+/[\w.]+)`", TEXT)) - {ANALYSIS, TEST}))
def test_what_it_points_at_exists(name: str) -> None:
    assert (ROOT / name).exists()
