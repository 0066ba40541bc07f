"""The program on networks and data in hand: the same numbers as through files, to the last digit."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import csg_analyze
from csg_analyze.checkpoints import Preprocessing
from csg_analyze.errors import UsageError
from csg_analyze.models import build

NAMES = ("ant", "bee", "cat", "dog")
MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)
IMAGES = torch.randint(0, 256, (60, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
LABELS = torch.arange(60) // 15  # in the order of folders
ANALYZERS = ["accuracy", "mis", "correlation", "confusion", "layers"]
HOW: dict[str, Any] = {"analyzers": ANALYZERS, "no_cache": True, "quiet": True}


def network() -> nn.Module:
    torch.manual_seed(0)
    return build("resnet8", 4)


def in_hand(**how: Any) -> csg_analyze.Classifier:
    return csg_analyze.classifier_of(network(), **{"mean": MEAN, "std": STD, "size": 32, "device": "cpu", **how})


def numbers(report: Any) -> Mapping[str, Mapping[str, object]]:
    (model,) = report.models
    assert set(model.results) == set(ANALYZERS), model.skipped
    return {name: dict(result.summary) for name, result in model.results.items()}


@pytest.fixture(scope="module")
def through_files(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Mapping[str, object]]:
    root = tmp_path_factory.mktemp("files")
    for i, (image, label) in enumerate(zip(IMAGES, LABELS.tolist(), strict=True)):
        folder = root / "data" / "test" / NAMES[label]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(folder / f"{i:02}.png")
    csg_analyze.save_checkpoint(
        root / "model.pt", network(), architecture="resnet8", class_names=NAMES, data="scenes", training="STD",
        preprocessing=Preprocessing(MEAN, STD, size=32), feature_layer="layer3",
    )  # fmt: skip
    loading = csg_analyze.Loading(device="cpu")
    return numbers(csg_analyze.run([root / "model.pt"], data=f"folder:{root / 'data'}", loading=loading, **HOW))


class Pictures:
    """A dataset of PIL images, of no library's class."""

    def __len__(self) -> int:
        return 60

    def __getitem__(self, i: int) -> tuple[Image.Image, int]:
        return Image.fromarray(IMAGES[i].permute(1, 2, 0).numpy()), int(LABELS[i])


FORMS: dict[str, Any] = {
    "arrays": (IMAGES.numpy(), LABELS.numpy()),
    "floats, channels last": (IMAGES.permute(0, 2, 3, 1) / 255, LABELS),
    "dataset": Pictures(),
    "loader": DataLoader(TensorDataset(IMAGES / 255, LABELS), batch_size=7),
}


@pytest.mark.parametrize("form", FORMS)
def test_data_in_hand_give_the_numbers_of_files(form: str, through_files: Mapping[str, Mapping[str, object]]) -> None:
    assert numbers(csg_analyze.run([in_hand()], data=FORMS[form], class_names=NAMES, **HOW)) == through_files


def test_a_dataset_that_was_loaded_is_data_too(through_files: Mapping[str, Mapping[str, object]]) -> None:
    from csg_analyze.data import DataInHand

    held = DataInHand(FORMS["arrays"], NAMES)
    for data in (held, held.opened()):
        assert numbers(csg_analyze.run([in_hand(class_names=NAMES)], data=data, **HOW)) == through_files


def test_one_analysis_of_whatever_a_user_holds(
    tmp_path: Path, through_files: Mapping[str, Mapping[str, object]]
) -> None:
    classifier, words = in_hand(class_names=NAMES), pd.Series([NAMES[label] for label in LABELS])
    pictures = [image for image, _ in map(Pictures().__getitem__, range(60))]
    for data in (FORMS["arrays"], (pictures, words), list(zip(pictures, LABELS, strict=True))):
        outcome = csg_analyze.analyze(classifier, data, "accuracy")
        assert list(outcome.results) == ["accuracy"]
        assert dict(outcome.results["accuracy"].summary) == through_files["accuracy"]
    csg_analyze.save_checkpoint(
        tmp_path / "model.pt", network(), architecture="resnet8", class_names=NAMES, data="scenes", training="STD",
        preprocessing=Preprocessing(MEAN, STD, size=32), feature_layer="layer3",
    )  # fmt: skip
    settings = HOW | {"analyzers": "accuracy", "data": FORMS["arrays"]}
    for one in (classifier, tmp_path / "model.pt", str(tmp_path / "model.pt"), tmp_path.glob("*.pt")):
        (model,) = csg_analyze.run(one, **settings).models
        assert dict(model.results["accuracy"].summary) == through_files["accuracy"]
    with pytest.raises(UsageError, match=r"the checkpoint has 4 classes .*, the data 10"):  # which it says it saw
        csg_analyze.analyze(tmp_path / "model.pt", analyzers=["accuracy"])
    with pytest.raises(UsageError, match="Linear is neither a file nor a classifier"):
        csg_analyze.analyze(nn.Linear(3, 2), FORMS["arrays"])
    with pytest.raises(UsageError, match="Linear is neither a file nor a classifier"):
        csg_analyze.run(nn.Linear(3, 2), **settings)


def test_networks_in_hand_stand_beside_files_and_the_report_says_what_they_are(tmp_path: Path) -> None:
    csg_analyze.save_checkpoint(
        tmp_path / "model.pt", network(), architecture="resnet8", class_names=NAMES, data="scenes", training="STD",
        preprocessing=Preprocessing(MEAN, STD, size=32), feature_layer="layer3",
    )  # fmt: skip
    report = csg_analyze.run(
        [in_hand(), tmp_path / "model.pt", in_hand(name="other")], data=FORMS["loader"], out=tmp_path / "report",
        **HOW | {"analyzers": ["accuracy", "mis"]},
    )  # fmt: skip
    names = [model.name for model in report.models]
    assert names == ["model", f"{tmp_path.name}/model", "other"]
    said = json.loads((tmp_path / "report" / "provenance.json").read_text())
    assert list(said["checkpoints"]) == ["model (in memory)", str(tmp_path / "model.pt"), "other (in memory)"]
    assert said["checkpoints"]["model (in memory)"] == in_hand().sha256
    data = {name: said["data"][name] for name in ("spec", "n", "fingerprint")}
    assert data == {"spec": "data in memory", "n": 60, "fingerprint": report.data["fingerprint"]}
    for page in ("index.html", "report.md"):
        text = (tmp_path / "report" / page).read_text()
        assert "data in memory" in text
        assert report.data["fingerprint"] in text
    assert "data in memory, 60 images" in (tmp_path / "report" / "index.html").read_text()


def test_the_users_network_and_arrays_are_left_as_they_were() -> None:
    module = network().train()
    module.conv1.weight.requires_grad_(False)
    arrays = IMAGES.numpy().copy()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    classifier = csg_analyze.classifier_of(module, size=32)
    csg_analyze.run([classifier], data=(arrays, LABELS), **HOW)
    assert all(torch.equal(before[name], value) for name, value in module.state_dict().items())
    assert all(each.training for each in module.modules())
    assert [name for name, p in module.named_parameters() if not p.requires_grad] == ["conv1.weight"]
    assert not any(each._forward_hooks or each._forward_pre_hooks for each in module.modules())
    assert (arrays == IMAGES.numpy()).all()


class Own(nn.Module):
    """A network that no library has, with a function in the place of a module."""

    def __init__(self, function: Any) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.body, self.head, self.function = nn.Conv2d(3, 8, 3), nn.Linear(8, 4), function

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.function(self.body(x)).mean((2, 3)))  # type: ignore[no-any-return]


def test_the_cache_serves_a_network_in_hand_and_tells_apart_what_its_weights_do_not(tmp_path: Path) -> None:
    def mis(function: Any) -> object:
        classifier = csg_analyze.classifier_of(Own(function), device="cpu")
        report = csg_analyze.run([classifier], data=(IMAGES, LABELS), analyzers=["mis"], cache=tmp_path, quiet=True)
        return report.models[0].results["mis"].summary

    first, again, _ = mis(torch.abs), mis(torch.abs), mis(torch.sigmoid)
    assert len(list(tmp_path.glob("forward-*"))) == 2
    assert first == again


@pytest.mark.parametrize(
    ("checkpoints", "how", "words"),
    [
        ([nn.Linear(3, 2)], {}, r"Linear is neither a file nor a classifier; make one with classifier_of"),
        (["hand"], {}, "'model \\(in memory\\)' does not say which data"),
        (["hand"], {"data": 3}, "data may be a spec"),
        (["hand"], {"data": (IMAGES, LABELS + 1)}, r"a label of the data is 4, but there are 4 classes \(0, 1, 2"),
        (["hand"], {"data": (IMAGES, LABELS), "class_names": "abcde"}, r"has 4 classes, but 'data in memory' has 5"),
        (["hand"], {"data": "scenes", "class_names": NAMES}, "class_names are for data in hand"),
        (["hand"], {"data": (IMAGES, LABELS), "limit": 0}, "--limit must be at least 1"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_said(checkpoints: list[Any], how: dict[str, Any], words: str) -> None:
    given = [in_hand() if each == "hand" else each for each in checkpoints]
    with pytest.raises(UsageError, match=words) as caught:
        csg_analyze.run(given, **HOW | how)
    assert "\n" not in str(caught.value)


def test_the_public_names_exist_and_importing_them_costs_nothing() -> None:
    assert callable(csg_analyze.classifier_of)
    assert set(csg_analyze.__all__) >= {"classifier_of", "run", "load_classifier"}
    code = "import sys, csg_analyze, csg_analyze.stages, csg_analyze.cli; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_factory_that_does_not_exist_ends_the_command_with_one_sentence(tmp_path: Path) -> None:
    torch.save(network().state_dict(), tmp_path / "w.pt")
    command = [sys.executable, "-m", "csg_analyze", "inspect", str(tmp_path / "w.pt"), "--arch", "nowhere.models:net"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "there is no module 'nowhere'" in done.stderr
    assert "Traceback" not in done.stderr
