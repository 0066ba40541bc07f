from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from csg_analyze.checkpoints import save_checkpoint
from csg_analyze.cli import main
from csg_analyze.registry import ANALYZERS, registered
from tests.examples import HALF, random_classifier, random_gate

LIMIT = ["--limit", "40", "--quiet"]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with an STD and a CSG checkpoint of untrained networks."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CSG_ANALYZE_CACHE", str(tmp_path / "cache"))
    network = random_classifier().network.network
    for name, gate in (("std", None), ("csg", torch.from_numpy(random_gate(10, 64)))):
        save_checkpoint(
            Path(f"{name}.pt"),
            network,
            architecture="resnet8",
            class_names=["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"],
            preprocessing=HALF,
            feature_layer="layer3",
            data="scenes",
            training=name.upper(),
            gate=gate,
            record={"gate_bound": 64.0} if gate is not None else {},
        )
    return tmp_path


def call(*arguments: str) -> int:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    code = caught.value.code
    return code if isinstance(code, int) else 0


def test_json_is_the_document_and_nothing_else(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("mis", "std.pt", "csg.pt", "--json", *LIMIT) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == 1
    std, csg = document["models"]
    assert (std["name"], std["path"], std["arch"], std["training"]) == ("std", "std.pt", "resnet8", "STD")
    assert csg["training"] == "CSG"
    assert std["results"].keys() == {"mis"}
    assert std["results"]["mis"]["n"] == 40
    assert not (here / "reports").exists()  # a folder only with --out


def test_a_command_writes_its_folder_and_never_over_another(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("accuracy", "csg.pt", *LIMIT) == 0
    assert call("accuracy", "csg.pt", *LIMIT) == 0
    output = capsys.readouterr()
    assert "csg" in output.out
    assert "accuracy-csg-2" in output.err
    for name in ("accuracy-csg", "accuracy-csg-2"):
        assert (here / "reports" / name / "index.html").exists()


def test_the_report_compares_and_says_what_was_skipped(here: Path) -> None:
    assert call("report", "std.pt", "csg.pt", "--analyzers", "accuracy,mis,gate", "--out", "run1", *LIMIT) == 0
    document = json.loads((here / "run1" / "summary.json").read_text())
    std, csg = document["models"]
    assert std["skipped"] == {"gate": "no gate in this checkpoint"}
    assert csg["skipped"] == {}
    assert csg["results"]["gate"]["interval_high"] == pytest.approx(0.1)
    page = (here / "run1" / "index.html").read_text()
    assert "no gate in this checkpoint" in page
    provenance = json.loads((here / "run1" / "provenance.json").read_text())
    assert provenance["command"].startswith("csg-analyze")
    assert provenance["options"]["mis"]["n_neighbors"] == 3
    assert provenance["data"]["n"] == 40


def test_a_light_report_is_one_flag_away(here: Path) -> None:
    command = ["report", "std.pt", "--analyzers", "accuracy,filters", "--light", "--out", "run", *LIMIT]
    assert call(*command) == 0
    assert (here / "run" / "index.html").exists()
    assert not (here / "run" / "pages").exists()
    assert "pages/filters-std; without --light" in (here / "run" / "index.html").read_text()


def test_what_a_reader_must_know_is_said(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("gate", "std.pt", "csg.pt", "--json", *LIMIT) == 0
    output = capsys.readouterr()
    json.loads(output.out)
    assert "skipped: gate of std: no gate in this checkpoint" in output.err
    assert "note: csg: 40 of 1000 images" in output.err


def test_options_by_flag_and_by_report_agree(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("mis", "csg.pt", "--n-neighbors", "5", "--json", *LIMIT) == 0
    by_flag = json.loads(capsys.readouterr().out)
    assert call("report", "csg.pt", "--analyzers", "mis", "-O", "mis.n_neighbors=5", "--json", *LIMIT) == 0
    assert json.loads(capsys.readouterr().out) == by_flag


def test_the_second_run_reads_the_cache(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call("mis", "csg.pt", "--json", *LIMIT)
    first = capsys.readouterr().out
    entries = sorted((here / "cache").iterdir())
    stamps = [entry.stat().st_mtime_ns for entry in entries]
    call("mis", "csg.pt", "--json", *LIMIT)
    assert capsys.readouterr().out == first
    assert sorted((here / "cache").iterdir()) == entries
    assert [entry.stat().st_mtime_ns for entry in entries] == stamps
    call("mis", "csg.pt", "--json", "--no-cache", *LIMIT)
    assert capsys.readouterr().out == first


def test_inspect_and_list(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("inspect", "csg.pt") == 0
    text = capsys.readouterr().out
    for words in ("resnet8", "layer3", "K = 64", "C = 10", "zero, one", "10 x 64", "scenes"):
        assert words in text
    assert call("list") == 0
    text = capsys.readouterr().out
    for words in (*registered(ANALYZERS), "scenes", "folder", "resnet20", "resnet18"):
        assert words in text


def test_inspect_as_json_and_with_alternatives(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("inspect", "csg.pt", "--data", "scenes", "--limit", "20", "--json", "--quiet") == 0
    document = json.loads(capsys.readouterr().out)
    (checkpoint,) = document["checkpoints"]
    assert document["schema"] == 1
    assert (checkpoint["arch"], checkpoint["n_classes"], checkpoint["feature_layer"]) == ("resnet8", 10, "layer3")
    preprocessing = checkpoint["preprocessing"]
    assert (preprocessing["mean"], preprocessing["size"], preprocessing["channels"]) == ([0.5] * 3, 32, "rgb")
    assert preprocessing["origins"]["mean"] == "the checkpoint's own record"
    assert preprocessing["assumed"] == []
    assert checkpoint["alternatives"]["n_images"] == 20
    assert any(trial["flags"] == "--channels bgr" for trial in checkpoint["alternatives"]["tried"])
    assert call("inspect", "csg.pt", "--channels", "bgr") == 0
    assert "blue, green, red  (--channels)" in capsys.readouterr().out
    assert call("inspect", "csg.pt", "--data", "nowhere") == 2
    assert capsys.readouterr().out == ""


def test_help_names_every_analyzer_with_its_first_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("--help") == 0
    text = capsys.readouterr().out
    for name in (*registered(ANALYZERS), "report", "demo", "inspect", "list", "prepare-voc"):
        assert name in text
    assert call("mis", "--help") == 0
    text = capsys.readouterr().out
    for flag in ("--n-neighbors", "--estimator", "--batch-size", "--data", "--json", "--arch"):
        assert flag in text
    for flag in ("--title", "--paper", "--remark", "--analyzers"):  # of `report` alone
        assert flag not in text


def test_importing_the_command_line_imports_nothing_heavy() -> None:
    heavy = "'torch', 'pandas', 'numpy', 'sklearn'"
    code = f"import sys, csg_analyze.cli; print([m for m in ({heavy}) if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def make_folder(root: Path, kind: str) -> None:
    classes = ["only"] if kind == "one class" else ["ant", "bee"]
    for split in ("train", "test"):
        for name in classes:
            folder = root / split / name
            folder.mkdir(parents=True)
            if kind != "no images":
                cv2.imwrite(str(folder / "a.png"), np.zeros((32, 32, 3), np.uint8))
    if kind == "broken":
        (root / "test" / "ant" / "b.png").write_bytes(b"not an image")


BAD = [
    (["mis", "absent.pt"], "no checkpoint"),
    (["mis", "std.pt", "--data", "folder:two"], "2"),
    (["mis", "std.pt", "--data", "folder:nothing"], "image"),
    (["mis", "std.pt", "--data", "folder:broken"], "b.png"),
    (["mis", "std.pt", "--data", "folder:single"], "class"),
    (["mis", "std.pt", "--data", "folder:absent"], "absent"),
    (["mis", "std.pt", "--data", "scene"], "did you mean 'scenes'"),
    (["mis", "std.pt", "--limit", "0"], "--limit"),
    (["mis", "std.pt", "--split", "dev"], "dev"),
    (["mis", "std.pt", "--arch", "resnet-20"], "did you mean 'resnet20'"),
    (["mis", "std.pt", "--n-neighbors", "0"], "neighbo"),
    (["mis", "std.pt", "--mean", "red"], "--mean"),
    (["mis", "std.pt", "--batch-size", "0"], "--batch-size"),
    (["mis", "std.pt", "--out", "taken"], "--force"),
    (["mis", "std.pt", "--out", "std.pt/run"], "std.pt"),
    (["miss", "std.pt"], "did you mean 'mis'"),
    (["report", "std.pt", "--analyzers", "acuracy"], "did you mean 'accuracy'"),
    (["report", "std.pt", "-O", "mis.k=5"], "option of mis 'k'"),
    (["report", "std.pt", "-O", "mis"], "ANALYZER.NAME=VALUE"),
    (["report", "std.pt", "-O", "mis.n_neighbors=many"], "does not fit"),
    (["mis", "std.pt", "--estimator", "guess"], "guess"),
    (["adv-detect", "std.pt", "--attack", "pdg"], "did you mean 'pgd'"),
    (["adv-detect", "std.pt", "--attack", "foolbox:DeepFool"], "did you mean 'foolbox:L.*DeepFoolAttack'"),
    (["adv-detect", "std.pt", "--eps", "8"], "between 0 and 1"),
    (["adv-detect", "std.pt", "--detector", "sklearn.svm:SVCC"], "cannot be imported"),
    (["adv-detect", "std.pt", "--protocol", "pair"], "pair"),
    (["adv-detect", "std.pt", "--eps", "0", "--pgd-steps", "1"], "too few adversarial samples"),
    (["robustness", "std.pt", "--eps", "1/255,2"], "between 0 and 1"),
    (["mis"], "(?i)missing|checkpoints"),
]


@pytest.mark.parametrize(("arguments", "words"), BAD, ids=[" ".join(a) for a, _ in BAD])
def test_bad_input_ends_with_one_sentence_and_nothing_written(
    here: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    for name, kind in (("two", "good"), ("nothing", "no images"), ("broken", "broken"), ("single", "one class")):
        make_folder(here / name, kind)
    (here / "taken").mkdir()
    (here / "taken" / "precious.txt").write_text("mine")
    before = sorted(path for path in here.rglob("*") if "cache" not in path.parts)
    assert call(*arguments, "--quiet") == 2
    error = capsys.readouterr().err
    assert re.search(words, error), error
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert "Traceback" not in error
    assert sorted(p for p in here.rglob("*") if "cache" not in p.parts and p != here / "reports") == before


def test_debug_shows_the_traceback(here: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "csg_analyze", "mis", "absent.pt", "--debug"], cwd=here, capture_output=True, text=True
    )
    assert done.returncode != 0
    assert "Traceback" in done.stderr
    assert "no checkpoint" in done.stderr


ATTACKED = ["--no-targeted", "--eps", "40/255", "--pgd-steps", "2", "--train-sizes", "40", "--test-size", "20"]


def test_batch_sizes_change_no_bit_of_detection_and_robustness(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whole commands, each with a cache of its own."""
    outputs = []
    for size in ("7", "64"):
        command = ["adv-detect", "std.pt", "csg.pt", *ATTACKED, "--repeats", "1", "--batch-size", size]
        assert call(*command, "--json", "--quiet", "--cache", size, "--detector", NEIGHBOURS) == 0
        outputs.append(json.loads(capsys.readouterr().out)["models"])
        command = ["robustness", "csg.pt", "--n-images", "30", "--eps", "1/255,8/255", "--pgd-steps", "2"]
        assert call(*command, "--batch-size", size, "--json", "--quiet", "--cache", size) == 0
        outputs.append(json.loads(capsys.readouterr().out)["models"])
    assert outputs[:2] == outputs[2:]
    assert outputs[0][0]["results"]["adv-detect"]["pgd/success_rate"] > 0.4


NEIGHBOURS = "sklearn.neighbors:KNeighborsClassifier"


def test_a_report_of_attacks_holds_its_tables_and_samples(here: Path) -> None:
    command = ["adv-detect", "std.pt", "csg.pt", *ATTACKED, "--repeats", "1", "--out", "run", "--quiet"]
    assert call(*command) == 0
    assert (here / "run" / "samples" / "adv-detect.parquet").exists()
    for name in ("table_3", "differences", "detection", "attacks"):
        assert (here / "run" / "tables" / f"adv-detect_{name}.csv").exists()
    page = (here / "run" / "index.html").read_text()
    assert "successes of" in page
    assert "2 steps of eps/4, random start, Linf, eps 0.1569 (40/255), untargeted" in page
