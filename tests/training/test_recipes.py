from __future__ import annotations

from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from csg_analyze.errors import UsageError
from csg_analyze.models import architectures
from training.fields import Network, Optimisation
from training.gate import bound_of
from training.recipes import RECIPES, Recipe, adjusted, changed, find_recipe


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=list(RECIPES))
def test_named_recipes_are_consistent(recipe: Recipe) -> None:
    assert RECIPES[recipe.name] is recipe
    assert recipe.network.arch in architectures()
    assert recipe.turns.csg_epochs <= recipe.turns.period
    assert bound_of(recipe.gate.gate_bound, 1000 if "imagenet" in recipe.name else 10, 64) >= 64


def test_voc_recipe_is_the_authors() -> None:
    recipe = RECIPES["voc-resnet152"]
    data, optimisation, turns, gate = recipe.data, recipe.optimisation, recipe.turns, recipe.gate
    assert (turns.scheme, turns.warmup_epochs, turns.period, turns.csg_epochs) == ("alternate", 10, 3, 1)
    assert (optimisation.optimizer, optimisation.lr, optimisation.batch_size) == ("adam", 1e-5, 32)
    assert (recipe.csg_path.csg_lr, data.shift_fill) == (1e-3, "black")
    assert (optimisation.schedule, optimisation.milestones, optimisation.epochs) == ("step", (0.4, 0.6, 0.8), 150)
    assert (gate.lambda1, gate.lambda2, bound_of(gate.gate_bound, 6, 2048)) == (1, 1e-3, 0.2 * 6 * 2048)


def test_recipe_follows_data_and_network() -> None:
    assert find_recipe(None, data="scenes").name == "scenes-resnet8"
    assert find_recipe(None, data="scenes:3").name == "scenes-resnet8"
    assert find_recipe(None, data="folder:x.zip").name == "cifar10-resnet20"
    assert find_recipe(None, data="cifar10:x", arch="alexnet").name == "cifar10-alexnet"
    assert find_recipe("voc-resnet152", data="scenes").name == "voc-resnet152"
    with pytest.raises(UsageError, match="unknown recipe 'scene-resnet8'; did you mean 'scenes-resnet8'"):
        find_recipe("scene-resnet8", data="scenes")


def test_flags_change_fields_of_every_kind() -> None:
    new = adjusted(
        RECIPES["voc-resnet152"],
        {"epochs": "7", "lr": "1e-3", "mean": ".1,.2,.3", "milestones": "0.5", "flip": False, "size": "none",
         "csg_trainable": "layer4, fc", "fixed_gate": "2,0", "psi": "smooth-l1"},
    )  # fmt: skip
    assert new == changed(
        RECIPES["voc-resnet152"], epochs=7, lr=1e-3, mean=(0.1, 0.2, 0.3), milestones=(0.5,), flip=False, size=None,
        csg_trainable=("layer4", "fc"), fixed_gate=(2, 0), psi="smooth-l1",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epochs": "x"}, "--epochs x: .*integer"),
        ({"epochs": "0"}, "--epochs 0: .*at least 1|--epochs 0: .*greater than or equal to 1"),
        ({"epochs": "none"}, "--epochs none: .*integer"),
        ({"batch_size": "1"}, "--batch-size 1: "),
        ({"lr": "nan"}, "--lr nan: .*finite"),
        ({"lr": "-1"}, "--lr -1: "),
        ({"mean": ".1,.2"}, "--mean .1,.2: too few values"),
        ({"std": "0,1,1"}, "--std 0,1,1: .*greater than 0"),
        ({"milestones": ".5,2"}, "--milestones .5,2: .*less than 1"),
        ({"psi": "l3"}, "--psi l3: .*'l1', 'l2' or 'smooth-l1'"),
        ({"scheme": "joint", "csg_lr": "1"}, "--csg-lr means nothing with --scheme joint"),
        ({"csg_epochs": "4", "scheme": "alternate"}, "--csg-epochs 4 do not fit into --period 3"),
    ],
)
def test_bad_values_name_their_flag(changes: dict[str, str | bool], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        adjusted(RECIPES["imagenet-resnet18"], changes)


def test_every_field_says_what_it_is_and_has_a_name_of_its_own() -> None:
    groups = [type(getattr(RECIPES["scenes-resnet8"], field.name)) for field in fields(Recipe)[1:]]
    names = [field.name for group in groups for field in fields(group)]
    assert len(set(names)) == len(names)
    for group in (Recipe, *groups):
        for field in fields(group):
            assert group.__pydantic_fields__[field.name].description


def test_a_recipe_cannot_be_made_wrong() -> None:
    with pytest.raises(ValidationError):
        Recipe("r", Network("resnet8"), optimisation=Optimisation(epochs=0))
    with pytest.raises(ValidationError):
        changed(RECIPES["scenes-resnet8"], epochs=0)
    with pytest.raises(ValidationError, match="epoch"):
        changed(RECIPES["scenes-resnet8"], epoch=1)


@given(st.integers(2, 50), st.integers(1, 200), st.floats(1, 3).map(lambda x: round(x, 3)))
def test_bound_is_a_number_or_a_multiple(n_classes: int, n_filters: int, number: float) -> None:
    assert bound_of(f"{number}K", n_classes, n_filters) == pytest.approx(number * n_filters)
    assert bound_of(f"{number} * C*K", n_classes, n_filters) == pytest.approx(number * n_classes * n_filters)
    assert bound_of("k", n_classes, n_filters) == n_filters
    assert bound_of(str(n_filters + number), n_classes, n_filters) == n_filters + number


@pytest.mark.parametrize("text", ["", "x", ".", "1e3K", "-2K", "KC", "K K"])
def test_bound_refuses_other_text(text: str) -> None:
    with pytest.raises(UsageError, match="--gate-bound takes"):
        bound_of(text, 10, 64)


def test_bound_is_at_least_k() -> None:
    assert bound_of("0.1CK", 10, 64) == pytest.approx(64)
    with pytest.raises(UsageError, match=r"--gate-bound 0.05CK \(here 32\) is below K = 64"):
        bound_of("0.05CK", 10, 64)
