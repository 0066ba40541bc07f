from __future__ import annotations

import argparse
import re
from pathlib import Path

import pytest
import torch
from torch import Tensor

from csg_analyze.checkpoints import load_classifier
from csg_analyze.checkpoints.matching import best_match
from csg_analyze.checkpoints.skeletons import skeleton
from csg_analyze.errors import UsageError
from csg_analyze.models import architectures, build
from csg_analyze.settings import Loading

RESNET8 = build("resnet8", 4).state_dict()


def behind(prefix: str, state: dict[str, Tensor] = RESNET8) -> dict[str, Tensor]:
    return {prefix + name: tensor for name, tensor in state.items()}


@pytest.mark.parametrize("architecture", ["mnasnet0_5", "mnasnet1_0", "regnet_x_400mf", "regnet_y_400mf", "googlenet"])
@pytest.mark.parametrize("wrapped", [False, True])
def test_networks_that_need_more_than_names(tmp_path: Path, architecture: str, wrapped: bool) -> None:
    torch.manual_seed(0)
    network = build(architecture, 5).eval()
    state = network.state_dict()
    # a plain dict has lost the versions of modules that a state dict carries
    torch.save({"model": behind("module.", dict(state))} if wrapped else state, tmp_path / "w.pt")
    classifier = load_classifier(tmp_path / "w.pt", architecture=architecture, size=64, mean=(0, 0, 0), std=(1, 1, 1))
    pixels = torch.rand(1, 3, 64, 64)
    torch.testing.assert_close(classifier.network(pixels), network(pixels), atol=1e-5, rtol=1e-5)


def test_every_architecture_has_a_skeleton_of_its_state_dict() -> None:
    for name in ("resnet20", "regnet_x_400mf", "swin_t", "maxvit_t", "squeezenet1_1", "torchvision:alexnet"):
        assert name in architectures()
        found, state = skeleton(name), build(name, 7).state_dict()
        assert found.shapes.keys() == state.keys()
        assert all(found.takes(each, tuple(tensor.shape)) for each, tensor in state.items())
        assert found.head == {each for each, tensor in state.items() if tuple(tensor.shape) != found.shapes[each]}


def test_the_largest_set_is_found_at_any_depth() -> None:
    match = best_match(behind("a.b.module.c."), skeleton("resnet8"))
    assert (match.fits, match.prefix, match.ignored) == (True, "a.b.module.c.", {})


def test_a_complete_average_comes_before_incomplete_weights() -> None:
    incomplete = {name: tensor for name, tensor in behind("model.").items() if "layer3" not in name}
    match = best_match(incomplete | behind("ema."), skeleton("resnet8"))
    assert (match.fits, match.prefix) == (True, "ema.")


def test_of_a_deeper_network_nothing_fits_a_shallower_one() -> None:
    match = best_match(build("resnet20", 4).state_dict(), skeleton("resnet8"))
    assert not match.fits
    assert "unknown to it (layer1.1.conv1.weight" in match.differences


def test_an_unknown_part_that_convolves_is_of_another_network_and_others_stand_aside() -> None:
    attention = {"attention.weight": torch.ones(4, 4, 1, 1)}
    assert best_match(RESNET8 | attention, skeleton("resnet8")).unknown == ("attention.weight",)
    assert best_match(behind("net.") | attention, skeleton("resnet8")).ignored == {"attention": 1}
    for aside in ("projector.0.weight", "momentum_encoder.weight", "ema.conv.weight"):
        match = best_match(RESNET8 | {aside: torch.ones(4, 4, 1, 1)}, skeleton("resnet8"))
        assert match.fits, aside


@pytest.mark.parametrize(
    ("heads", "taken"),
    [
        (["head.linear"], "head.linear"),
        (["projector.0", "head.cls"], "head.cls"),
        (["linear", "cls_head"], "linear"),
        (["anything"], None),
        (["projector"], None),
        (["predictor", "output"], "output"),
        (["head.0", "head.2"], None),
        (["head_a", "head_b"], None),
        ([], None),
    ],
)
def test_a_head_beside_its_backbone_is_taken_where_it_is_the_only_one_meant(heads: list[str], taken: str) -> None:
    file = {name: tensor for name, tensor in behind("backbone.").items() if "linear" not in name}
    for head in heads:
        file |= {f"{head}.weight": torch.ones(4, 64), f"{head}.bias": torch.ones(4)}
    match = best_match(file, skeleton("resnet8"))
    assert (match.fits, match.head) == (taken is not None, taken)
    if taken is not None:
        assert match.sources["linear.weight"] == f"{taken}.weight"


def test_each_set_has_the_head_that_lies_nearest() -> None:
    file: dict[str, Tensor] = {}
    for wrapper in ("model", "model_ema"):
        file |= {n: t for n, t in behind(f"{wrapper}.backbone.").items() if "linear" not in n}
        file |= {f"{wrapper}.head.weight": torch.ones(4, 64), f"{wrapper}.head.bias": torch.ones(4)}
    for wanted in ("model", "model_ema"):
        assert best_match(file, skeleton("resnet8"), wanted).head == f"{wanted}.head"


def test_words_of_wrappers_in_the_midst_of_names_are_left_out(tmp_path: Path) -> None:
    for word in ("_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"):
        torch.save({n.replace("layer2.", f"layer2.{word}."): t for n, t in RESNET8.items()}, tmp_path / "w.pt")
        assert load_classifier(tmp_path / "w.pt").architecture == "resnet8"


def test_the_first_densenet_files_of_torchvision_are_spelled_as_today(tmp_path: Path) -> None:
    state = build("densenet121", 3).state_dict()
    old = {re.sub(r"(denselayer\d+\.(?:norm|conv))([12])", r"\1.\2", name): tensor for name, tensor in state.items()}
    torch.save(old, tmp_path / "w.pth")
    restored = load_classifier(tmp_path / "w.pth", architecture="densenet121", size=32).network.network.state_dict()
    assert all(torch.equal(restored[name], tensor) for name, tensor in state.items())


def test_a_head_in_a_sequence_with_dropout_is_found() -> None:
    file = {name.replace("linear.", "linear.1."): tensor for name, tensor in RESNET8.items()}
    assert best_match(file, skeleton("resnet8")).head == "linear.1"
    hidden = {"linear.3.weight": torch.ones(4, 4), "linear.3.bias": torch.ones(4)}
    match = best_match(file | hidden, skeleton("resnet8"))
    assert match.missing == ("linear.weight", "linear.bias")
    assert {"linear.1.weight", "linear.3.weight"} <= {*match.unknown}


def test_a_layer_of_a_head_of_several_is_no_head() -> None:
    file = {name: tensor for name, tensor in behind("model.backbone.").items() if "linear" not in name}
    for layer, (rows, columns) in {"fc": (64, 64), "out": (4, 64)}.items():
        file |= {f"model.head.{layer}.weight": torch.ones(rows, columns), f"model.head.{layer}.bias": torch.ones(rows)}
    assert best_match(file, skeleton("resnet8")).missing == ("linear.weight", "linear.bias")
    file = {name: tensor for name, tensor in file.items() if "out" not in name}
    assert best_match(file, skeleton("resnet8")).head == "model.head.fc"
    file["model.head.norm.weight"] = torch.ones(64)
    assert not best_match(file, skeleton("resnet8")).fits


@pytest.mark.parametrize(
    "tensor",
    [
        torch.ones(16, 3, 3, 3, device="meta"),
        torch.ones(16, 3, 3, 3).to_sparse(),
        torch.quantize_per_tensor(torch.ones(16, 3, 3, 3), 0.1, 0, torch.qint8),
    ],
    ids=["empty", "sparse", "quantised"],
)
def test_tensors_of_no_plain_numbers_are_named(tensor: Tensor) -> None:
    match = best_match(RESNET8 | {"conv1.weight": tensor}, skeleton("resnet8"))
    assert match.differences == "'conv1.weight' holds no plain numbers (it is quantised, sparse or empty)"


def test_counters_of_a_profiler_stand_aside() -> None:
    match = best_match(RESNET8 | {"layer1.total_ops": torch.zeros(1)}, skeleton("resnet8"))
    assert (match.fits, match.ignored) == (True, {"layer1": 1})


def test_biases_of_other_classes_than_the_weights_are_refused() -> None:
    match = best_match(RESNET8 | {"linear.bias": torch.ones(5)}, skeleton("resnet8"))
    assert match.differences == "its head's weights and biases have 4 and 5 rows"


@pytest.mark.parametrize(
    "saying",
    [
        {"arch": "resnet18"},
        {"args": argparse.Namespace(arch="resnet18")},
        {"hyper_parameters": {"model_name": "resnet18"}},
    ],
)
def test_what_a_file_says_of_its_network_is_believed(tmp_path: Path, saying: dict[str, object]) -> None:
    torch.save({"state_dict": build("resnet18", 3).state_dict(), **saying}, tmp_path / "w.pt")
    assert load_classifier(tmp_path / "w.pt", size=32).architecture == "resnet18"


def test_what_a_file_says_wrongly_is_refused_with_what_it_seems_to_be(tmp_path: Path) -> None:
    torch.save({"state_dict": build("resnet34-cifar-kuangliu", 3).state_dict(), "arch": "resnet20"}, tmp_path / "w.pt")
    with pytest.raises(UsageError, match=r"file says that it is 'resnet20'.*they are those of resnet34-cifar-kuangliu"):
        load_classifier(tmp_path / "w.pt")


@pytest.mark.parametrize("said", ["vit", "resnet34", "ResNet-34", "timm/resnet34.a1_in1k"])
def test_what_a_file_says_of_an_unknown_network_or_of_a_relative_is_no_hindrance(tmp_path: Path, said: str) -> None:
    torch.save({"state_dict": build("resnet34-cifar-kuangliu", 3).state_dict(), "arch": said}, tmp_path / "w.pt")
    assert load_classifier(tmp_path / "w.pt").architecture == "resnet34-cifar-kuangliu"


def test_the_flag_chooses_the_weights(tmp_path: Path) -> None:
    torch.save({"model": RESNET8, "model_ema": {n: t + 1 for n, t in RESNET8.items()}}, tmp_path / "w.pt")
    classifier = Loading(weights="model_ema", size=32).load(tmp_path / "w.pt")
    assert torch.equal(classifier.network.network.state_dict()["conv1.weight"], RESNET8["conv1.weight"] + 1)
