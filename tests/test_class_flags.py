"""--class-map and --all-outputs on the command line, and one analysis of the same images in several forms."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import csg_analyze
from csg_analyze.checkpoints import save_checkpoint
from csg_analyze.cli import main
from csg_analyze.report.document import Report
from tests.data import forms_of_data
from tests.examples import HALF, random_classifier, random_gate

NAMES = ["cat", "ant", "dog", "bee", "owl"]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a network of five classes, and an image folder of three of them."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CSG_ANALYZE_CACHE", str(tmp_path / "cache"))
    save_checkpoint(
        Path("csg.pt"), random_classifier(n_classes=5).network.network, architecture="resnet8", class_names=NAMES,
        preprocessing=HALF, feature_layer="layer3", data="scenes", training="CSG",
        gate=torch.from_numpy(random_gate(5, 64)),
        record={"gate_bound": 64.0},
    )  # fmt: skip
    monkeypatch.setattr(forms_of_data, "picture", picture)
    forms_of_data.write_folder(tmp_path / "pets")
    return tmp_path


def picture(split: str, label: int, i: int) -> bytes:
    path = Path(f"{split}{label}{i}.png")
    Image.fromarray(np.random.default_rng([len(split), label, i]).integers(0, 256, (32, 32, 3), np.uint8)).save(path)
    content = path.read_bytes()
    path.unlink()
    return content


def call(*arguments: str) -> int:
    with pytest.raises(SystemExit) as caught:
        main([*arguments, "--quiet"])
    return int(caught.value.code or 0)


def document(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, object]:
    assert call(*arguments, "--json") == 0
    read: dict[str, object] = json.loads(capsys.readouterr().out)
    return read


def test_a_subset_is_analysed_among_itself_and_the_report_says_so(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("report", "csg.pt", "--data", "folder:pets", "--analyzers", "accuracy,gate", "--out", "r") == 0
    said = capsys.readouterr().err
    assert "note: csg: the data has 3 of the model's 5 classes, matched by their names (cat, dog, owl)" in said
    assert "(--all-outputs: among all); of the gate only their rows are shown" in said
    provenance = json.loads(Path("r/provenance.json").read_text())
    assert provenance["outputs"] == {"csg.pt": [0, 2, 4]}
    assert "the data has 3 of the model's 5 classes" in Path("r/report.md").read_text()


def report_of(**options: Any) -> Report:
    return csg_analyze.run(["csg.pt"], data="folder:pets", analyzers=["accuracy"], no_cache=True, quiet=True, **options)


def test_all_outputs_leave_every_class_in(here: Path) -> None:
    few, all_of_them = (report_of(all_outputs=each) for each in (False, True))
    accuracies = [each.models[0].results["accuracy"].summary["accuracy"] for each in (few, all_of_them)]
    assert accuracies[0] >= accuracies[1]  # type: ignore[operator]
    assert few.data["classes"] == ["cat", "dog", "owl"]
    assert all_of_them.data["classes"] == NAMES


def test_a_map_renames_the_datas_classes(here: Path) -> None:
    Path("map.csv").write_text("cat,bee\ndog,1\nowl,bee\n")
    assert report_of(class_map="map.csv").data["classes"] == ["bee", "ant"]


@pytest.mark.parametrize("given", ["missing.csv", "index", "broken.json"])
def test_maps_that_cannot_be_used_end_with_one_sentence(
    here: Path, capsys: pytest.CaptureFixture[str], given: str
) -> None:
    Path("broken.json").write_text("{")
    assert call("mis", "csg.pt", "--data", "folder:pets", "--class-map", given, "--out", "r") == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert "class" in error
    assert not Path("r").exists()


def test_the_form_of_the_data_changes_no_number(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    specs = ["folder:pets"]
    for write in (forms_of_data.by_name, forms_of_data.csv_with_splits, forms_of_data.parquet_of_the_hub):
        folder = here / write.__name__
        folder.mkdir()
        specs.append(write(folder))
    results = [
        document(capsys, "report", "csg.pt", "--data", spec, "--analyzers", "accuracy,similarity,confusion")["models"]
        for spec in specs
    ]
    numbers = [[model["results"] for model in models] for models in results]  # the notes name the data
    assert all(each == numbers[0] for each in numbers[1:])
