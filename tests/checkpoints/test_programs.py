"""TorchScript and exported files as networks, where no known architecture takes their weights."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from csg_analyze.analysis import analyze
from csg_analyze.checkpoints import Classifier, load_classifier
from csg_analyze.checkpoints.description import describe
from csg_analyze.errors import UsageError
from csg_analyze.inputs.cache import Cache
from csg_analyze.inputs.filters import filter_weights, layer_weights
from csg_analyze.inputs.forward import forward_pass
from csg_analyze.models import build
from csg_analyze.progress import untracked
from tests.examples import random_dataset

SIZE = 32
DATA = random_dataset(5, 4)
Make = Callable[[nn.Module, Path], Path]


class Net(nn.Module):
    """No architecture that is known. A trace of one image keeps its batch of one."""

    def __init__(self, fixed: bool = False) -> None:
        super().__init__()
        self.a, self.b, self.fc, self.fixed = nn.Conv2d(3, 6, 3), nn.Conv2d(6, 8, 3), nn.Linear(8, 4), fixed

    def forward(self, x: Tensor) -> Tensor:
        pooled = torch.relu(self.b(torch.relu(self.a(x)))).mean((2, 3))
        return self.fc(pooled.reshape(1, 8) if self.fixed else pooled)


def net(fixed: bool = False) -> nn.Module:
    torch.manual_seed(0)
    return Net(fixed).eval()


def traced(network: nn.Module, folder: Path) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.trace(network, torch.rand(1, 3, SIZE, SIZE)).save(folder / "m.pt")
    return folder / "m.pt"


def frozen(network: nn.Module, folder: Path) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.freeze(torch.jit.trace(network, torch.rand(1, 3, SIZE, SIZE))).save(folder / "m.pt")
    return folder / "m.pt"


def exported(network: nn.Module, folder: Path, batch: int | None = None) -> Path:
    shapes = None if batch else ({0: torch.export.Dim("batch")},)
    program = torch.export.export(network, (torch.rand(batch or 2, 3, SIZE, SIZE),), dynamic_shapes=shapes)
    torch.export.save(program, folder / "m.pt2")
    return folder / "m.pt2"


def loaded(make: Make, folder: Path, network: nn.Module, **flags: object) -> Classifier:
    return load_classifier(make(network, folder), allow_pickle=True, **flags)  # type: ignore[arg-type]


def in_batches_of(batch: int) -> Make:
    return lambda network, folder: exported(network, folder, batch)


def same_logits(classifier: Classifier, network: nn.Module, size: int = SIZE) -> bool:
    pixels = torch.rand(5, 3, size, size)
    normal = (pixels - classifier.network.mean) / classifier.network.std
    expected = torch.cat([network(image[None]) for image in normal])
    return torch.allclose(classifier.network(pixels), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("make", "fixed", "words"),
    [
        (traced, False, "a TorchScript network, which takes no hooks"),
        (frozen, False, "a TorchScript network, which takes no hooks"),
        (traced, True, "a TorchScript network, which takes no hooks"),
        (in_batches_of(1), False, "takes batches of 1 image only"),
        (in_batches_of(3), False, "takes batches of 3 images only"),
    ],
    ids=["traced", "frozen", "traced with one image", "exported with one image", "exported with three images"],
)
def test_what_needs_no_hooks_works_and_the_rest_says_why(tmp_path: Path, make: Make, fixed: bool, words: str) -> None:
    network = net(fixed)
    classifier = loaded(make, tmp_path, network)
    assert same_logits(classifier, network)
    assert (classifier.feature_layer, classifier.head, classifier.n_classes, classifier.n_filters) == ("", "", 4, 0)
    report = analyze(classifier, DATA, ["accuracy", "mis", "confusion", "similarity", "layers", "correlation"])
    assert list(report.results) == ["accuracy"]
    assert all(words in reason for reason in report.skipped.values())
    assert len(report.skipped) == 5
    assert re.search("feature layer +none: this ", describe(classifier))
    with pytest.raises(UsageError, match="--layer a cannot be used: this"):
        load_classifier(next(tmp_path.iterdir()), allow_pickle=True, layer="a")


def test_attacks_run_on_torchscript(tmp_path: Path) -> None:
    classifier = loaded(traced, tmp_path, net())
    data = random_dataset(12, 4)
    run = forward_pass(classifier, data, frozenset(), Cache(None), untracked)
    data = replace(data, labels=torch.from_numpy(run.logits.argmax(1)))
    report = analyze(classifier, data, ["robustness"])
    assert list(report.results) == ["robustness"], report.skipped


def test_an_exported_network_of_any_batch_takes_hooks(tmp_path: Path) -> None:
    network = net()
    classifier = loaded(exported, tmp_path, network)
    assert same_logits(classifier, network)
    assert (classifier.feature_layer, classifier.head, classifier.n_filters) == ("b", "fc", 8)
    assert classifier.preprocessing.size == SIZE
    assert "size 32 as it was exported" in classifier.preprocessing.origin
    maps: list[Tensor] = []
    network.b.register_forward_hook(lambda _m, _i, output: maps.append(output))
    pixels = DATA.images[:].float() / 255
    network((pixels - classifier.network.mean) / classifier.network.std)
    run = forward_pass(classifier, DATA, frozenset(), Cache(None), untracked)
    np.testing.assert_allclose(run.activations, maps[0].mean((2, 3)).detach(), rtol=1e-4, atol=1e-5)
    assert classifier.head_input is not None
    assert classifier.head_input.kind == "rectified mean"
    assert filter_weights(classifier).layer == "b"
    np.testing.assert_allclose(layer_weights(classifier)["a"], network.a.weight.flatten(1).detach())


def test_the_network_of_a_known_architecture_is_better_where_it_computes_the_same(tmp_path: Path) -> None:
    torch.manual_seed(0)
    known = build("resnet8", 4).eval()
    classifier = loaded(traced, tmp_path, known)
    assert (classifier.architecture, classifier.feature_layer, classifier.no_layer) == ("resnet8", "layer3", "")
    other = build("resnet8", 4).eval()
    other.layer3.register_forward_hook(lambda _m, _i, output: output.sqrt())
    classifier = loaded(traced, tmp_path, other)
    assert classifier.architecture == "TorchScript (CifarResNet)"
    assert any("fit resnet8, which gives other logits than the TorchScript network" in n for n in classifier.notes)
    assert same_logits(classifier, other)
    chosen = load_classifier(tmp_path / "m.pt", allow_pickle=True, architecture="resnet8")
    assert chosen.feature_layer == "layer3"
    assert any("resnet8 with its weights gives other logits than the TorchScript network" in n for n in chosen.notes)
