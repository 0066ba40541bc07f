"""The shipped index: what it holds, how a file's tensors are found in it, and that it is as the networks are today."""

from __future__ import annotations

import sys

import pytest
import torch

from csg_analyze.checkpoints.choosing import chosen, library_of
from csg_analyze.checkpoints.index import PATH, Index, Known, Shape, index_text, known_as, parse_index, read_index
from csg_analyze.checkpoints.indexing import N_CLASSES, agree, answer, entry, functions, made_index, names_in
from csg_analyze.checkpoints.reading import Contents
from csg_analyze.checkpoints.recognising import restore_network
from csg_analyze.checkpoints.skeletons import _plain, on_meta
from csg_analyze.errors import UsageError
from csg_analyze.models import CAFFE, NETWORKS, build

INDEX = read_index()
TIMM_SAMPLE = (
    "bat_resnext26ts", "botnet26t_256", "cait_xxs24_224", "coat_tiny", "convit_tiny", "convmixer_768_32",
    "convnextv2_atto", "crossvit_tiny_240", "cspresnet50", "darknet53", "deit_tiny_distilled_patch16_224", "dla34",
    "dpn68", "eca_nfnet_l0", "edgenext_xx_small", "efficientformer_l1", "fastvit_t8", "fbnetc_100", "ghostnet_100",
    "gernet_s", "hardcorenas_a", "hrnet_w18_small", "inception_resnet_v2", "legacy_seresnet18", "lcnet_050",
    "levit_128s", "mixer_s32_224", "mnasnet_small", "mobilevit_xxs", "nf_resnet26", "pit_ti_224", "poolformer_s12",
    "pvt_v2_b0", "regnetx_002", "res2net50_14w_8s", "resnet26d", "resnetv2_50", "rexnet_100", "selecsls42",
    "tinynet_a",
)  # fmt: skip


def shapes_of(name: str, n_classes: int = 5) -> dict[str, Shape]:
    with on_meta():
        return {each: tuple(tensor.shape) for each, tensor in build(name, n_classes).state_dict().items()}


def in_a_file(shapes: dict[str, Shape]) -> dict[str, Shape]:
    """In a wrapper, behind a prefix, without the counts of batch norm, beside an optimizer and an average."""
    kept = {name: shape for name, shape in shapes.items() if not name.endswith("num_batches_tracked")}
    weights = {f"state_dict.module.{name}": shape for name, shape in kept.items()}
    averages = {f"ema.{name}": shape for name, shape in kept.items() if "bias" not in name}
    return weights | averages | {"optimizer.state.0.exp_avg": (64, 3, 7, 7), "state_dict.queue": (128, 9)}


def recognised(shapes: dict[str, Shape]) -> tuple[str, bool]:
    """The network that is taken, and whether others are named beside it."""
    found = INDEX.search(shapes)
    assert found is not None
    assert not found.lacking
    assert found.prefix == "state_dict.module."
    choice = chosen(found, {}, INDEX)
    return choice.name, bool(choice.notes)


def test_the_index_is_small_and_holds_all_networks() -> None:
    assert PATH.stat().st_size < 200_000
    assert set(names_in("own")) <= set(INDEX.networks)
    counts = [sum(library_of(name) == library for name in INDEX.networks) for library in ("torchvision", "timm")]
    assert counts == [80, 1364]  # 7 of timm's 1,371 have no head
    assert INDEX.versions.keys() == {"torchvision", "timm"}


@pytest.mark.parametrize("name", names_in("torchvision"))
def test_every_network_of_torchvision_is_recognised(name: str) -> None:
    assert recognised(in_a_file(shapes_of(name)))[0] == name


@pytest.mark.parametrize(
    "name", sorted(set(NETWORKS) - {n for n in NETWORKS if n.startswith(("resnet101", "resnet152"))})
)
def test_our_networks_are_in_the_index_as_they_are(name: str) -> None:
    """If this fails: `python -m csg_analyze.checkpoints.indexing own` makes their part of the index anew."""
    known = entry(name)
    assert (known.parts, known.head) == (INDEX.networks[name].parts, INDEX.networks[name].head)


@pytest.mark.parametrize("name", TIMM_SAMPLE)
def test_networks_of_timm_are_recognised(name: str) -> None:
    pytest.importorskip("timm")
    assert recognised(in_a_file(shapes_of("timm:" + name))) == ("timm:" + name, False)


def test_where_timm_is_missing_the_sentence_names_it_and_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("timm")
    tensors = {name: torch.empty(shape, device="meta") for name, shape in shapes_of("timm:resnet26d").items()}
    _plain.cache_clear()
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(UsageError, match=r"timm:resnet26d needs timm, .* pip install .csg-analyze.hub"):
        restore_network(Contents(tensors, tensors=tensors), None)


def test_a_network_for_another_size_is_found_but_for_what_depends_on_the_size() -> None:
    shapes = in_a_file(shapes_of("vit_b_32"))
    shapes["state_dict.module.encoder.pos_embedding"] = (1, 82, 768)
    found = INDEX.search(shapes)
    assert found is not None
    assert ("vit_b_32" in found.names, found.lacking) == (True, ("encoder@",))


def test_nothing_is_found_in_tensors_of_no_network() -> None:
    assert INDEX.search({"a.weight": (3, 4), "b.0.bias": (7,)}) is None


def test_a_part_of_another_shape_is_lacking() -> None:
    shapes = in_a_file(shapes_of("resnet20")) | {"state_dict.module.layer2.0.conv1.weight": (32, 16, 5, 5)}
    found = INDEX.search(shapes)
    assert found is not None
    assert (found.lacking, "resnet20" in found.names) == (("layer2",), True)


def test_of_networks_alike_but_for_the_head_that_with_the_files_head_is_meant() -> None:
    body = {"conv.weight": (4, 3, 3, 3), "body.0.weight": (4, 4)}
    one = known_as("one", body | {"fc.weight": (2, 4)}, ["fc.weight"])
    two = known_as("two", body | {"linear.weight": (2, 4)}, ["linear.weight"])
    index = Index({}, {"one": one, "two": two})
    for name, head in (("one", "fc"), ("two", "linear")):
        found = index.search({f"net.{place}": shape for place, shape in body.items()} | {f"net.{head}.weight": (9, 4)})
        assert found is not None
        assert found.names == {name}
    headless = index.search(body)
    assert headless is not None
    assert headless.names == {"one", "two"}


def test_an_index_is_read_as_it_was_written() -> None:
    known = known_as(
        "a", {"conv.weight": (4, 3, 3, 3), "fc.weight": (7, 4), "fc.bias": (7,)}, ["fc.weight", "fc.bias"], 2
    )
    index = Index({"timm": "1.0"}, {"a": known, "b": Known("b", {}, {})}, {"a": "conv is 'x' instead of nothing"})
    again = parse_index(index_text(index))
    assert (again.versions, dict(again.networks), again.differences) == (
        index.versions,
        index.networks,
        index.differences,
    )
    assert index_text(INDEX) == PATH.read_text(encoding="utf-8")


def test_the_index_is_made_of_the_networks_and_keeps_what_is_not_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    small = ["resnet8", "resnet20-cifar", "vgg11_bn-cifar-kuangliu"]
    monkeypatch.setattr("csg_analyze.checkpoints.indexing.names_in", lambda library: small if library == "own" else [])
    made = made_index(["own"], INDEX)
    assert [name for name in made.networks if library_of(name) == "own"] == small
    assert all(made.networks[name].parts == INDEX.networks[name].parts for name in small)
    assert made.networks["resnet34"] == INDEX.networks["resnet34"]
    assert made.versions == INDEX.versions
    assert N_CLASSES not in {side for name in small for shape in shapes_of(name).values() for side in shape}


def test_networks_of_the_same_tensors_are_compared_by_what_they_compute() -> None:
    names = ["resnet50", "resnet50-caffe", "resnet50"]
    numbers, told = functions(names)
    assert numbers == [0, 1, 0]
    assert told == {"resnet50-caffe": "layer2.0.conv1.stride is (2, 2) instead of (1, 1)"}
    assert set(CAFFE) >= {"resnet50-caffe"}


def test_logits_agree_only_where_both_networks_take_a_size() -> None:
    logits = answer("resnet8")
    assert agree(logits, answer("resnet8"))
    assert not agree(logits, {})
    assert not agree(logits, {size: each * 1.001 for size, each in logits.items()})
