"""The reports below a folder: title, networks, what they found, size, and the command that makes them again."""

from __future__ import annotations

import math
import re
import shlex
import subprocess
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

from csg_analyze.comparing.reading import Written, read_report
from csg_analyze.errors import UsageError
from csg_analyze.wording import shortened

MOST = 3
"""Largest number of findings that are shown of a report."""
ASIDE = "accuracy"
"""The analysis whose finding is the condition of the others, and shown only where there is none but it."""


@dataclass(frozen=True)
class Listed:
    """One report. folder: its place below the folder of all, with slashes. networks: how many of which training.

    pages: its index.html and report.md, as far as they are there. found: sentences. size: of its files, in bytes.
    """

    folder: str
    title: str
    networks: str
    analyses: tuple[str, ...]
    found: tuple[str, ...]
    command: str
    size: int
    pages: tuple[str, ...]

    @property
    def megabytes(self) -> str:
        """`1.9 MB`."""
        return f"{self.size / 1e6:.1f} MB"


def reports_below(folder: Path, *, kept: bool = False) -> list[Listed]:
    """All reports below a folder, in the order of their names. kept: only files that git does not ignore.

    Raises UsageError if there is none, if the folder is a report itself, or if `kept` and git cannot tell.
    """
    if not folder.is_dir():
        raise UsageError(f"{str(folder)!r} is not a folder; give the one that your reports are in.")
    if (folder / "summary.json").exists():
        raise UsageError(f"{str(folder)!r} is a report itself; give the folder that it is in.")
    files = _not_ignored(folder) if kept else {path for path in folder.rglob("*") if path.is_file()}
    places = sorted(path.parent for path in files if path.name == "summary.json")
    found = [_listed(place, folder, files) for place in places]
    if not found:
        raise UsageError(f"{str(folder)!r} has no report{' that git keeps' if kept else ''}.")
    return found


def _not_ignored(folder: Path) -> set[Path]:
    words = ("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    try:
        done = subprocess.run(words, cwd=folder, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise UsageError(f"--kept asks git, which does not know {str(folder)!r}; call it without --kept.") from error
    names = done.stdout.decode("utf-8", "surrogateescape").split("\0")
    return {path for name in names if name and (path := folder / name).is_file()}


def _listed(place: Path, folder: Path, files: Collection[Path]) -> Listed:
    written = read_report(place)
    own = {path for path in files if path.is_relative_to(place)}
    name = place.relative_to(folder).as_posix()
    trainings = Counter(str(model.get("training") or "of unknown training") for model in written.models.values())
    return Listed(
        folder=name,
        title=_title(place / "report.md") or name,
        networks=", ".join(f"{number} {training}" for training, number in trainings.items()),
        analyses=tuple(dict.fromkeys(key for model in written.models.values() for key in model["results"])),
        found=tuple(_found(written)),
        command=_command(place, written.provenance),
        size=sum(path.stat().st_size for path in own),
        pages=tuple(page for page in ("index.html", "report.md") if place / page in own),
    )


def _title(path: Path) -> str:
    """The heading of report.md, without the backslashes that keep its characters from meaning something."""
    try:
        first = path.read_text(encoding="utf-8").partition("\n")[0]
    except OSError:
        return ""
    return re.sub(r"\\(.)", r"\1", first.removeprefix("# ")) if first.startswith("# ") else ""


def _command(place: Path, provenance: Mapping[str, Any]) -> str:
    """The short command where the settings are recorded, else the one that was typed."""
    if isinstance(provenance.get("settings"), dict) and not provenance["settings"].get("in_memory"):
        out = shlex.quote(place.as_posix())
        return f"csg-analyze report --from {shlex.quote(f'{place.as_posix()}/provenance.json')} --out {out} --force"
    return " ".join(str(provenance.get("command", "")).split())


def _found(written: Written) -> list[str]:
    """What the report says itself, every analysis' first sentence before any second; of an older one bare numbers."""
    own = list(_sentences(written))
    by_analysis: dict[str, list[str]] = {}
    for analyzer, text in own or _differences(written):
        by_analysis.setdefault(analyzer, []).append(text)
    if len(by_analysis) > 1:
        by_analysis.pop(ASIDE, None)
    if not own and len(by_analysis) > 1:  # headlines without a sentence may be no findings, as chance levels are
        by_analysis = {analyzer: texts[:1] for analyzer, texts in by_analysis.items()}
    return [text for rank in zip_longest(*by_analysis.values()) for text in rank if text][:MOST]


def _sentences(written: Written) -> Iterator[tuple[str, str]]:
    for answer in written.answers:
        yield answer["analyzer"], f"{answer['text']} ({answer['verdict']})"


def _differences(written: Written) -> Iterator[tuple[str, str]]:
    """`mis: mis +0.0718 [+0.0641, +0.0795] (CSG - STD; 3 seeds)`, of every headline that has one."""
    for headline in written.headlines:
        for pair in written.differences:
            value = pair.get("results", {}).get(headline.analyzer, {}).get(headline.number, {})
            mean, low, high = (_number(value.get(name)) for name in ("mean", "low", "high"))
            if not math.isnan(mean):
                interval = "" if math.isnan(low) or math.isnan(high) else f" [{low:+.4f}, {high:+.4f}]"
                seeds = f"{value.get('n')} seed{'s' if value.get('n') != 1 else ''}"
                of = f"({shortened(pair['label'], 60)}; {seeds})"
                yield headline.analyzer, f"{headline.analyzer}: {headline.number} {mean:+.4f}{interval} {of}"


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else math.nan
