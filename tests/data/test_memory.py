from __future__ import annotations

from pathlib import Path

import pytest

from csg_analyze.data import memory


def test_the_budget_is_a_quarter_of_what_the_system_or_the_container_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    meminfo, limit = tmp_path / "meminfo", tmp_path / "limit"
    meminfo.write_text("MemTotal: 9000 kB\nMemFree: 10 kB\nMemAvailable:    8000 kB\n")
    monkeypatch.setattr(memory, "_MEMINFO", meminfo)
    monkeypatch.setattr(memory, "_CGROUP_LIMIT", limit)
    assert memory.memory_budget() == 2000 * 1024
    limit.write_text("max\n")
    assert memory.memory_budget() == 2000 * 1024
    limit.write_text("4000\n")
    assert memory.memory_budget() == 1000


def test_systems_without_meminfo_still_get_a_budget(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_MEMINFO", tmp_path / "nowhere")
    assert memory.available_memory() > 0
    monkeypatch.delattr("os.sysconf")
    assert 0 < memory.available_memory() <= 4 * 2**30


@pytest.mark.parametrize(("size", "text"), [(3_140_000_000, "3.1 GB"), (30_720_000, "30.7 MB")])
def test_sizes_read_well(size: int, text: str) -> None:
    assert memory.gigabytes(size) == text
