"""What pyproject.toml, CI, the hooks and CITATION.cff say, against the code."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import noxfile

ROOT = Path(__file__).parents[1]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
THROUGH = {"torch.utils.tensorboard": "tensorboard"}
"""Modules that are nothing but another package's door."""
PROGRAMS = {
    "nox",
    "ruff",
    "mypy",
    "pandas-stubs",
    "scipy-stubs",
    "pytest-xdist",
    "pytest-cov",
    "hatchling",
    "ipykernel",
}
"""What development needs without importing it."""


def requirements(*extras: str) -> dict[str, Requirement]:
    """The dependencies of everybody, or of extras, by name."""
    texts = [text for extra in extras for text in PROJECT["optional-dependencies"][extra]]
    listed = map(Requirement, texts if extras else PROJECT["dependencies"])
    return {canonicalize_name(each.name): each for each in listed if each.name != PROJECT["name"]}


def modules_of(path: Path) -> Iterator[str]:
    """Every module that a file imports."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "optional":
            yield ast.literal_eval(node.args[0])  # of csg_analyze.extras


def imported(*folders: str) -> set[str]:
    """The distributions that the files of these folders import."""
    paths = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    own = {"csg_analyze", "training", "tests", "scripts", "noxfile"}
    own |= {path.stem for path in paths if folder_of_tests(path)}
    installed = packages_distributions()
    distributions: set[str] = set()
    for module in {module for path in paths for module in modules_of(path)}:
        top = module.partition(".")[0]
        if module in THROUGH:
            distributions.add(THROUGH[module])
        if top not in own and top not in sys.stdlib_module_names:
            # an environment may hold several distributions of one module (two builds of OpenCV)
            names = {canonicalize_name(name) for name in installed.get(top, [top])}
            distributions.add(next(iter(names & DECLARED), min(names)))
    return distributions


def folder_of_tests(path: Path) -> bool:
    return path.is_relative_to(ROOT / "tests")


DECLARED = {*requirements(), *requirements("dev", "hub", "tensorboard")}


def test_what_the_program_imports_is_declared_and_the_other_way_round() -> None:
    assert imported("csg_analyze", "training") == {*requirements(), *requirements("hub", "tensorboard")}


def test_what_only_the_tests_import_is_declared_and_the_other_way_round() -> None:
    others = {*requirements(), *requirements("hub"), "tensorboard"}
    assert imported("tests") - others == set(requirements("dev")) - PROGRAMS
    assert set(requirements("dev")) >= PROGRAMS


@pytest.mark.parametrize("name", sorted(requirements() | requirements("hub")))
def test_every_dependency_has_a_lower_bound(name: str) -> None:
    assert [bound.operator for bound in (requirements() | requirements("hub"))[name].specifier] == [">="]


def test_development_has_what_the_hub_needs() -> None:
    assert f"{PROJECT['name']}[hub]" in PROJECT["optional-dependencies"]["dev"]


def test_the_lowest_versions_are_the_bounds() -> None:
    lowest = noxfile.lowest_versions(except_for=["torchvision"])
    assert "torch==2.10" in lowest
    assert not [pin for pin in lowest if pin.startswith("torchvision")]
    assert {Requirement(pin).name for pin in lowest} >= {"numpy", "pandas", "pytest"}


def test_ci_pins_every_dependency_within_its_bounds() -> None:
    lines = [line for line in (ROOT / ".ci" / "constraints.txt").read_text().splitlines() if line[:1] != "#"]
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.]*", line) for line in lines)  # no address, no path
    pins = dict(line.split("==") for line in lines)
    versions = {canonicalize_name(name): version for name, version in pins.items()}
    for name, requirement in (requirements() | requirements("dev", "hub", "docs")).items():
        assert requirement.specifier.contains(versions[name]), name


def test_the_hooks_are_the_commands_of_nox_lint(monkeypatch: pytest.MonkeyPatch) -> None:
    class Session:
        """Notes what it is told to run."""

        def __init__(self) -> None:
            self.commands: list[str] = []

        def run(self, *words: str, external: bool) -> None:
            self.commands.append(" ".join(words))

    session = Session()
    monkeypatch.setattr(noxfile, "environment", lambda _session: "python")
    noxfile.lint(session)
    hooks = (ROOT / ".pre-commit-config.yaml").read_text()
    assert re.findall(r"^ +entry: (.+)$", hooks, flags=re.MULTILINE) == session.commands
    assert hooks.count("language: system") == hooks.count("pass_filenames: false") == len(session.commands) == 3


def test_the_citation_names_the_software_and_the_paper() -> None:
    """Plain `key: value` lines, as no YAML reader is needed for anything else here."""
    text = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    own, _, paper = text.partition("references:\n")
    fields = dict(re.findall(r"^([\w-]+): *(.*)$", own, flags=re.MULTILINE))
    assert {"cff-version", "message", "type", "title", "authors"} <= fields.keys()  # what the format asks for
    assert (fields["title"], fields["license"]) == (PROJECT["name"], PROJECT["license"])
    assert "version" not in fields  # pyproject.toml has it
    assert [author["name"] for author in PROJECT["authors"]] == re.findall(r"- name: \"(.+)\"", own)
    families = re.findall(r"- family-names: (.+)\n +given-names: (.+)", paper)
    assert [family for family, _ in families] == ["Liang", "Ouyang", "Zeng", "Su", "He", "Xia", "Zhu", "Zhang"]
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    quoted = re.search(r"\*(Training Interpretable[^*]+)\* \((\w+) (\d+)\)", readme)
    assert quoted is not None
    title, conference, year = (" ".join(part.split()) for part in quoted.groups())
    assert f'title: "{title}"'.lower() in paper.lower()
    assert f"({conference})" in paper
    assert f"year: {year}\n" in paper
