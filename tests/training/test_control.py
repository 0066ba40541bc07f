from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from csg_analyze.checkpoints import load_classifier
from csg_analyze.data import Dataset
from csg_analyze.errors import UsageError
from csg_analyze.models import build
from training.control import block_head, control, prescribe_
from training.fields import ControlHead, Head
from training.loop import train
from training.recipes import Recipe, changed

TRUNK = ("conv1", "bn1", "layer1", "layer2", "layer3")
PROBE = torch.full((1, 3, 16, 16), 0.5)


@pytest.fixture
def fork(recipe: Recipe) -> Recipe:
    """One CSG epoch for gate and head, then two in which the trunk follows a frozen head."""
    return changed(
        recipe, scheme="alternate", period=3, csg_turn="first", std_trainable=TRUNK, csg_trainable=("linear",),
        csg_lr=0.1, csg_weight_decay=1e-2,
    )  # fmt: skip


def head(n_classes: int = 3, n_filters: int = 8) -> nn.Linear:
    layer = nn.Linear(n_filters, n_classes)
    with torch.no_grad():
        layer.weight.copy_(torch.rand(n_classes, n_filters, generator=torch.Generator().manual_seed(1)) - 0.5)
        layer.bias.copy_(torch.arange(n_classes) / 10)
    return layer


@given(st.integers(2, 12), st.lists(st.integers(0, 100), min_size=1, max_size=20))
def test_blocks_written_out(n_classes: int, owners: list[int]) -> None:
    owners = [owner % n_classes for owner in owners]
    weight = block_head(torch.tensor(owners), n_classes).numpy()
    for c in range(n_classes):
        for k, owner in enumerate(owners):
            assert weight[c, k] == pytest.approx(0.5 if c == owner else -0.5 / (n_classes - 1), abs=1e-7)
    assert np.abs(weight.sum(axis=0)).max() < 1e-6


def test_heads(fork: Recipe) -> None:
    before = head()
    for kind in ("own", "dense"):
        same = head()
        prescribe_(same, ControlHead(head=kind), seed=0)
        assert torch.equal(same.weight, before.weight)
        assert torch.equal(same.bias, before.bias)
    argmax = head()
    prescribe_(argmax, ControlHead(head="argmax-blocks"), seed=0)
    assert torch.equal(argmax.weight.argmax(0), before.weight.argmax(0))
    assert sorted(set(argmax.weight.flatten().tolist())) == [-0.25, 0.5]
    assert not argmax.bias.any()
    drawn = [head() for _ in range(3)]
    for layer, seed in zip(drawn, (0, 0, 1), strict=True):
        prescribe_(layer, ControlHead(head="random-blocks"), seed=seed)
    assert torch.equal(drawn[0].weight, drawn[1].weight)
    assert not torch.equal(drawn[0].weight, drawn[2].weight)
    assert float(drawn[0].weight.detach().norm()) == pytest.approx(float(argmax.weight.detach().norm()))


@pytest.mark.parametrize("kind", ["random-blocks", "argmax-blocks", "scaled"])
def test_the_norm_is_the_one_asked_for(fork: Recipe, kind: Head) -> None:
    layer, before = head(), head()
    prescribe_(layer, ControlHead(head=kind, head_norm=4.5), seed=0)
    assert float(layer.weight.detach().norm()) == pytest.approx(4.5, rel=1e-6)
    if kind == "scaled":
        factor = 4.5 / float(before.weight.detach().norm())
        torch.testing.assert_close(layer.weight, factor * before.weight)
        torch.testing.assert_close(layer.bias, factor * before.bias)


def test_random_blocks_draw_every_class_alike(fork: Recipe) -> None:
    layer = nn.Linear(4000, 4)
    prescribe_(layer, ControlHead(head="random-blocks"), seed=3)
    shares = torch.bincount(layer.weight.argmax(0), minlength=4) / 4000
    assert shares.sub(0.25).abs().max() < 0.03


def test_a_control_takes_the_std_epochs_of_its_twin(fork: Recipe) -> None:
    for kind, first in (("random-blocks", "rest"), ("own", "rest"), ("dense", "csg")):
        strategy = control(changed(fork, head=kind), build("resnet8", 3), PROBE, seed=0)
        assert [strategy.path(epoch) for epoch in range(6)] == [first, "std", "std"] * 2
        assert strategy.gate is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, "a control needs --head"),
        ({"head": "own", "scheme": "joint"}, "add --scheme alternate"),
        ({"head": "own", "head_norm": 2.0}, "--head-norm means nothing with --head own"),
        ({"head": "dense", "head_norm": 2.0}, "--head-norm means nothing with --head dense"),
        ({"head": "scaled", "std_trainable": ()}, "the STD path would train 'linear'"),
        ({"head": "dense", "csg_trainable": ("layer3",)}, "name it with --csg-trainable"),
    ],
)
def test_controls_that_would_be_none_are_refused(fork: Recipe, changes: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        control(changed(fork, **changes), build("resnet8", 3), PROBE, seed=0)  # type: ignore[arg-type]


def test_a_head_is_for_controls(fork: Recipe, data: tuple[Dataset, Dataset], tmp_path: Path) -> None:
    for training in ("std", "csg"):
        with pytest.raises(UsageError, match="--head own is for a control"):
            train(changed(fork, head="own"), training=training, data=data, out=tmp_path / "x.pt")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"needs a linear head, but 'classifier\.1' is a Conv2d"):
        control(changed(fork, head="own"), build("squeezenet1_1", 3), torch.full((1, 3, 64, 64), 0.5), seed=0)


def test_the_head_of_a_checkpoint_is_the_prescribed_one(
    fork: Recipe, data: tuple[Dataset, Dataset], tmp_path: Path
) -> None:
    base = train(fork, training="std", data=data, out=tmp_path / "base.pt")
    heads = {}
    for kind in ("random-blocks", "own", "dense"):
        recipe = changed(fork, head=kind)
        out = train(recipe, training="control", data=data, out=tmp_path / f"{kind}.pt", start=base, seed=5)
        classifier = load_classifier(out)
        heads[kind] = classifier.network.network.get_submodule("linear").weight.detach()
        assert classifier.gate is None
        assert classifier.training == "CONTROL"
    start = load_classifier(base).network.network
    own, expected = start.get_submodule("linear"), nn.Linear(64, 3)
    assert torch.equal(heads["own"], own.weight)
    assert not torch.equal(heads["dense"], own.weight)
    prescribe_(expected, ControlHead(head="random-blocks"), seed=5)
    assert torch.equal(heads["random-blocks"], expected.weight)
    log = (tmp_path / "own.pt.log.csv").read_text().splitlines()
    assert [row.split(",")[1:4] for row in log[1:2]] == [["rest", "", ""]]
    assert [row.split(",")[1] for row in log[1:]] == ["rest", "std", "std"]


def test_a_control_learns_on_the_steps_of_its_twin(fork: Recipe, data: tuple[Dataset, Dataset], tmp_path: Path) -> None:
    """With the head a CSG network had after its first epoch, a control ends where that network does."""
    base = train(changed(fork, epochs=1), training="std", data=data, out=tmp_path / "base.pt")
    csg = train(fork, training="csg", data=data, out=tmp_path / "csg.pt", start=base)
    content = torch.load(base, weights_only=True)
    learnt = torch.load(csg, weights_only=True)["state_dict"]
    content["state_dict"] |= {name: learnt[name] for name in ("linear.weight", "linear.bias")}
    torch.save(content, tmp_path / "with-head.pt")
    recipe = changed(fork, head="own")
    out = train(recipe, training="control", data=data, out=tmp_path / "c.pt", start=tmp_path / "with-head.pt")
    found = torch.load(out, weights_only=True)["state_dict"]
    for name, value in learnt.items():
        torch.testing.assert_close(found[name], value, rtol=0, atol=0, msg=name)


def test_an_interrupted_control_resumes(fork: Recipe, data: tuple[Dataset, Dataset], tmp_path: Path) -> None:
    from tests.training.test_loop import Stopping, assert_same

    recipe = changed(fork, head="scaled")
    whole = train(recipe, training="control", data=data, out=tmp_path / "whole.pt")
    for after in (1, 2):
        out = tmp_path / f"{after}.pt"
        with pytest.raises(KeyboardInterrupt):
            train(recipe, training="control", data=data, out=out, reporter=Stopping(after_epoch=after))
        train(recipe, training="control", data=data, out=out, resume=True)
        assert_same(whole, out)
