from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision.models import resnet18, squeezenet1_1

from csg_analyze.checkpoints import Preprocessing, load_classifier, save_checkpoint
from csg_analyze.errors import UsageError
from csg_analyze.models import build

NAMES = ("a", "b", "c", "d")
OURS = Preprocessing((0.1, 0.2, 0.3), (0.4, 0.5, 0.6), size=32)


def saved(path: Path, gate: torch.Tensor | None = None, **changes: object) -> torch.nn.Module:
    torch.manual_seed(0)
    network = build("resnet8", 4).eval()
    arguments = {
        "architecture": "resnet8",
        "class_names": NAMES,
        "preprocessing": OURS,
        "feature_layer": "layer3",
        "data": "scenes",
        "training": "STD",
        "gate": gate,
        "record": {"seed": 7, "recipe": {"epochs": 3}},
        **changes,
    }
    save_checkpoint(path, network, **arguments)  # type: ignore[arg-type]
    return network


def test_a_saved_checkpoint_comes_back_whole(tmp_path: Path) -> None:
    gate = torch.rand(4, 64)
    network = saved(tmp_path / "m.pt", gate, training="CSG")
    classifier = load_classifier(tmp_path / "m.pt")
    pixels = torch.rand(5, 3, 32, 32)
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (OURS.mean, OURS.std))
    expected = network((pixels - mean) / std)
    assert torch.allclose(classifier.network(pixels), expected, atol=1e-5)
    assert classifier.gate is not None
    np.testing.assert_allclose(classifier.gate, gate.numpy())
    assert (classifier.n_classes, classifier.n_filters, classifier.class_names) == (4, 64, NAMES)
    assert (classifier.training, classifier.data, classifier.record["seed"]) == ("CSG", "scenes", 7)
    assert not classifier.network.training
    assert not any(p.requires_grad for p in classifier.network.parameters())
    assert classifier.notes == ()


def test_a_saved_checkpoint_needs_no_pickle_and_is_plain(tmp_path: Path) -> None:
    saved(tmp_path / "m.pt")
    content = torch.load(tmp_path / "m.pt", weights_only=True)
    assert content["architecture"] == "resnet8"
    assert content["gate"] is None


def test_flags_override_the_file(tmp_path: Path) -> None:
    saved(tmp_path / "m.pt")
    classifier = load_classifier(tmp_path / "m.pt", mean=(0, 0, 0), std=(1, 1, 1), size=40, layer="layer2", name="mine")
    assert classifier.preprocessing == Preprocessing((0, 0, 0), (1, 1, 1), 40, None, "--mean, --std, --size")
    assert (classifier.feature_layer, classifier.n_filters, classifier.name) == ("layer2", 32, "mine")


SMALL = ("resnet8", "resnet20", "resnet56", "alexnet", "resnet18-cifar-kuangliu", "vgg11_bn-cifar-kuangliu")


@pytest.mark.parametrize("architecture", SMALL)
def test_our_networks_are_recognised_by_their_weights(tmp_path: Path, architecture: str) -> None:
    torch.save({"net": build(architecture, 7).state_dict()}, tmp_path / "m.pt")
    classifier = load_classifier(tmp_path / "m.pt")
    assert (classifier.architecture, classifier.n_classes) == (architecture, 7)
    assert "ImageNet" in classifier.notes[0]  # nobody said how its images were normalised


def test_torchvision_files_load_by_name(tmp_path: Path) -> None:
    for architecture, network in (
        ("resnet18", resnet18(num_classes=6)),
        ("squeezenet1_1", squeezenet1_1(num_classes=6)),
    ):
        torch.save(network.state_dict(), tmp_path / "m.pt")
        classifier = load_classifier(tmp_path / "m.pt", architecture=architecture)
        assert (classifier.n_classes, classifier.n_filters) == (6, 512)
        assert (classifier.preprocessing.resize, classifier.preprocessing.size) == (256, 224)


def test_one_name_two_networks_the_weights_decide(tmp_path: Path) -> None:
    torch.save(build("torchvision:alexnet", 5).state_dict(), tmp_path / "m.pt")
    assert load_classifier(tmp_path / "m.pt", architecture="alexnet").architecture == "torchvision:alexnet"
    torch.save(build("alexnet", 5).state_dict(), tmp_path / "m.pt")
    assert load_classifier(tmp_path / "m.pt", architecture="alexnet").architecture == "alexnet"


def test_loading_leaves_the_random_generator_alone(tmp_path: Path) -> None:
    saved(tmp_path / "m.pt")
    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)
    load_classifier(tmp_path / "m.pt")
    assert torch.equal(torch.rand(1), expected)


def test_a_gate_of_another_layer_is_left_out_and_said(tmp_path: Path) -> None:
    saved(tmp_path / "m.pt", torch.rand(4, 64))
    classifier = load_classifier(tmp_path / "m.pt", layer="layer1")
    assert classifier.gate is None
    assert "another layer" in classifier.notes[-1]


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"architecture": "resnet-20"}, "did you mean 'resnet20'"),
        ({"architecture": "resnet20"}, r"missing.*--arch"),
        ({"architecture": "resnet18"}, "--arch"),
        ({"n_classes": 5}, "the head has 4 rows"),
        ({"layer": "layer9"}, "did you mean 'layer"),
        ({"layer": "linear"}, "has no filters"),
        ({"mean": (0.5,)}, "three numbers"),
        ({"std": (1, 1, 0)}, "above 0"),
        ({"size": 0}, "at least 1"),
        ({"device": "abacus"}, "cannot be used"),
    ],
)
def test_what_does_not_fit_is_said(tmp_path: Path, flags: dict[str, object], words: str) -> None:
    saved(tmp_path / "m.pt")
    with pytest.raises(UsageError, match=words) as caught:
        load_classifier(tmp_path / "m.pt", **flags)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


def test_a_gate_or_names_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    saved(tmp_path / "m.pt", torch.rand(3, 64))
    with pytest.raises(UsageError, match=r"gate has shape \(3, 64\)"):
        load_classifier(tmp_path / "m.pt")
    saved(tmp_path / "m.pt", class_names=("a", "b"))
    with pytest.raises(UsageError, match="2 class names"):
        load_classifier(tmp_path / "m.pt")


def test_an_unrecognised_network_asks_for_its_name(tmp_path: Path) -> None:
    network = resnet18(num_classes=6)
    network.layer3[0].conv1 = torch.nn.Conv2d(128, 256, 5)
    torch.save(network.state_dict(), tmp_path / "m.pt")
    with pytest.raises(UsageError, match=r"the nearest is resnet18, but for layer3; .* --arch resnet18"):
        load_classifier(tmp_path / "m.pt")
    torch.save({"a.weight": torch.ones(3, 4)}, tmp_path / "m.pt")
    with pytest.raises(UsageError, match=r"its 1 tensors are those of none that is known .*timm's\); name it with"):
        load_classifier(tmp_path / "m.pt")
