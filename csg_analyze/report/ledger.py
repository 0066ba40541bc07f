"""Names and numbers of the files of a report."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

LIGHT_BYTES = 1_000_000
"""What a file of a light report may have at most, its two pages aside."""

FIGURES = "the figures as files (index.html shows them)"


@dataclass
class Ledger:
    """The folder of a report, and the file names and numbers used so far.

    light: of a report that is to stay small. Pages of their own, the figures as files and files of more than a million
    bytes are left out of it, and so are the links to them. left_out: what was, in words.
    """

    folder: Path
    light: bool = False
    left_out: list[str] = field(default_factory=list)
    taken: set[str] = field(default_factory=set)
    tables: Iterator[int] = field(default_factory=lambda: count(1))
    figures: Iterator[int] = field(default_factory=lambda: count(1))

    def name(self, *parts: str) -> str:
        """A new file name, safe on every system, even if parts look like paths."""
        stem = re.sub(r"[^A-Za-z0-9.-]+", "_", "_".join(parts)).strip("._")[:100] or "unnamed"
        names = (stem if number == 1 else f"{stem}-{number}" for number in count(1))
        name = next(name for name in names if name.casefold() not in self.taken)
        self.taken.add(name.casefold())
        return name

    def figure_files(self, name: str) -> tuple[str, ...]:
        """PNG, PDF and SVG of a figure, by their path in the folder; none, and gone, in a light report."""
        files = tuple(f"figures/{name}.{suffix}" for suffix in ("png", "pdf", "svg"))
        if not self.light:
            return files
        for file in files:
            (self.folder / file).unlink()
        if FIGURES not in self.left_out:
            self.left_out.insert(0, FIGURES)
        return ()

    def kept(self, *files: str) -> tuple[str, ...]:
        """Delete files that are too large for a light report; return the others, to which the report may link."""
        heavy = [file for file in files if self.light and (self.folder / file).stat().st_size > LIGHT_BYTES]
        for file in heavy:
            self.left_out.append(f"{file} ({(self.folder / file).stat().st_size / 1e6:.1f} MB)")
            (self.folder / file).unlink()
        return tuple(file for file in files if file not in heavy)
