"""What is kept under reports/ fits, and was trained as the named recipes say."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from urllib.parse import unquote

import pytest

from csg_analyze.checkpoints import load_classifier
from csg_analyze.checkpoints.flat_recipes import grouped
from csg_analyze.checkpoints.origin import OWN_GROUPS, WITHOUT_EFFECT, origin_of
from csg_analyze.checkpoints.twins import besides_the_gate
from csg_analyze.overview.reports import reports_below
from csg_analyze.overview.writing import html_page, markdown_list
from training.recipes import RECIPES

REPORTS = Path(__file__).resolve().parents[1] / "reports"
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
        without_effect = {*WITHOUT_EFFECT, "control", *(OWN_GROUPS["CSG"] if kind == "std" else ())}
        recorded = grouped(classifier.record["recipe"])
        recipe = asdict(RECIPES[FORKS[path.relative_to(REPORTS).parts[0].partition("-")[0]]])
        if "fixed-gates" in str(path):
            recipe["gate"]["fixed_gate"] = (6, 4)
        for groups in (recorded, recipe):
            for name in without_effect:
                del groups[name]
        assert recorded == recipe


@pytest.mark.parametrize("kept", ["animals", "cifar10-resnet20"])
def test_kept_twins_are_paired_and_say_that_the_head_was_treated_otherwise(kept: str) -> None:
    for seed in (0, 1, 2):
        networks = [load_classifier(REPORTS / kept / f"checkpoints/{kind}-seed{seed}.pt") for kind in ("std", "csg")]
        std, csg = (origin_of(each.training, each.record, each.head) for each in networks)
        assert std is not None
        assert csg is not None
        assert std.twins == csg.twins
        differences = {field: (before, after) for field, before, after in besides_the_gate(std, csg)}
        assert differences["STD epochs"] == ("4", "3")
        assert differences["the head linear"] == ("not trained, as it was at the start", "trained in CSG epochs")
        assert {"csg_weight_decay", "csg_schedule", "csg_trainable"} < set(differences)


def _kept_files() -> list[Path]:
    """What git keeps; without git, all files there are."""
    result = subprocess.run(["git", "ls-files", "-z"], cwd=REPORTS.parent, capture_output=True, text=True, check=False)
    if result.returncode:
        return [path.resolve() for path in REPORTS.parent.rglob("*") if path.is_file()]
    return [(REPORTS.parent / name).resolve() for name in result.stdout.split("\0") if name]


KEPT_FILES = _kept_files()
PAGES = [path for path in KEPT_FILES if path.is_relative_to(REPORTS) and path.suffix in (".html", ".md")]
TEXTS = [REPORTS.parent / "README.md", *sorted((REPORTS.parent / "docs").rglob("*.md"))]


@pytest.mark.parametrize("page", PAGES + TEXTS, ids=[str(path.relative_to(REPORTS.parent)) for path in PAGES + TEXTS])
def test_every_link_leads_to_what_is_kept(page: Path) -> None:
    kept = {path for file in KEPT_FILES for path in (file, *file.parents)}
    dead = [link for link in _links(page) if (page.parent / link).resolve() not in kept]
    assert dead == []


@pytest.mark.parametrize("page", [page for page in PAGES if page.suffix == ".html"], ids=lambda page: page.parent.name)
def test_every_link_within_a_page_leads_to_a_place_on_it(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    places = {"", *re.findall(r'\sid="([^"]+)"', text)}
    assert {unquote(place) for place in re.findall(r'href="#([^"]*)"', text)} <= places


def _links(page: Path) -> Iterator[str]:
    """What a page links to or shows, as far as it is a file beside it."""
    text = page.read_text(encoding="utf-8")
    pattern = r'(?:href|src)="([^"]+)"' if page.suffix == ".html" else r"\]\(([^)\s]+)\)"
    for link in re.findall(pattern, text):
        if not re.match(r"#|[a-z]+:", link):
            yield unquote(link.partition("#")[0])


def test_the_overview_is_up_to_date(monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails: `csg-analyze index reports --kept`."""
    monkeypatch.chdir(REPORTS.parent)
    if not Path(".git").exists():
        pytest.skip("git says what is kept, and this is no checkout")
    reports = reports_below(Path("reports"), kept=True)
    summaries = {path.parent for path in KEPT_FILES if path.name == "summary.json"}
    assert {(REPORTS / report.folder).resolve() for report in reports} == summaries
    assert html_page(reports) == (REPORTS / "index.html").read_text(encoding="utf-8")
    assert markdown_list(reports) in (REPORTS / "README.md").read_text(encoding="utf-8")


def test_the_readme_quotes_the_kept_report() -> None:
    readme = (REPORTS.parent / "README.md").read_text()
    for model in json.loads((REPORTS / "cifar10-resnet20/report/summary.json").read_text())["models"]:
        results = model["results"]
        assert _short(results["accuracy"]["accuracy"], 4) in readme
        assert _short(results["mis"]["mis"], 4) in readme
        for number in ("c_ic", "c_ic_off_diagonal", "between_groups_absolute"):
            # a report made before the last of them was counted is quoted for the others
            assert _short(results["correlation"].get(number, results["correlation"]["c_ic"]), 3) in readme
        assert _short(results["correlation"]["r_0.1"], 3) in readme
        assert f"{_short(results['confusion']['mean_single_recall'], 2)} (" in readme


def test_table_3_is_quoted_with_one_difference_and_its_interval_over_seeds() -> None:
    quoted = (REPORTS.parent / "docs" / "adversarial.md").read_text()
    (pair,) = json.loads((REPORTS / "cifar10-adversarial/detection/summary.json").read_text())["differences"]
    for attack in ("fgsm", "pgd", "cw"):
        difference = pair["results"]["adv-detect"][f"{attack}/error_percent@2000"]
        mean, low, high = (_short(difference[name], 1) for name in ("mean", "low", "high"))
        assert f"| {'+' * (difference['mean'] > 0)}{mean} [{low}, {high}] |" in quoted, attack


def _short(value: float, digits: int) -> str:
    """As the README writes it: .8892."""
    return f"{value:.{digits}f}".replace("0.", ".", 1)
