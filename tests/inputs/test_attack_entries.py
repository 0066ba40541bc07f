"""Attacks bit for bit: whatever the batches, and from the cache after an interruption."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from tests.examples import classified_dataset, random_classifier, small_classifier
from tests.inputs.attacking import CLASSIFIER, attacks_on, run, same


def entries(folder: Path, pattern: str = "attack-*") -> dict[str, dict[str, bytes]]:
    """The arrays of every entry, bit for bit."""
    return {path.name: {n: a.tobytes() for n, a in load_file(path).items()} for path in folder.glob(pattern)}


@pytest.mark.parametrize("attack", ["fgsm", "pgd", "cw"])
def test_batch_sizes_change_no_bit(attack: str, tmp_path: Path) -> None:
    settings = {"pgd_steps": 4, "cw_steps": 8, "cw_searches": 2, "cw_stepsize": 0.1}
    classifier = random_classifier()
    data = classified_dataset(classifier, 40, side=32)
    runs = [
        run(
            attacks_on(classifier, data, folder=tmp_path / str(size), batch_size=size, **settings),
            attack,
            np.arange(40),
            with_features=True,
        )
        for size in (7, 64)
    ]
    assert same(*runs)
    assert entries(tmp_path / "7") == entries(tmp_path / "64")
    assert len(entries(tmp_path / "7", f"attack-{attack}-*")) == 2  # 32 images and 8


class Interrupted(Exception):
    pass


def breaking(after: int) -> Any:
    """Progress that ends in the middle of a run, after so many blocks."""

    def track(blocks: Iterable[Any], _description: str, _total: int) -> Iterator[Any]:
        for number, block in enumerate(blocks):
            if number == after:
                raise Interrupted
            yield block

    return track


def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("csg_analyze.inputs.network_attacks.block_size", lambda *_: 8)


def test_an_interrupted_run_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small_blocks(monkeypatch)
    whole = run(attacks_on(folder=tmp_path / "whole"), with_features=True)
    with pytest.raises(Interrupted):
        run(attacks_on(folder=tmp_path / "broken", track=breaking(3)), with_features=True)
    left = {path: path.stat().st_mtime_ns for path in (tmp_path / "broken").glob("attack-pgd-*")}
    assert len(left) == 3
    resumed = run(attacks_on(folder=tmp_path / "broken"), with_features=True)
    assert same(whole, resumed)
    assert {path: path.stat().st_mtime_ns for path in left} == left
    assert entries(tmp_path / "broken") == entries(tmp_path / "whole")


KILLED = """
import os, signal, sys
from pathlib import Path
from csg_analyze.inputs import attacked_blocks, network_attacks
sys.path.insert(0, {root!r})
from tests.inputs.attacking import attacks_on, run
network_attacks.block_size = lambda *_: 8
calls = 0
attacked = attacked_blocks.attacked
def deadly(*arguments, **options):
    global calls
    calls += 1
    if calls == 4:
        os.kill(os.getpid(), signal.SIGKILL)
    return attacked(*arguments, **options)
attacked_blocks.attacked = deadly
run(attacks_on(folder=Path({folder!r})))
"""


def test_a_killed_process_loses_one_block_at_most(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = str(Path(__file__).resolve().parents[2])
    program = KILLED.format(root=root, folder=str(tmp_path / "killed"))
    done = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, check=False)
    assert done.returncode == -9, done.stderr
    assert len(list((tmp_path / "killed").glob("attack-pgd-*"))) == 3
    small_blocks(monkeypatch)
    resumed, whole = run(attacks_on(folder=tmp_path / "killed")), run(attacks_on())
    assert same(resumed, whole)


def test_a_larger_run_begins_with_the_blocks_of_a_smaller_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small_blocks(monkeypatch)
    few = run(attacks_on(folder=tmp_path), sources=np.arange(78), enough=10)
    made = {path.name for path in tmp_path.glob("attack-pgd-*")}
    many = run(attacks_on(folder=tmp_path), sources=np.arange(78), enough=50)
    assert made < {path.name for path in tmp_path.glob("attack-pgd-*")}
    assert np.array_equal(many.l2[: len(few.l2)], few.l2)


def test_entries_are_found_by_what_determines_them(tmp_path: Path) -> None:
    run(attacks_on(folder=tmp_path))
    first = len(entries(tmp_path))
    run(attacks_on(replace(CLASSIFIER, name="renamed", path=Path("y")), folder=tmp_path))
    assert len(entries(tmp_path)) == first
    run(attacks_on(folder=tmp_path), eps=4 / 255)
    run(attacks_on(folder=tmp_path), seed=1)
    run(attacks_on(folder=tmp_path), targeted=False)
    run(attacks_on(folder=tmp_path, pgd_steps=3))
    run(attacks_on(small_classifier(seed=5), folder=tmp_path))
    moved = replace(CLASSIFIER, network=small_classifier().network)
    moved.network.mean.add_(0.01)  # preprocessing is part of the network, but not of its state dict
    run(attacks_on(moved, folder=tmp_path))
    assert len(entries(tmp_path)) == 7 * first
