"""`csg-analyze localize` and `prepare-voc` as a user calls them."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
import torch

from csg_analyze.checkpoints import save_checkpoint
from csg_analyze.cli import main
from csg_analyze.models import build
from tests.devkits import write_devkit
from tests.examples import HALF

CLASSES = ("bird", "cat", "dog")
QUICK = ["--gradmap-filters", "2", "--bootstrap", "10", "--levels", "10", "--quiet"]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A devkit with masks and a checkpoint of its three classes."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CSG_ANALYZE_CACHE", str(tmp_path / "cache"))
    pictures = {f"p{i}": [(CLASSES[i % 3], (5 + i, 5, 25 + i, 35))] for i in range(12)}
    splits = {"train": [f"p{i}" for i in range(6)], "val": [f"p{i}" for i in range(6, 12)]}
    write_devkit(tmp_path / "VOC2010", pictures, splits, masks=True)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = build("resnet8", 3)
    save_checkpoint(
        Path("std.pt"),
        network.eval(),
        architecture="resnet8",
        class_names=CLASSES,
        preprocessing=HALF,
        feature_layer="layer3",
        data="voc:VOC2010?classes=bird,cat,dog",
        training="STD",
    )
    return tmp_path


def call(*arguments: str) -> int:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    code = caught.value.code
    return code if isinstance(code, int) else 0


def test_a_report_on_a_devkit(here: Path) -> None:
    assert call("localize", "std.pt", "--voc-root", "VOC2010", "--out", "report", *QUICK) == 0
    summary = json.loads(Path("report/summary.json").read_text())["models"][0]["results"]["localize"]
    assert summary["protocol"] == "heldout"
    assert summary["truth"] == "masks"
    assert 0 <= summary["cam/avg_iou"] <= 1
    scores = pd.read_csv("report/tables/localize_scores.csv")
    assert list(scores.columns) == ["model", "method", "metric", "class", "value", "low", "high", "n"]
    assert set(scores["class"]) == {*CLASSES, "(total)"}
    page = Path("report/index.html").read_text()
    assert "Held-out protocol" in page
    assert "Compared with masks of the objects" in page
    assert Path("report/pages/localize-std/index.html").exists()
    for name in ("localize_maps", "localize_iou_curves"):
        assert Path(f"report/figures/{name}.png").stat().st_size > 10_000


def test_flags_compose_the_spec(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    common = ("--json", "--methods", "cam", "--protocol", "paper", "--annotations", "boxes", *QUICK)
    flags = ("--classes", "cat,dog", "--instances", "crop", "--crop-size", "40", "--difficult", "skip")
    spec = "voc:VOC2010?classes=cat,dog&instances=crop&crop_size=40&difficult=skip"
    assert call("localize", "std.pt", "--voc-root", "VOC2010", *flags, *common) == 0
    by_flags = json.loads(capsys.readouterr().out)
    assert call("localize", "std.pt", "--data", spec, *common) == 0
    by_spec = json.loads(capsys.readouterr().out)
    assert by_flags == by_spec
    summary = by_spec["models"][0]["results"]["localize"]
    assert summary["n_images"] == 4
    assert summary["truth"] == "boxes"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--voc-root", "VOC2010", "--data", "scenes"), "--voc-root and --data both name the data"),
        (("--classes", "cat"), "--classes need the VOC data named as well"),
        (("--data", "scenes", "--instances", "crop"), "--instances can only be given for voc data"),
        (("--voc-root", "nowhere"), "there is nothing at 'nowhere'"),
        (("--voc-root", "cache"), "there is nothing at 'cache'"),
        (("--voc-root", "VOC2010", "--classes", "bird,cta"), "unknown class 'cta'; did you mean 'cat'"),
        (("--methods", "cma"), "unknown method 'cma'; did you mean 'cam'"),
        (("--deltas", "2"), "--deltas takes numbers between 0 and 1"),
    ],
)
def test_bad_input_is_one_sentence(
    here: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], words: str
) -> None:
    assert call("localize", "std.pt", *arguments, "--out", "report", "--quiet") == 2
    output = capsys.readouterr()
    assert words in output.err
    assert output.err.count("error:") == 1
    assert not output.out
    assert not Path("report").exists()


def test_data_without_objects_is_skipped_with_the_reason(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from PIL import Image

    for name in CLASSES:
        Path(f"images/test/{name}").mkdir(parents=True)
        Image.new("RGB", (32, 32)).save(f"images/test/{name}/1.png")
    assert call("localize", "std.pt", "--data", "folder:images", "--json", "--quiet") == 2
    assert "localize: folder:images has neither masks nor boxes of objects" in capsys.readouterr().err
    command = ("report", "std.pt", "--data", "folder:images", "--analyzers", "accuracy,localize", "--json", "--quiet")
    assert call(*command) == 0
    output = capsys.readouterr()
    assert "skipped: localize of std: folder:images has neither masks nor boxes of objects" in output.err
    assert "neither masks nor boxes" in json.loads(output.out)["models"][0]["skipped"]["localize"]


def test_prepare_voc_and_analyse_what_it_made(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ("prepare-voc", "VOC2010", "--out", "processed", "--crop-size", "32", "--quiet")
    assert call(*command) == 0
    output = capsys.readouterr()
    assert output.out == "12 objects (bird 4, cat 4, dog 4)\n8 pictures for training, 4 for testing\n"
    assert call(*command) == 0  # all is there: nothing is done twice
    assert call("localize", "std.pt", "--voc-root", "processed", "--methods", "activmap", "--json", *QUICK) == 0
    assert call("prepare-voc", "VOC2010", "--out", "other", "--split", "authors") == 2
    assert "has no trainval.txt in ImageSets/Main/" in capsys.readouterr().err
    assert call("prepare-voc", "VOC2010", "--out", "processed", "--seed", "1") == 2
    assert "begun with other settings" in capsys.readouterr().err


def test_the_list_names_the_kind_of_data_and_the_analyzer(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("list") == 0
    output = capsys.readouterr().out
    assert "voc:ROOT" in output
    assert "localize" in output
