from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from csg_analyze.data import Dataset
from csg_analyze.errors import UsageError
from training.group import parse_seeds, path_of, start_of, train_group
from training.loop import train
from training.progress import Row, Silent
from training.recipes import Recipe, changed

Data = tuple[Dataset, Dataset]


class Heard(Silent):
    """Keeps what is said; Ctrl-C after so many epochs of the group."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.stop_after, self.epochs, self.said = stop_after, 0, list[str]()

    def epoch(self, row: Row) -> None:
        self.epochs += 1
        if self.epochs == self.stop_after:
            raise KeyboardInterrupt

    def say(self, line: str) -> None:
        self.said.append(line)


@pytest.fixture
def short(recipe: Recipe) -> Recipe:
    return changed(recipe, epochs=2)


def weights(path: Path) -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = torch.load(path, weights_only=True)["state_dict"]
    return state


def assert_same(one: Path, other: Path) -> None:
    left, right = weights(one), weights(other)
    assert all(torch.equal(value, right[name]) for name, value in left.items())


@given(st.lists(st.integers(0, 30), min_size=1, unique=True))
def test_seeds_are_read_as_written(seeds: list[int]) -> None:
    assert parse_seeds(",".join(map(str, seeds))) == tuple(sorted(seeds))
    low, high = min(seeds), max(seeds)
    assert parse_seeds(f"{low}-{high}") == tuple(range(low, high + 1))


@pytest.mark.parametrize("text", ["", "a", "2-0", "0,,1", "-1", "1.5"])
def test_what_is_no_seed_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--seeds takes whole numbers"):
        parse_seeds(text)
    with pytest.raises(UsageError, match="names a seed twice"):
        parse_seeds("0-2,1")


def test_every_seed_has_a_file_of_its_own() -> None:
    assert path_of(Path("runs/csg.pt"), 3) == Path("runs/csg-seed3.pt")
    assert path_of(Path("runs/csg-{seed}.pt"), 3) == Path("runs/csg-3.pt")
    assert start_of(Path("base.pt"), 3) == Path("base.pt")
    assert start_of(Path("base-{seed}.pt"), 3) == Path("base-3.pt")
    assert start_of(None, 3) is None


def test_a_group_is_its_trainings(short: Recipe, data: Data, tmp_path: Path) -> None:
    paths = train_group(short, training="csg", data=data, out=tmp_path / "g.pt", seeds=(0, 2), reporter=Silent())
    assert [path.name for path in paths] == ["g-seed0.pt", "g-seed2.pt"]
    for seed, path in zip((0, 2), paths, strict=True):
        alone = train(short, training="csg", data=data, out=tmp_path / f"{seed}.pt", seed=seed, reporter=Silent())
        assert_same(path, alone)
    first, second = (weights(path) for path in paths)
    assert any(not torch.equal(value, second[name]) for name, value in first.items())


def test_an_interrupted_group_goes_on(short: Recipe, data: Data, tmp_path: Path) -> None:
    def group(name: str, reporter: Heard, resume: bool = False) -> list[Path]:
        out = tmp_path / f"{name}-{{seed}}.pt"
        return train_group(short, training="std", data=data, out=out, seeds=(0, 1), resume=resume, reporter=reporter)

    whole = group("whole", Heard())
    with pytest.raises(KeyboardInterrupt):
        group("cut", Heard(stop_after=3))  # after the first epoch of the second seed
    heard = Heard()
    cut = group("cut", heard, resume=True)
    assert heard.epochs == 1
    assert any("is complete already" in line for line in heard.said)
    for one, other in zip(whole, cut, strict=True):
        assert_same(one, other)


def test_each_seed_may_start_from_its_own_checkpoint(short: Recipe, data: Data, tmp_path: Path) -> None:
    bases = train_group(
        short, training="std", data=data, out=tmp_path / "base-{seed}.pt", seeds=(0, 1), reporter=Silent()
    )
    forked = train_group(
        short, training="csg", data=data, out=tmp_path / "csg-{seed}.pt", seeds=(0, 1),
        start=tmp_path / "base-{seed}.pt", reporter=Silent(),
    )  # fmt: skip
    for base, fork in zip(bases, forked, strict=True):
        record = torch.load(fork, weights_only=True)["record"]
        alone = train(
            short, training="csg", data=data, out=tmp_path / "alone.pt", seed=record["seed"], start=base, force=True,
            reporter=Silent(),
        )  # fmt: skip
        assert_same(fork, alone)
    with pytest.raises(UsageError, match=r"there is no '.*base-2\.pt' to start seed 2 from"):
        train_group(
            short, training="csg", data=data, out=tmp_path / "more.pt", seeds=(1, 2), start=tmp_path / "base-{seed}.pt",
            reporter=Silent(),
        )  # fmt: skip
    assert not list(tmp_path.glob("more*"))


def test_a_seed_of_another_recipe_stops_the_group_before_it_begins(short: Recipe, data: Data, tmp_path: Path) -> None:
    out = tmp_path / "g.pt"
    train_group(short, training="std", data=data, out=out, seeds=(2,), reporter=Silent())
    other, heard = changed(short, lr=0.01), Heard()
    for resume in (False, True):
        with pytest.raises(UsageError, match=r"g-seed2\.pt' belongs to another run: --lr was 0\.05 and is now 0\.01"):
            train_group(other, training="std", data=data, out=out, seeds=(0, 1, 2), resume=resume, reporter=heard)
    assert heard.epochs == 0
    with pytest.raises(KeyboardInterrupt):
        train_group(short, training="std", data=data, out=out, seeds=(1,), reporter=Heard(stop_after=1))
    with pytest.raises(UsageError, match=r"g-seed1\.pt\.resume' belongs to another run"):
        train_group(other, training="std", data=data, out=out, seeds=(0, 1), resume=True, reporter=heard)
    with pytest.raises(UsageError, match=r"g-seed2\.pt' exists; .* go on with --resume"):
        train_group(short, training="std", data=data, out=out, seeds=(0, 2), reporter=heard)
    assert heard.epochs == 0
    assert sorted(path.name for path in tmp_path.glob("*.pt")) == ["g-seed2.pt"]
