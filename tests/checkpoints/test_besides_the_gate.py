from __future__ import annotations

from dataclasses import asdict, fields
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from csg_analyze.checkpoints.origin import Origin, origin_of
from csg_analyze.checkpoints.twins import Difference, besides_the_gate, counterpart, csg_epochs, trains
from training.fields import CsgPath, Optimisation
from training.optimisation import trained
from training.recipes import RECIPES, Recipe, changed
from training.strategies import ClassSpecific

FORK = RECIPES["cifar10-resnet20-fork"]
JOINT = RECIPES["cifar10-resnet20"]
ONLY_CSG = ("not trained, as it was at the start", "trained in CSG epochs")


def twins(recipe: Recipe, head: str | None = "linear", std: Recipe | None = None) -> tuple[Origin, Origin]:
    """The origins of an STD and a CSG training of a recipe, as their checkpoints tell them."""
    found = []
    for training, each in (("STD", std or recipe), ("CSG", recipe)):
        record = {"recipe": asdict(each), "seed": 0, "fingerprints": {"data": "d", "start": "s"}}
        found.append(origin_of(training, record, head))
    assert found[0] is not None
    assert found[1] is not None
    assert found[0].twins == found[1].twins
    return found[0], found[1]


def differing(recipe: Recipe, head: str | None = "linear") -> dict[str, tuple[str, str]]:
    return {field: (std, csg) for field, std, csg in besides_the_gate(*twins(recipe, head))}


def test_every_field_of_the_csg_path_has_one_that_other_epochs_read_in_its_place() -> None:
    optimisation = {field.name for field in fields(Optimisation)}
    pairs = {field.name: counterpart(field.name, optimisation) for field in fields(CsgPath)}
    assert set(pairs.values()) < optimisation
    assert len(set(pairs.values())) == len(pairs)
    assert (pairs["csg_lr"], pairs["csg_trainable"]) == ("lr", "std_trainable")


def test_the_fork_s_twins_differ_in_more_than_the_gate() -> None:
    assert besides_the_gate(*twins(FORK)) == (
        Difference("STD epochs", "4", "3"),
        Difference("CSG epochs", "none", "1"),
        Difference("csg_weight_decay", "0.0005", "0.02"),
        Difference("csg_schedule", "onecycle", "constant"),
        Difference("csg_trainable", "conv1, bn1, layer1, layer2, layer3", "linear"),
        Difference("the head linear", *ONLY_CSG),
    )
    animals = differing(RECIPES["animals-resnet20-fork"])
    assert (animals["csg_lr"], animals["csg_weight_decay"]) == (("0.05", "0.1"), ("0.0005", "0.03"))


def test_what_std_records_and_ignores_does_not_differ() -> None:
    std = changed(FORK, csg_weight_decay=5e-3, csg_lr=9.0, csg_epochs=2, lambda1=7.0)
    assert besides_the_gate(*twins(FORK, std=std)) == besides_the_gate(*twins(FORK))


def test_joint_twins_differ_in_the_gate_and_its_loss_alone() -> None:
    for changes in ({}, {"lambda1": 20.0, "gate_rate": 0.3, "gated_loss_trains": "head"}, {"warmup_epochs": 3}):
        assert differing(changed(JOINT, **changes)) == {}  # type: ignore[arg-type]


def test_a_csg_path_with_std_s_settings_differs_in_the_epochs_alone() -> None:
    alike = changed(JOINT, scheme="alternate", epochs=6, csg_lr=JOINT.optimisation.lr, csg_optimizer="sgd")
    assert differing(alike) == {"STD epochs": ("6", "4"), "CSG epochs": ("none", "2")}
    other = differing(changed(alike, csg_optimizer="adam", csg_lr=0.01))
    assert (other["csg_optimizer"], other["csg_lr"]) == (("sgd", "adam"), ("0.2", "0.01"))


@pytest.mark.parametrize(
    ("std_trains", "csg_trains", "head", "expected"),
    [
        ((), ("linear",), "linear", None),
        (("layer3", "linear"), (), "linear", None),
        (("layer3",), ("layer2",), "linear", None),  # it is as it was in both
        (("features",), ("classifier",), "classifier.6", ONLY_CSG),
        (("layer3",), (), "fc", ONLY_CSG),
        (("linear1",), ("linear",), "linear", ONLY_CSG),
        (("layer3",), ("linear",), None, None),  # unknown which layer it is
    ],
)  # fmt: skip
def test_the_head_is_named_where_only_one_of_them_trained_it(
    std_trains: tuple[str, ...], csg_trains: tuple[str, ...], head: str | None, expected: tuple[str, str] | None
) -> None:
    found = differing(changed(FORK, std_trainable=std_trains, csg_trainable=csg_trains), head)
    assert found.get(f"the head {head}") == expected


def test_a_head_that_only_std_trained_is_named_too() -> None:
    every = changed(FORK, std_trainable=(), csg_trainable=("layer3",), period=1, epochs=2)
    assert differing(every)["the head linear"] == ("trained", "not trained, as it was at the start")


@given(
    st.builds(
        changed, st.just(FORK), epochs=st.integers(1, 40),
        scheme=st.sampled_from(["alternate", "joint"]),
        warmup_epochs=st.integers(0, 45), period=st.integers(1, 7), csg_epochs=st.integers(1, 7),
        csg_turn=st.sampled_from(["first", "last"]),
    ).filter(lambda recipe: recipe.turns.csg_epochs <= recipe.turns.period)
)  # fmt: skip
def test_csg_epochs_are_those_in_which_training_takes_that_path(recipe: Recipe) -> None:
    epochs = recipe.optimisation.epochs
    strategy = ClassSpecific(torch.zeros(1, 1), None, nn.Identity(), 1.0, recipe.gate, recipe.turns)
    assert csg_epochs(epochs, asdict(recipe.turns)) == [strategy.path(epoch) for epoch in range(epochs)].count("csg")


@pytest.mark.parametrize("prefixes", [[], ["0"], ["1", "2.0"], ["2"]])
def test_layers_are_trained_as_training_does(prefixes: list[str]) -> None:
    network = nn.Sequential(nn.Linear(1, 1), nn.Linear(1, 1), nn.Sequential(nn.Linear(1, 1), nn.Linear(1, 1)))
    updated = {id(parameter) for parameter in trained(network, tuple(prefixes))}
    for layer in ("0", "1", "2.0", "2.1"):
        assert trains(prefixes, layer) == all(id(p) in updated for p in network.get_submodule(layer).parameters())


@pytest.mark.parametrize(
    "recipe",
    [
        {},
        {"scheme": "alternate"},
        {"scheme": "alternate", "epochs": "many", "warmup_epochs": None, "period": 3, "csg_epochs": 1},
        {"scheme": "alternate", "epochs": 4, "warmup_epochs": 0, "period": 0, "csg_epochs": 1},
        {"scheme": "alternate", "epochs": 10**12, "warmup_epochs": 10**13, "period": 3, "csg_epochs": 1},
    ],
)
def test_a_record_that_does_not_tell_says_nothing(recipe: dict[str, Any]) -> None:
    origins = [origin_of(training, {"recipe": recipe, "seed": 0, "fingerprints": {}}) for training in ("STD", "CSG")]
    assert besides_the_gate(*origins) == ()  # type: ignore[arg-type]


def test_a_control_differs_in_its_head_and_its_epochs() -> None:
    std, _ = twins(FORK)

    def control(**changes: Any) -> dict[str, tuple[str, str]]:
        record = {
            "recipe": asdict(changed(FORK, **changes)), "seed": 0, "fingerprints": {"data": "d", "start": "s"}
        }  # fmt: skip
        origin = origin_of("CONTROL", record, "linear")
        assert origin is not None
        assert origin.twins == std.twins
        return {field: (plain, other) for field, plain, other in besides_the_gate(std, origin)}

    at_start = "as it was at the start"
    assert control(head="random-blocks") == {"head": (at_start, "random-blocks"), "STD epochs": ("4", "3")}
    assert control(head="scaled", head_norm=4.6)["head_norm"] == (at_start, "4.6")
    dense = control(head="dense")
    assert dense["epochs of the head alone"] == ("none", "1")
    assert dense["csg_weight_decay"] == ("0.0005", "0.02")


def test_checkpoints_from_before_controls_group_with_new_ones() -> None:
    fingerprints = {"data": "d", "start": "s"}
    for training in ("STD", "CSG"):
        new = asdict(FORK)
        groups = [new[field.name] for field in fields(Recipe) if field.name not in ("name", "control")]
        old = {"name": new["name"], **{name: value for group in groups for name, value in group.items()}}
        found = [
            origin_of(training, {"recipe": recipe, "seed": 0, "fingerprints": fingerprints}) for recipe in (old, new)
        ]
        assert found[0] is not None
        assert found[0] == found[1]
