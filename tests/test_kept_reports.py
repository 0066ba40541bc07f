"""What is kept under reports/ fits, and was trained as the named recipes say."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from csg_analyze.checkpoints import load_classifier
from csg_analyze.checkpoints.origin import CSG_FIELDS, WITHOUT_EFFECT
from training.recipes import RECIPES

REPORTS = Path(__file__).parents[1] / "reports"
FORKS = {"animals": "animals-resnet20-fork", "cifar10": "cifar10-resnet20-fork"}
KEPT = (
    "animals",
    "animals-paper-protocol",
    "cifar10-adversarial",
    "cifar10-bases",
    "cifar10-fixed-gates",
    "cifar10-resnet20",
)
CHECKPOINTS = [path for kept in KEPT for path in sorted((REPORTS / kept).rglob("*-seed*.pt"))]


@pytest.mark.parametrize("kept", KEPT)
def test_what_is_kept_is_small(kept: str) -> None:
    sizes = {path: path.stat().st_size for path in (REPORTS / kept).rglob("*") if path.is_file()}
    assert 0 < sum(sizes.values()) < 15e6
    assert all(size < 1.2e6 for path, size in sizes.items() if path.suffix == ".pt")


@pytest.mark.parametrize("path", CHECKPOINTS, ids=[str(path.relative_to(REPORTS)) for path in CHECKPOINTS])
def test_a_kept_checkpoint_says_how_it_was_trained(path: Path) -> None:
    classifier = load_classifier(path)
    assert classifier.data is not None
    assert "$CSG_DATA/" in classifier.data  # where the data lies is the reader's business
    named, _, seed = path.stem.partition("-seed")
    kind = named.rpartition("-")[2]  # resnet20-csg: where networks stand side by side
    assert classifier.record["seed"] == int(seed)
    assert classifier.training == ("CSG" if kind == "csg" else "STD")
    assert (classifier.gate is None) == (kind != "csg")
    if kind != "base":
        without_effect = WITHOUT_EFFECT | (CSG_FIELDS if kind == "std" else frozenset())
        trained = {name: value for name, value in classifier.record["recipe"].items() if name not in without_effect}
        recipe = asdict(RECIPES[FORKS[path.relative_to(REPORTS).parts[0].partition("-")[0]]])
        if "fixed-gates" in str(path):
            recipe["fixed_gate"] = (6, 4)
        assert trained == {name: value for name, value in recipe.items() if name not in without_effect}


def test_the_readme_quotes_the_kept_report() -> None:
    readme = (REPORTS.parent / "README.md").read_text()
    for model in json.loads((REPORTS / "cifar10-resnet20/report/summary.json").read_text())["models"]:
        results = model["results"]
        assert _short(results["accuracy"]["accuracy"], 4) in readme
        assert _short(results["mis"]["mis"], 4) in readme
        assert _short(results["correlation"]["c_ic"], 3) in readme
        assert _short(results["correlation"]["r_0.1"], 3) in readme
        assert f"{_short(results['confusion']['mean_single_recall'], 2)} (" in readme


def _short(value: float, digits: int) -> str:
    """As the README writes it: .8892."""
    return f"{value:.{digits}f}".replace("0.", ".", 1)
