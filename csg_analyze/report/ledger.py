"""Names and numbers of the files that make up a report."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path


@dataclass
class Ledger:
    """The folder being written, and the file names and numbers given out so far."""

    folder: Path
    taken: set[str] = field(default_factory=set)
    tables: Iterator[int] = field(default_factory=lambda: count(1))
    figures: Iterator[int] = field(default_factory=lambda: count(1))

    def name(self, *parts: str) -> str:
        """A file name of its own, safe on every system, even for parts that were meant as paths."""
        wanted = re.sub(r"[^A-Za-z0-9.-]+", "_", "_".join(parts)).strip("._")[:100] or "unnamed"
        names = (wanted if number == 1 else f"{wanted}-{number}" for number in count(1))
        name = next(name for name in names if name.casefold() not in self.taken)
        self.taken.add(name.casefold())
        return name
