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
KEPT = {"cifar10-resnet20": "cifar10-resnet20-fork", "animals": "animals-resnet20-fork"}
TWINS = [path for kept in KEPT for path in sorted((REPORTS / kept / "checkpoints").glob("*-seed*.pt"))]


@pytest.mark.parametrize("kept", KEPT)
def test_a_kept_report_is_small(kept: str) -> None:
    sizes = {path: path.stat().st_size for path in (REPORTS / kept).rglob("*") if path.is_file()}
    assert sum(sizes.values()) < 15e6
    assert max(size for path, size in sizes.items() if path.suffix == ".pt") < 1.2e6


@pytest.mark.parametrize("path", TWINS, ids=[f"{path.parents[1].name}-{path.stem}" for path in TWINS])
def test_a_kept_checkpoint_says_how_it_was_trained(path: Path) -> None:
    classifier = load_classifier(path)
    assert classifier.data is not None
    assert "$CSG_DATA/" in classifier.data  # where the data lies is the reader's business
    kind, _, seed = path.stem.partition("-seed")
    assert classifier.record["seed"] == int(seed)
    assert classifier.training == ("CSG" if kind == "csg" else "STD")
    assert (classifier.gate is None) == (kind != "csg")
    if kind != "base":
        without_effect = WITHOUT_EFFECT | (CSG_FIELDS if kind == "std" else frozenset())
        trained = {name: value for name, value in classifier.record["recipe"].items() if name not in without_effect}
        named = asdict(RECIPES[KEPT[path.parents[1].name]])
        assert trained == {name: value for name, value in named.items() if name not in without_effect}


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
