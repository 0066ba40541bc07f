"""Who may import whom: an idea lives in one room, and a room is entered by one door."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "csg_analyze"
ALLOWED = {
    "metrics": {"metrics"},
    "plots": {"plots", "metrics", "wording"},
    "html": {"html"},
    "analyzers": {"metrics", "plots", "html", "wording", "result", "about", "errors"},
    "attacks": {"attacks", "metrics", "errors"},
    "inputs": {
        "inputs", "attacks", "checkpoints", "data", "metrics", "models", "hooks", "files", "progress", "errors",
    },
    "checkpoints": {"checkpoints", "models", "metrics", "html", "files", "devices", "errors", "extras"},
    "classes": {"classes", "checkpoints", "data", "wording", "errors"},
    "data": {"data", "extras", "html", "files", "errors"},
    "report": {
        "report", "result", "about", "paper", "checkpoints", "metrics", "plots", "html", "wording", "files", "errors",
    },
}  # fmt: skip
"""What a package may import of this project; a room of an analysis also itself."""
SHARED_WITH_TRAINING = {
    "checkpoints", "data", "metrics", "models", "hooks", "console", "devices", "errors", "files", "flags", "progress",
    "version",
}  # fmt: skip


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(nodes: Iterator[ast.AST]) -> Iterator[str]:
    """The modules of this project that are imported; of `from package import name` both, as either may be meant."""
    for node in nodes:
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        yield from (name for name in names if name.split(".")[0] in ("csg_analyze", "training"))


def everywhere(path: Path) -> set[str]:
    return set(imported(ast.walk(ast.parse(path.read_text()))))


def at_once(path: Path) -> set[str]:
    """What a module imports when it is imported itself: neither in a function nor for type checkers only."""

    def walk(node: ast.AST) -> Iterator[ast.AST]:
        for child in ast.iter_child_nodes(node):
            checking = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)
            if not checking and not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                yield child
                yield from walk(child)

    return set(imported(walk(ast.parse(path.read_text()))))


@pytest.mark.parametrize("package", ALLOWED)
def test_a_package_imports_only_what_it_may(package: str) -> None:
    for path in (PACKAGE / package).rglob("*.py"):
        own_room = ".".join(name_of(path).split(".")[:3])
        for module in everywhere(path) - {"csg_analyze"}:
            assert not module.startswith("training"), f"{path} imports {module}"
            if package == "analyzers" and (module + ".").startswith(own_room + "."):
                continue
            assert module.split(".")[1] in ALLOWED[package], f"{path} imports {module}"


def test_nobody_imports_an_analysis() -> None:
    """They are found by their entry points alone, as those of third parties are."""
    for path in modules():
        if "analyzers" not in path.relative_to(PACKAGE).parts:
            assert not [name for name in everywhere(path) if "csg_analyze.analyzers" in name], path


def test_the_report_names_no_analysis() -> None:
    names = [entry.stem for entry in (PACKAGE / "analyzers").iterdir() if not entry.name.startswith("_")]
    for path in (PACKAGE / "report").rglob("*.py"):
        texts = {node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant)}
        assert not texts.intersection({*names, "adv-detect", "robustness"}), path


def test_training_and_the_toolkit_meet_in_few_places() -> None:
    for path in (ROOT / "training").rglob("*.py"):
        for module in everywhere(path):
            if module.startswith("csg_analyze."):
                assert module.split(".")[1] in SHARED_WITH_TRAINING, f"{path} imports {module}"
    for path in modules():
        if path != PACKAGE / "cli" / "demo.py":
            assert not [name for name in everywhere(path) if name.split(".")[0] == "training"], path
    assert not [name for name in at_once(PACKAGE / "cli" / "demo.py") if name.split(".")[0] == "training"]


def test_no_import_leads_back_to_itself() -> None:
    paths = {name_of(path): path for path in [*modules(), *(ROOT / "training").rglob("*.py")]}
    graph = {name: {other for other in at_once(path) if other in paths} - {name} for name, path in paths.items()}
    # a package's own __init__ is run before any of its modules; that these import each other is no circle
    for name, others in graph.items():
        others -= {other for other in others if name.startswith(other + ".")}
    list(TopologicalSorter(graph).static_order())  # raises CycleError
