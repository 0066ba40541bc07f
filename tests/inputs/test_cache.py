from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from csg_analyze.inputs.cache import Cache


class Computation:
    """Counts how often it was asked."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> dict[str, np.ndarray]:
        self.calls += 1
        return {"a": np.arange(6, dtype=np.float32).reshape(2, 3).T, "empty": np.zeros((0, 4))}


def test_an_entry_is_computed_once_and_comes_back_equal(tmp_path: Path) -> None:
    compute, cache = Computation(), Cache(tmp_path / "new" / "folder")
    first = cache.fetch("x", {"version": 1, "layers": ["a"]}, compute)
    second = cache.fetch("x", {"layers": ["a"], "version": 1}, compute)
    assert compute.calls == 1
    for name, values in first.items():
        np.testing.assert_array_equal(second[name], values)
        assert second[name].dtype == values.dtype


@pytest.mark.parametrize("key", [{"version": 2}, {"version": 1, "extra": None}, {"version": "1"}])
def test_another_key_is_another_entry(tmp_path: Path, key: dict[str, object]) -> None:
    compute, cache = Computation(), Cache(tmp_path)
    cache.fetch("x", {"version": 1}, compute)
    cache.fetch("x", key, compute)
    assert compute.calls == 2


@pytest.mark.parametrize("damage", ["truncate", "flip", "empty"])
def test_a_damaged_entry_is_computed_again_with_a_warning(tmp_path: Path, damage: str) -> None:
    compute, cache = Computation(), Cache(tmp_path)
    cache.fetch("x", {}, compute)
    (path,) = tmp_path.iterdir()
    content = bytearray(path.read_bytes())
    if damage == "flip":
        content[-3] ^= 1
    path.write_bytes({"truncate": content[:-5], "flip": content, "empty": b""}[damage])
    with pytest.warns(UserWarning, match="damaged"):
        again = cache.fetch("x", {}, compute)
    np.testing.assert_array_equal(again["a"], Computation()()["a"])
    assert compute.calls == 2
    cache.fetch("x", {}, compute)  # and it was mended
    assert compute.calls == 2


def test_no_flipped_bit_of_an_entry_is_read(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    cache.fetch("x", {}, Computation())
    (path,) = tmp_path.iterdir()
    content = path.read_bytes()
    for where in range(len(content)):
        damaged = bytearray(content)
        damaged[where] ^= 1 << where % 8
        path.write_bytes(damaged)
        compute = Computation()
        with pytest.warns(UserWarning, match="damaged"):
            cache.fetch("x", {}, compute)
        assert compute.calls == 1


def test_an_interrupted_computation_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> dict[str, np.ndarray]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Cache(tmp_path).fetch("x", {}, fail)
    assert list(tmp_path.iterdir()) == []


def test_no_folder_keeps_nothing() -> None:
    compute = Computation()
    Cache(None).fetch("x", {}, compute)
    Cache(None).fetch("x", {}, compute)
    assert compute.calls == 2
