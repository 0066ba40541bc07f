"""Networks that the user's own code builds, and whole modules in files."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from csg_analyze.checkpoints import Preprocessing, load_classifier, save_checkpoint
from csg_analyze.checkpoints.factories import option_values
from csg_analyze.errors import UsageError
from csg_analyze.settings import Loading
from tests.examples import HALF

CODE = """
import torch
from torch import nn

class Small(nn.Sequential):
    def __init__(self, num_classes=3, width=8, last="relu"):
        super().__init__(
            nn.Conv2d(3, width, 3), nn.BatchNorm2d(width), nn.ReLU() if last == "relu" else nn.GELU(),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, num_classes),
        )

def small(**options):
    return Small(**options)

def fails(): raise ValueError("not\\nthis way")
def none(): return None
number = 3
"""


@pytest.fixture(autouse=True)
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A package in the working directory, which is not on the path."""
    folder = tmp_path / "owncode"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "models.py").write_text(CODE)
    (folder / "needy.py").write_text("import a_package_that_is_missing\n")
    (folder / "broken.py").write_text("def f(:\n")
    monkeypatch.chdir(tmp_path)
    yield
    for name in [name for name in sys.modules if name.split(".")[0] == "owncode"]:
        del sys.modules[name]


def module(**options: Any) -> nn.Module:
    namespace: dict[str, Any] = {"__name__": "owncode.models"}
    exec(CODE, namespace)
    torch.manual_seed(1)
    built: nn.Module = namespace["small"](**options)
    built[1].running_mean.uniform_()
    return built.eval()


def as_class_of_models(built: nn.Module) -> nn.Module:
    """The same module as an instance of the class that can be imported, as a user pickles it."""
    sys.path.insert(0, ".")
    try:
        built.__class__ = import_module("owncode.models").Small
    finally:
        sys.path.remove(".")
    return built


PIXELS = torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(0))
HOW: dict[str, Any] = {"mean": (0, 0, 0), "std": (1, 1, 1), "device": "cpu"}


def test_a_factory_builds_and_the_file_fills() -> None:
    network = module(num_classes=5, width=12)
    torch.save({"state_dict": {f"module.{name}": t for name, t in network.state_dict().items()}}, "w.pt")
    path, state = list(sys.path), torch.get_rng_state()
    for name in ("small", "Small"):
        options = {"num_classes": 5, "width": 12}
        classifier = load_classifier("w.pt", architecture=f"owncode.models:{name}", arch_options=options, **HOW)
        assert torch.allclose(classifier.network(PIXELS), network(PIXELS), atol=1e-6)
        assert (classifier.architecture, classifier.n_classes) == (f"owncode.models:{name}", 5)
        assert (classifier.feature_layer, classifier.head) == ("2", "5")
        assert classifier.notes == ()
    assert sys.path == path
    assert torch.equal(torch.get_rng_state(), state)


def test_the_command_line_says_it_too() -> None:
    torch.save(module(num_classes=5).state_dict(), "w.pt")
    loading = Loading(arch="owncode.models:small", arch_option=["num_classes=5", "last=relu"], device="cpu")
    classifier = loading.load(Path("w.pt"))
    assert classifier.n_classes == 5
    assert "assumed: ImageNet" in classifier.notes[0]


def test_options_are_literals_or_text() -> None:
    given = ["num_classes=12", "p=.5", "deep=True", "name=plain text", "sizes=[1, 2]", "none=None", "a=b=c", "empty="]
    assert option_values(given) == {
        "num_classes": 12, "p": 0.5, "deep": True, "name": "plain text", "sizes": [1, 2], "none": None, "a": "b=c",
        "empty": "",
    }  # fmt: skip
    for text in ("num_classes", "=3", "a b=3"):
        with pytest.raises(UsageError, match=r"NAME=VALUE, e.g. num_classes=12"):
            option_values([text])


def test_the_code_of_a_factory_counts() -> None:
    """An edited network with the same weights must not get the numbers of the old one from the cache."""
    torch.save(module().state_dict(), "w.pt")
    codes = [
        load_classifier("w.pt", architecture="owncode.models:small", arch_options={"last": last}, **HOW).code
        for last in ("relu", "gelu", "relu")
    ]
    assert codes[0] == codes[2] != codes[1]


@pytest.mark.parametrize(
    ("architecture", "options", "words"),
    [
        ("nowhere:small", {}, "no module 'nowhere', neither installed nor in"),
        ("owncode.nowhere:small", {}, "no module 'owncode.nowhere'"),
        ("owncode.needy:small", {}, "importing 'owncode.needy' raised ModuleNotFoundError.*a_package_that_is_missing"),
        ("owncode.broken:f", {}, "importing 'owncode.broken' raised SyntaxError"),
        ("..:f", {}, "importing '..' raised"),
        (":f", {}, "--arch"),
        ("owncode.models:smal", {}, "unknown factory of 'owncode.models' 'smal'; did you mean 'small'"),
        ("owncode.models:number", {}, "'number' is of type int; name a function or a class"),
        ("owncode.models:fails", {}, r"fails\(\) raised ValueError: not this way"),
        ("owncode.models:small", {"depth": 3}, r"small\(depth=3\) raised TypeError.*--arch-option"),
        ("owncode.models:none", {}, "gave NoneType, not a torch.nn.Module"),
        ("owncode.models:small", {"num_classes": 7}, r"'5.weight' has shape \(3, 8\) instead of \(7, 8\).*-option"),
        ("resnet20", {"a": 1}, "--arch-option is for --arch package.module:factory"),
        (None, {"a": 1}, "--arch-option is for"),
    ],
)  # fmt: skip
def test_what_goes_wrong_is_said_in_one_sentence(architecture: str | None, options: dict[str, Any], words: str) -> None:
    torch.save(module().state_dict(), "w.pt")
    with pytest.raises(UsageError, match=words) as caught:
        load_classifier("w.pt", architecture=architecture, arch_options=options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("change", ["missing", "unknown"])
def test_other_names_are_refused(change: str) -> None:
    weights = module().state_dict()
    weights.pop("1.bias") if change == "missing" else weights.update({"1.extra": torch.zeros(2)})
    torch.save(weights, "w.pt")
    with pytest.raises(UsageError, match=r"1 weights are missing \(1.bias\)|1 are unknown to it \(1.extra\)"):
        load_classifier("w.pt", architecture="owncode.models:small")


@pytest.mark.parametrize("prefix", ["module.", "state_dict.model.net."])
def test_weights_are_found_behind_any_prefix_and_what_lies_beside_them_is_named(prefix: str) -> None:
    network = module().eval()
    weights = {prefix + name: tensor.double() for name, tensor in network.state_dict().items()}
    torch.save(weights | {"optimizer.moment": torch.ones(3)}, "w.pt")
    classifier = load_classifier("w.pt", architecture="owncode.models:small", **HOW)
    assert torch.allclose(classifier.network(PIXELS), network(PIXELS), atol=1e-6)
    assert classifier.notes == (
        "ignored, as no part of the network: optimizer (1 tensor)", "weights in float64 were cast to float32"
    )  # fmt: skip


def test_a_file_alone_runs_no_factory() -> None:
    save_checkpoint(
        Path("w.pt"), module(), architecture="owncode.models:small", class_names="abc", preprocessing=HALF,
        feature_layer="2", data="scenes", training="STD",
    )  # fmt: skip
    with pytest.raises(UsageError, match=r"runs only if you add --arch owncode.models:small"):
        load_classifier("w.pt")
    assert "owncode" not in sys.modules
    classifier = load_classifier("w.pt", architecture="owncode.models:small")
    assert (classifier.preprocessing.size, classifier.class_names) == (32, ("a", "b", "c"))


@pytest.mark.parametrize("wrapped", ["alone", "in a dict", "in parallel"])
def test_a_module_in_a_file_is_used_as_it_is(wrapped: str) -> None:
    network = as_class_of_models(module(last="gelu"))  # its weights alone would fit the ReLU that --arch builds
    content = {"alone": network, "in a dict": {"model": network, "epoch": 3}, "in parallel": nn.DataParallel(network)}
    torch.save(content[wrapped], "w.pt")
    with pytest.raises(UsageError, match="--allow-pickle"):
        load_classifier("w.pt")
    for name in ("owncode", "owncode.models"):
        del sys.modules[name]  # it is imported from the working directory
    classifier = load_classifier("w.pt", allow_pickle=True, **HOW)
    assert torch.allclose(classifier.network(PIXELS), network(PIXELS), atol=1e-6)
    assert (classifier.architecture, classifier.n_classes, classifier.path) == ("Small", 3, Path("w.pt"))
    assert classifier.preprocessing == Preprocessing((0, 0, 0), (1, 1, 1), None, None, "--mean, --std")
    named = load_classifier("w.pt", allow_pickle=True, architecture="owncode.models:small", **HOW)
    assert not torch.allclose(named.network(PIXELS), network(PIXELS), atol=1e-4)
    with pytest.raises(UsageError, match="the head has 3 rows"):
        load_classifier("w.pt", allow_pickle=True, n_classes=4)


def test_a_module_whose_code_is_missing_is_not_called_damaged(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    torch.save(as_class_of_models(module()), "w.pt")
    for name in ("owncode", "owncode.models"):
        del sys.modules[name]
    monkeypatch.chdir(tmp_path.parent)
    with pytest.raises(UsageError, match=r"whose code is not here \(No module named 'owncode'\)"):
        load_classifier(tmp_path / "w.pt", allow_pickle=True)


def test_weights_are_chosen_for_a_network_of_ones_own() -> None:
    average = {name: tensor + 1 for name, tensor in module().state_dict().items()}
    torch.save({"model": module().state_dict(), "model_ema": average}, "w.pt")
    for weights, shift in ((None, 0), ("model_ema", 1)):
        classifier = load_classifier("w.pt", architecture="owncode.models:small", weights=weights, **HOW)
        assert torch.equal(classifier.network.network.state_dict()["0.bias"], module().state_dict()["0.bias"] + shift)
    with pytest.raises(UsageError, match=r"no weights 'swa' in it; --weights takes: model, model_ema"):
        load_classifier("w.pt", architecture="owncode.models:small", weights="swa", **HOW)


def test_weights_are_not_chosen_for_a_module_that_is_used_as_it_is() -> None:
    torch.save(as_class_of_models(module()), "w.pt")
    with pytest.raises(UsageError, match="--weights needs --arch here"):
        load_classifier("w.pt", allow_pickle=True, weights="model_ema", **HOW)
