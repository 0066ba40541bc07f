"""Training does not overwrite what lies where it would write, and goes on only with the very same run."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from csg_analyze.data import Dataset
from csg_analyze.errors import UsageError
from tests.training.test_loop import Stopping, contents
from training.loop import train
from training.progress import Silent
from training.recipes import Recipe, changed
from training.state import state_path

Data = tuple[Dataset, Dataset]


def flip_last_weight(path: Path) -> None:
    """One bit of the last member that holds numbers, as a failing disk might."""
    with zipfile.ZipFile(path) as archive:
        last = max(
            (member for member in archive.infolist() if "/data/" in member.filename), key=lambda m: m.header_offset
        )
        held = archive.read(last)
    content = bytearray(path.read_bytes())
    content[content.index(held, last.header_offset)] ^= 1
    path.write_bytes(content)


class TestWhatIsThereAlready:
    def refused(self, message: str, recipe: Recipe, data: Data, out: Path, **options: Any) -> None:
        before = self.files(out)
        with pytest.raises(UsageError, match=message):
            train(recipe, training="std", data=data, out=out, reporter=Silent(), **options)
        assert self.files(out) == before

    def files(self, out: Path) -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in out.parent.glob("*") if path.is_file()}

    def interrupted(self, recipe: Recipe, data: Data, out: Path) -> None:
        with pytest.raises(KeyboardInterrupt):
            train(recipe, training="std", data=data, out=out, reporter=Stopping(2))

    def test_output_exists(self, recipe: Recipe, data: Data, tmp_path: Path) -> None:
        out = tmp_path / "s.pt"
        out.write_text("precious")
        self.refused("exists; give another --out", recipe, data, out)
        self.refused("is not from this run", recipe, data, out, resume=True)
        train(changed(recipe, epochs=1), training="std", data=data, out=out, force=True, reporter=Silent())
        assert contents(out)["record"]["epoch"] == 1

    def test_output_cannot_be_written(self, recipe: Recipe, data: Data, tmp_path: Path) -> None:
        self.refused("is a folder; give a file", recipe, data, tmp_path)
        self.refused("cannot write into .*nowhere", recipe, data, tmp_path / "nowhere" / "s.pt")

    def test_leftover_state(self, recipe: Recipe, data: Data, tmp_path: Path) -> None:
        out = tmp_path / "s.pt"
        self.interrupted(recipe, data, out)
        self.refused("an interrupted run left .*go on with --resume", recipe, data, out)
        self.refused("another run: --lr was 0.05 and is now 0.1", changed(recipe, lr=0.1), data, out, resume=True)
        self.refused("another run: --seed was 0 and is now 1", recipe, data, out, resume=True, seed=1)
        other = replace(data[0], fingerprint="other")
        self.refused("another run: data was train45", recipe, (other, data[1]), out, resume=True)

    def test_damaged_state(self, recipe: Recipe, data: Data, tmp_path: Path) -> None:
        out = tmp_path / "s.pt"
        self.interrupted(recipe, data, out)
        state_path(out).write_bytes(state_path(out).read_bytes()[:1000])
        self.refused("resume' is damaged, its end is cut off", recipe, data, out, resume=True)

    def test_one_flipped_bit_in_a_state_or_in_the_output(self, recipe: Recipe, data: Data, tmp_path: Path) -> None:
        out = tmp_path / "s.pt"
        self.interrupted(recipe, data, out)
        flip_last_weight(state_path(out))
        self.refused("resume' is damaged, its part .* does not match its checksum", recipe, data, out, resume=True)
        train(changed(recipe, epochs=1), training="std", data=data, out=out, force=True, reporter=Silent())
        flip_last_weight(out)
        shorter = changed(recipe, epochs=1)
        self.refused("cannot be used, its part .* does not match its checksum", shorter, data, out, resume=True)

    def test_resuming_what_is_complete_changes_nothing(self, recipe: Recipe, data: Data, tmp_path: Path) -> None:
        out = train(changed(recipe, epochs=1), training="std", data=data, out=tmp_path / "s.pt", reporter=Silent())
        before, heard = out.read_bytes(), Stopping()
        train(changed(recipe, epochs=1), training="std", data=data, out=out, resume=True, reporter=heard)
        assert out.read_bytes() == before
        assert heard.said == [f"{out} is complete already"]
        self.refused("another run: --epochs was 1 and is now 3", recipe, data, out, resume=True)
