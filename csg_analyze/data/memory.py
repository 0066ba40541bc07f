"""How much memory a dataset may take."""

from __future__ import annotations

import os
from pathlib import Path

_MEMINFO = Path("/proc/meminfo")
_CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")
_UNKNOWN = 4 * 2**30  # assumed if the system does not say


def memory_budget() -> int:
    """Bytes that decoded images may take by default: a quarter of the memory that is available now."""
    return available_memory() // 4


def available_memory() -> int:
    """Bytes of memory that are free without swapping: at most the container's limit."""
    return min(_available_to_system(), _container_limit())


def gigabytes(size: int) -> str:
    """A size in bytes for a sentence: "3.1 GB", or in MB below one."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"


def _available_to_system() -> int:
    try:
        # not MemFree, which leaves out the page cache
        for line in _MEMINFO.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    except (AttributeError, OSError, ValueError):
        return _UNKNOWN


def _container_limit() -> int:
    try:
        # memory in use is not subtracted: most of it is page cache, which the system frees
        return int(_CGROUP_LIMIT.read_text())
    except (OSError, ValueError):  # no container, or "max": no limit
        return 2**62
