"""One notion of the same run: new files and those from before a recipe had groups."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch

from csg_analyze.checkpoints import load_classifier
from csg_analyze.checkpoints.origin import origin_of
from csg_analyze.data import Dataset
from csg_analyze.errors import UsageError
from tests.training.test_loop import Stopping, assert_same, variant
from training.group import train_group
from training.identity import Identity, recorded_origin
from training.loop import train
from training.progress import Silent
from training.recipes import Recipe, Training, changed
from training.state import state_path

Splits = tuple[Dataset, Dataset]


def flat(recipe: dict[str, Any], *, without: tuple[str, ...] = ()) -> dict[str, Any]:
    """A recipe as files recorded it before it had groups."""
    groups = {name: value for name, value in recipe.items() if name != "name"}
    fields = {name: value for group in groups.values() for name, value in group.items() if name not in without}
    return {"name": recipe["name"], **fields}


def make_state_old(path: Path) -> None:
    """As states of version 1 were: recipe, run and data side by side; from before there were controls, too."""
    content = torch.load(path, weights_only=True)
    run = content["identity"]
    content["version"] = 1
    content["identity"] = {
        **flat(run["recipe"], without=("head", "head_norm")), "training": run["training"], "seed": run["seed"],
        **run["fingerprints"],
    }  # fmt: skip
    torch.save(content, path)


def make_checkpoint_old(path: Path) -> None:
    content = torch.load(path, weights_only=True)
    content["record"]["recipe"] = flat(content["record"]["recipe"])
    torch.save(content, path)


def interrupted(recipe: Recipe, training: Training, data: Splits, out: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(recipe, training=training, data=data, out=out, reporter=Stopping(after_epoch=2))


def test_a_run_interrupted_before_recipes_had_groups_goes_on(
    recipe: Recipe, data: Splits, kind: str, tmp_path: Path
) -> None:
    recipe, training = variant(recipe, kind)
    whole, parts = tmp_path / "whole.pt", tmp_path / "parts.pt"
    train(recipe, training=training, data=data, out=whole, reporter=Silent())
    interrupted(recipe, training, data, parts)
    make_state_old(state_path(parts))
    other = changed(recipe, lr=0.1)
    with pytest.raises(UsageError, match=r"resume' belongs to another run: --lr was 0\.05 and is now 0\.1"):
        train(other, training=training, data=data, out=parts, resume=True, reporter=Silent())
    train(recipe, training=training, data=data, out=parts, resume=True, reporter=Silent())
    assert_same(whole, parts)


def test_what_was_complete_before_recipes_had_groups_is_left_as_it_is(
    recipe: Recipe, data: Splits, tmp_path: Path
) -> None:
    recipe, out = changed(recipe, epochs=1), tmp_path / "g.pt"
    (path,) = train_group(recipe, training="csg", data=data, out=out, seeds=(2,), reporter=Silent())
    make_checkpoint_old(path)
    before, heard = path.read_bytes(), Stopping()
    train_group(recipe, training="csg", data=data, out=out, seeds=(2,), resume=True, reporter=heard)
    assert path.read_bytes() == before
    assert heard.said[-1] == f"{path} is complete already"
    other = changed(recipe, gate_rate=0.2)
    with pytest.raises(UsageError, match=r"another run: --gate-rate was 0\.1 and is now 0\.2"):
        train_group(other, training="csg", data=data, out=out, seeds=(2,), resume=True, reporter=Silent())


def test_old_and_new_checkpoints_are_twins_and_a_group(recipe: Recipe, data: Splits, tmp_path: Path) -> None:
    recipe = changed(recipe, epochs=1)
    trainings: tuple[Training, ...] = ("std", "csg", "csg")
    paths = [tmp_path / name for name in ("std.pt", "csg.pt", "other.pt")]
    for seed, (path, training) in enumerate(zip(paths, trainings, strict=True)):
        train(recipe, training=training, data=data, out=path, seed=seed // 2, reporter=Silent())
    make_checkpoint_old(paths[0])
    make_checkpoint_old(paths[2])
    std, csg, other = (
        origin_of(classifier.training, classifier.record, classifier.head)
        for classifier in (load_classifier(path) for path in paths)
    )
    assert std is not None
    assert csg is not None
    assert other is not None
    assert std.twins == csg.twins
    assert csg.group == other.group


def test_every_part_of_a_run_makes_another_run_of_it(recipe: Recipe, data: Splits, tmp_path: Path) -> None:
    run = Identity.of("csg", recipe, 0, data, None)
    run.check(tmp_path, run.origin)
    run.check(tmp_path, recorded_origin(run.training, run.record))
    for changes, words in (
        ({"training": "std"}, "training was std and is now csg"),
        ({"seed": 1}, "--seed was 1 and is now 0"),
        ({"data": "x"}, "data was x and is now train45"),
        ({"test_data": "x"}, "test data was x and is now test12"),
        ({"start": "abc"}, "start was abc and is now None"),
        ({"recipe": changed(recipe, name="other")}, "--recipe was other and is now tiny"),
        ({"recipe": changed(recipe, milestones=(0.5,))}, "--milestones was"),
        ({"recipe": changed(recipe, eval_every=2)}, "--eval-every was 2 and is now 1"),
    ):
        other = Identity(**{**{name: getattr(run, name) for name in run.__dataclass_fields__}, **changes})
        with pytest.raises(UsageError, match=words):
            run.check(tmp_path, other.origin)


def test_a_record_keeps_the_groups_of_the_recipe(recipe: Recipe, data: Splits) -> None:
    record = Identity.of("std", recipe, 3, data, "abc").record
    assert record == {
        "recipe": asdict(recipe),
        "seed": 3,
        "fingerprints": {"data": "train45", "test data": "test12", "start": "abc"},
    }
    assert record["recipe"]["optimisation"]["lr"] == 0.05


@pytest.mark.parametrize("record", [{}, {"recipe": {}, "seed": "0", "fingerprints": {}}])
def test_a_record_of_another_program_tells_of_no_run(record: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="not from csg-train"):
        recorded_origin("csg", record)
