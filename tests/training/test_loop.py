from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
import torch

from csg_analyze.checkpoints import load_classifier
from csg_analyze.data import Dataset
from csg_analyze.errors import UsageError
from training.loop import train
from training.progress import Row, Silent, log_path
from training.recipes import Recipe, Training, changed
from training.starting import starting_point
from training.state import state_path

Data = tuple[Dataset, Dataset]


class Stopping(Silent):
    """Ctrl-C in the middle of an epoch; keeps what is said."""

    def __init__(self, in_epoch: int | None = None, after_epoch: int | None = None) -> None:
        self.in_epoch, self.after_epoch, self.said = in_epoch, after_epoch, list[str]()

    def step(self, epoch: int, done: int, loss: float, accuracy: float, density: float | None) -> None:
        if epoch == self.in_epoch and done % 3 == 2:
            raise KeyboardInterrupt

    def epoch(self, row: Row) -> None:
        if row.epoch == self.after_epoch:
            raise KeyboardInterrupt

    def say(self, line: str) -> None:
        self.said.append(line)


def variant(recipe: Recipe, kind: str) -> tuple[Recipe, Training]:
    if kind == "alternate":
        recipe = changed(recipe, scheme="alternate", warmup_epochs=1, period=2, csg_optimizer="adam", csg_lr=0.003)
    return recipe, "std" if kind == "std" else "csg"


def contents(path: Path) -> dict[str, Any]:
    return cast(dict[str, Any], torch.load(path, weights_only=True))


def log(out: Path) -> list[dict[str, str]]:
    with log_path(out).open(newline="") as stream:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(stream)]


def assert_same(one: Path, other: Path) -> None:
    left, right = contents(one), contents(other)
    assert left["state_dict"].keys() == right["state_dict"].keys()
    for name, value in left["state_dict"].items():
        assert torch.equal(value, right["state_dict"][name]), name
    assert (left["gate"] is None) == (right["gate"] is None)
    assert left["gate"] is None or torch.equal(left["gate"], right["gate"])
    assert log(one) == log(other)
    assert left["record"]["metrics"] == right["record"]["metrics"]


def test_interrupted_and_resumed_equals_uninterrupted(recipe: Recipe, data: Data, kind: str, tmp_path: Path) -> None:
    recipe, training = variant(recipe, kind)
    whole, parts = tmp_path / "whole.pt", tmp_path / "parts.pt"
    train(recipe, training=training, data=data, out=whole, reporter=Silent())
    for epoch in (1, 3):  # before the first epoch is done, and in the last
        stopping = Stopping(epoch)
        with pytest.raises(KeyboardInterrupt):
            train(recipe, training=training, data=data, out=parts, resume=True, reporter=stopping)
        assert stopping.said[-1] == (
            f"interrupted; {state_path(parts)} holds the run after {epoch - 1} of 3 epochs: go on with --resume"
        )
        assert not parts.exists()
    train(recipe, training=training, data=data, out=parts, resume=True, reporter=Silent())
    assert_same(whole, parts)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "parts.pt", "parts.pt.log.csv", "whole.pt", "whole.pt.log.csv",
    ]  # fmt: skip
    assert [row["epoch"] for row in log(parts)] == ["1", "2", "3"]
    assert [row["path"] for row in log(parts)] == {
        "std": ["std"] * 3, "joint": ["joint"] * 3, "alternate": ["std", "csg", "std"],
    }[kind]  # fmt: skip


def test_interrupted_between_the_last_epoch_and_the_checkpoint(recipe: Recipe, data: Data, tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole.pt", tmp_path / "parts.pt"
    train(recipe, training="csg", data=data, out=whole, reporter=Silent())
    with pytest.raises(KeyboardInterrupt):
        train(recipe, training="csg", data=data, out=parts, reporter=Stopping(after_epoch=3))
    log_path(parts).unlink()  # as if killed before the log was written
    train(recipe, training="csg", data=data, out=parts, resume=True, reporter=Silent())
    assert_same(whole, parts)


def test_same_seed_same_bits_other_seed_other_weights(recipe: Recipe, data: Data, tmp_path: Path) -> None:
    recipe = changed(recipe, epochs=1)
    state = torch.get_rng_state()
    paths = [tmp_path / name for name in ("a.pt", "b.pt", "c.pt")]
    for path, seed in zip(paths, (4, 4, 5), strict=True):
        train(recipe, training="csg", data=data, out=path, seed=seed, reporter=Silent())
        torch.rand(3)  # whatever is drawn outside must not matter
    assert_same(paths[0], paths[1])
    assert not torch.equal(contents(paths[0])["gate"], contents(paths[2])["gate"])
    torch.set_rng_state(state)


def test_training_leaves_the_global_generator_alone(recipe: Recipe, data: Data, tmp_path: Path) -> None:
    before = torch.get_rng_state()
    train(changed(recipe, epochs=1), training="csg", data=data, out=tmp_path / "a.pt", reporter=Silent())
    assert torch.equal(torch.get_rng_state(), before)


def test_twins_start_alike_and_see_the_same_images(
    recipe: Recipe, data: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import training.epoch as module

    seen: list[tuple[torch.Tensor, torch.Tensor]] = []
    weights: list[dict[str, torch.Tensor]] = []
    original = module.make_step

    def watching(setup: Any, state: Any, optimizer: Any, images: Any, labels: Any) -> Any:
        if len(seen) % 6 == 0:  # the first step of a training: two epochs of three steps
            weights.append({k: v.clone() for k, v in state.network.state_dict().items()})
        seen.append((images.clone(), labels.clone()))
        return original(setup, state, optimizer, images, labels)

    monkeypatch.setattr(module, "make_step", watching)
    trainings: tuple[Training, ...] = ("std", "csg")
    for training in trainings:
        train(changed(recipe, epochs=2), training=training, data=data, out=tmp_path / training, reporter=Silent())
    assert len(seen) == 12
    for one, other in zip(seen[:6], seen[6:], strict=True):
        assert torch.equal(one[0], other[0])
        assert torch.equal(one[1], other[1])
    assert not torch.equal(seen[0][1], seen[3][1])  # the second epoch has another order
    assert all(torch.equal(value, weights[-1][name]) for name, value in weights[0].items())


def test_checkpoint_tells_how_it_came_about(recipe: Recipe, data: Data, tmp_path: Path) -> None:
    out = train(recipe, training="csg", data=data, out=tmp_path / "c.pt", seed=3, reporter=Silent())
    classifier = load_classifier(out, device="cpu")
    assert classifier.training == "CSG"
    assert classifier.feature_layer == "layer3"
    assert classifier.class_names == ("red", "green", "blue")
    assert classifier.data == "colours"
    assert classifier.gate is not None
    assert classifier.gate.shape == (3, 64)
    assert (classifier.gate.max(0) == 1).all()
    record = classifier.record
    assert record["recipe"]["gate"]["lambda2"] == 0.1
    assert (record["seed"], record["epoch"], record["gate_bound"]) == (3, 3, 64)
    assert record["density_interval"] == pytest.approx([1 / 3, 1 / 3])
    assert record["versions"]["torch"] == torch.__version__
    assert record["metrics"]["l1_density"] == pytest.approx(classifier.gate.mean(), abs=1e-6)
    images = torch.as_tensor(data[1].images[:]).float() / 255
    right = (classifier.network(images).argmax(1) == data[1].labels).float().mean().item()
    assert record["metrics"]["test_accuracy"] == pytest.approx(right)
    mean = torch.as_tensor(data[0].images[:]).double().div(255).mean((0, 2, 3)).tolist()
    assert classifier.preprocessing.mean == pytest.approx(mean, abs=1e-4)


def test_it_learns(recipe: Recipe, data: Data, tmp_path: Path) -> None:
    out = train(changed(recipe, epochs=6), training="std", data=data, out=tmp_path / "s.pt", reporter=Silent())
    assert contents(out)["record"]["metrics"]["test_accuracy"] >= 0.9


def test_test_accuracy_comes_when_it_is_due(recipe: Recipe, data: Data, tmp_path: Path) -> None:
    out = train(changed(recipe, eval_every=2), training="std", data=data, out=tmp_path / "s.pt", reporter=Silent())
    assert [row["test_accuracy"] != "" for row in log(out)] == [False, True, True]


def test_fixed_gate_stays(recipe: Recipe, data: Data, tmp_path: Path) -> None:
    fixed = changed(recipe, fixed_gate=(20, 4), epochs=1)
    written = contents(train(fixed, training="csg", data=data, out=tmp_path / "f.pt", reporter=Silent()))
    assert "gate_bound" not in written["record"]  # nothing bounds a gate that is not learned
    gate = written["gate"]
    assert set(gate.unique().tolist()) == {0.0, 1.0}
    assert gate.sum(1).tolist() == [24.0] * 3


def test_frozen_layers_stay(recipe: Recipe, data: Data, tmp_path: Path) -> None:
    start = train(changed(recipe, epochs=1), training="std", data=data, out=tmp_path / "s.pt", reporter=Silent())
    only_head = changed(recipe, epochs=1, std_trainable=("linear",))
    tuned = train(only_head, training="csg", data=data, out=tmp_path / "t.pt", start=start, reporter=Silent())
    before, after = contents(start), contents(tuned)
    for name, value in before["state_dict"].items():
        assert torch.equal(value, after["state_dict"][name]) != name.startswith("linear."), name
    assert after["preprocessing"] == before["preprocessing"]


def test_a_start_keeps_the_order_in_which_it_takes_the_channels(recipe: Recipe, data: Data, tmp_path: Path) -> None:
    first = train(changed(recipe, epochs=1), training="std", data=data, out=tmp_path / "s.pt", reporter=Silent())
    turned = contents(first)
    turned["preprocessing"]["channels"] = "bgr"
    torch.save(turned, tmp_path / "bgr.pt")
    start = starting_point(recipe, data[0], checkpoint=tmp_path / "bgr.pt", seed=0)
    assert start.preprocessing.channels == "bgr"
    assert starting_point(recipe, data[0], checkpoint=first, seed=0).preprocessing.channels == "rgb"


def test_fine_tuning_goes_on_with_the_gate_and_draws_a_new_head_for_new_classes(
    recipe: Recipe, data: Data, tmp_path: Path
) -> None:
    start = train(recipe, training="csg", data=data, out=tmp_path / "c.pt", reporter=Silent())
    barely = changed(recipe, epochs=1, lr=1e-12, gate_rate=1e-12, weight_decay=0.0)
    tuned = train(barely, training="csg", data=data, out=tmp_path / "t.pt", start=start, reporter=Silent())
    torch.testing.assert_close(contents(tuned)["gate"], contents(start)["gate"])
    torch.testing.assert_close(
        contents(tuned)["state_dict"]["linear.weight"], contents(start)["state_dict"]["linear.weight"]
    )
    two = tuple(
        replace(d, class_names=("warm", "cold"), labels=d.labels.clamp(max=1), fingerprint="two" + d.split)
        for d in data
    )
    heard = Stopping()
    other = train(barely, training="csg", data=cast(Data, two), out=tmp_path / "o.pt", start=start, reporter=heard)
    assert any("the head of" in line and "3 classes (red, green, blue" in line for line in heard.said)
    assert contents(other)["state_dict"]["linear.weight"].shape == (2, 64)
    assert contents(other)["gate"].shape == (2, 64)
    torch.testing.assert_close(
        contents(other)["state_dict"]["conv1.weight"], contents(start)["state_dict"]["conv1.weight"]
    )


def test_exploding_loss_stops_and_keeps_the_last_good_state(recipe: Recipe, data: Data, tmp_path: Path) -> None:
    wild = changed(recipe, lr=1e20, schedule="constant")
    out = tmp_path / "s.pt"
    with pytest.raises(UsageError, match=r"no finite number in epoch 1, at learning rate 1e\+20; lower --lr"):
        train(wild, training="std", data=data, out=out, reporter=Silent())
    assert [path.name for path in tmp_path.iterdir()] == ["s.pt.resume"]
    state = contents(state_path(out))
    assert state["rows"] == []
    assert all(value.isfinite().all() for value in state["network"].values())


def test_data_that_cannot_be_trained_on(recipe: Recipe, data: Data, tmp_path: Path) -> None:
    train_split, test = data
    out = tmp_path / "s.pt"
    for message, other, pair in (
        ("--shift 16 moves images of 16 pixels out of sight", changed(recipe, shift=16), data),
        ("classes of 'colours' differ", recipe, (train_split, replace(test, class_names=("a", "b", "c")))),
        ("1 training image", changed(recipe, limit=1), data),
        ("unknown architecture 'resnet9'", changed(recipe, arch="resnet9"), data),
    ):
        with pytest.raises(UsageError, match=message):
            train(other, training="std", data=pair, out=out, reporter=Silent())
    with pytest.raises(UsageError, match="--seed must be at least 0"):
        train(recipe, training="std", data=data, out=out, seed=-1, reporter=Silent())
    assert list(tmp_path.iterdir()) == []
