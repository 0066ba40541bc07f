from __future__ import annotations

from dataclasses import asdict, fields, replace
from typing import Any

import pytest

from csg_analyze.checkpoints.origin import CSG_FIELDS, WITHOUT_EFFECT, Origin, origin_of
from training.recipes import PANELS, RECIPES, Recipe

RECIPE = RECIPES["cifar10-resnet20"]
FINGERPRINTS = {"data": "d" * 64, "test data": "t" * 64, "start": None}


def origin(training: str = "CSG", seed: int = 0, recipe: Recipe = RECIPE, **fingerprints: str) -> Origin:
    record = {"recipe": asdict(recipe), "seed": seed, "fingerprints": {**FINGERPRINTS, **fingerprints}}
    found = origin_of(training, record)
    assert found is not None
    return found


def test_the_fields_of_the_csg_path_are_those_of_its_panel() -> None:
    names = [field.name for field in fields(Recipe)]
    assert set(names[names.index(list(PANELS)[-1]) :]) == CSG_FIELDS
    assert set(names) >= WITHOUT_EFFECT


def test_a_group_differs_in_the_seed_alone() -> None:
    assert origin(seed=0).group == origin(seed=1).group
    assert origin(start="a" * 64).group == origin(seed=1, start="b" * 64).group
    assert origin().group != origin(start="a" * 64).group
    assert origin().group != origin("STD").group
    assert origin().group != origin(recipe=replace(RECIPE, lr=0.3)).group
    assert origin().group != origin(recipe=replace(RECIPE, lambda1=5.0)).group
    assert origin().group != origin(data="e" * 64).group
    assert origin().group == origin(recipe=replace(RECIPE, name="other", eval_every=5)).group
    assert origin("STD").group == origin("STD", recipe=replace(RECIPE, lambda1=5.0)).group


def test_twins_are_of_one_recipe_data_and_start() -> None:
    assert origin("STD").twins == origin("CSG", recipe=replace(RECIPE, lambda1=5.0, scheme="alternate")).twins
    assert origin("STD").twins != origin("CSG", recipe=replace(RECIPE, lr=0.3)).twins
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
