from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import pytest

from csg_analyze.checkpoints import save_checkpoint
from csg_analyze.errors import UsageError
from csg_analyze.registry import ANALYZERS, INPUTS, find, read_signature, registered, summary_of
from tests.examples import HALF, NAMES, random_classifier

ROOT = Path(__file__).parent.parent


def test_a_signature_says_it_all() -> None:
    def example(a: int, b: float | None, *, k: Annotated[int, "how many"] = 3, name: str = "x") -> None:
        """First line.

        More.
        """

    step = read_signature("example", example)
    assert step.needs == ("a", "b")
    assert step.optional == {"b"}
    assert {name: option.default for name, option in step.options.items()} == {"k": 3, "name": "x"}
    assert step.options["k"].annotation == Annotated[int, "how many"]
    assert step.about.title == "First line"


def test_the_built_in_analyzers_and_inputs_load_and_say_what_they_are() -> None:
    assert list(registered(ANALYZERS))[:3] == ["accuracy", "gate", "mis"]
    for group in (ANALYZERS, INPUTS):
        for name, entry in registered(group).items():
            step = find(group, name)
            assert len(summary_of(entry)) > 5
            if group == ANALYZERS:
                assert step.about.summary == summary_of(entry)
                assert len(step.about.measures) > 50
                assert len(step.about.reading) > 80


def test_unknown_names_get_a_suggestion() -> None:
    with pytest.raises(UsageError, match=r"unknown analyzer 'accurancy'; did you mean 'accuracy'"):
        find(ANALYZERS, "accurancy")


def readme_plugin() -> dict[str, str]:
    """The third-party example of the README: its files by name."""
    text = (ROOT / "README.md").read_text()
    blocks = re.findall(r"```(?:python|toml)\n# ([\w.]+)\n(.*?)```", text, flags=re.DOTALL)
    return dict(blocks)


@pytest.fixture(scope="module")
def plugin_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The README's example, installed by pip into a folder of its own."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("target")
    files = readme_plugin()
    assert len(files) == 2
    for name, content in files.items():
        (source / name).write_text(content)
    assert len([line for line in files["dead_filters.py"].splitlines() if line.strip()]) <= 10
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "--target", str(target), str(source)], check=True, capture_output=True)
    return target


def test_the_readmes_analyzer_installs_and_runs(plugin_folder: Path, tmp_path: Path) -> None:
    classifier = random_classifier()
    save_checkpoint(
        tmp_path / "m.pt",
        classifier.network.network,
        architecture="resnet8",
        class_names=NAMES,
        preprocessing=HALF,
        feature_layer="layer3",
        data="scenes",
        training="STD",
    )
    command = [sys.executable, "-m", "csg_analyze", "dead-filters", "m.pt", "--limit", "20", "--threshold", "1e9"]
    environment = {**os.environ, "PYTHONPATH": f"{plugin_folder}", "CSG_ANALYZE_CACHE": str(tmp_path / "cache")}
    done = subprocess.run(
        [*command, "--json", "--data", "scenes:1"], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    (model,) = json.loads(done.stdout)["models"]
    assert model["results"]["dead-filters"]["dead"] == 64  # no activation reaches 1e9
