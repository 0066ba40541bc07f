from __future__ import annotations

from dataclasses import asdict, fields
from typing import Any

import pytest

from csg_analyze.checkpoints.origin import OWN_GROUPS, WITHOUT_EFFECT, Origin, origin_of
from training.recipes import RECIPES, Recipe, changed

RECIPE = RECIPES["cifar10-resnet20"]
FINGERPRINTS = {"data": "d" * 64, "test data": "t" * 64, "start": None}


def origin(training: str = "CSG", seed: int = 0, recipe: Recipe = RECIPE, **fingerprints: str) -> Origin:
    record = {"recipe": asdict(recipe), "seed": seed, "fingerprints": {**FINGERPRINTS, **fingerprints}}
    found = origin_of(training, record)
    assert found is not None
    return found


def flat(recipe: Recipe) -> dict[str, Any]:
    """As checkpoints recorded it before recipes had groups."""
    groups = asdict(recipe)
    return {"name": groups.pop("name"), **{name: value for group in groups.values() for name, value in group.items()}}


def test_trainings_read_groups_that_a_recipe_has() -> None:
    groups = {field.name for field in fields(Recipe)}
    assert groups >= {*WITHOUT_EFFECT, *(group for own in OWN_GROUPS.values() for group in own)}
    assert {name for name, _ in origin().own} == {
        field.name for group in (RECIPE.turns, RECIPE.gate, RECIPE.csg_path) for field in fields(group)
    }
    shared = {field.name for group in (RECIPE.network, RECIPE.data, RECIPE.optimisation) for field in fields(group)}
    assert {name for name, _ in origin().shared} == {*shared, "data", "test data"}


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=list(RECIPES))
@pytest.mark.parametrize("training", ["STD", "CSG", "CONTROL"])
def test_a_checkpoint_from_before_groups_is_of_the_same_run(training: str, recipe: Recipe) -> None:
    rest = {"seed": 0, "fingerprints": FINGERPRINTS}
    old, new = (origin_of(training, {"recipe": each, **rest}) for each in (flat(recipe), asdict(recipe)))
    assert old is not None
    assert new is not None
    assert old == new
    assert list(new.differences(old)) == []
    other = origin_of(training, {"recipe": flat(changed(recipe, lambda1=7.0, lr=0.7)), **rest})
    assert other is not None
    assert {name for name, _, _ in new.differences(other)} == {"lambda1", "lr"}
    assert (new.group == other.group, new.twins == other.twins) == (False, False)
    twin = origin_of("STD", {"recipe": flat(changed(recipe, lambda1=7.0)), **rest})
    assert twin is not None
    assert new.twins == twin.twins


def test_a_field_that_no_flat_recipe_had_is_shared() -> None:
    one, other = (
        origin_of("CSG", {"recipe": {**flat(RECIPE), "dropout": rate}, "seed": 0, "fingerprints": FINGERPRINTS})
        for rate in (0.1, 0.2)
    )
    assert one is not None
    assert other is not None
    assert one.twins != other.twins


def test_a_group_differs_in_the_seed_alone() -> None:
    assert origin(seed=0).group == origin(seed=1).group
    assert origin(start="a" * 64).group == origin(seed=1, start="b" * 64).group
    assert origin().group != origin(start="a" * 64).group
    assert origin().group != origin("STD").group
    assert origin().group != origin(recipe=changed(RECIPE, lr=0.3)).group
    assert origin().group != origin(recipe=changed(RECIPE, lambda1=5.0)).group
    assert origin().group != origin(data="e" * 64).group
    assert origin().group == origin(recipe=changed(RECIPE, name="other", eval_every=5)).group
    assert origin("STD").group == origin("STD", recipe=changed(RECIPE, lambda1=5.0)).group


def test_twins_are_of_one_recipe_data_and_start() -> None:
    assert origin("STD").twins == origin("CSG", recipe=changed(RECIPE, lambda1=5.0, scheme="alternate")).twins
    assert origin("STD").twins != origin("CSG", recipe=changed(RECIPE, lr=0.3)).twins
    assert origin("STD", start="a" * 64).twins != origin("CSG", start="b" * 64).twins


@pytest.mark.parametrize(
    ("training", "record"),
    [
        (None, {}),
        ("CSG", {}),
        ("other", {"recipe": {}, "seed": 0, "fingerprints": {}}),
        ("CSG", {"recipe": "r", "seed": 0, "fingerprints": {}}),
        ("CSG", {"recipe": {}, "seed": "0", "fingerprints": {}}),
        ("CSG", {"recipe": {}, "seed": 0}),
    ],
)
def test_other_files_have_no_origin(training: str | None, record: dict[str, Any]) -> None:
    assert origin_of(training, record) is None


def test_lists_and_tuples_in_a_record_are_the_same() -> None:
    as_saved, as_read = {"mean": (0.5, 0.5, 0.5)}, {"mean": [0.5, 0.5, 0.5]}
    one, other = (origin_of("STD", {"recipe": r, "seed": 0, "fingerprints": {}}) for r in (as_saved, as_read))
    assert one == other
