"""`compare`: two report folders, number by number, with what keeps them from being compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from csg_analyze.comparing.differences import Difference, number_differences
from csg_analyze.comparing.reading import Written, read_report
from csg_analyze.report.document import JSON, as_json
from csg_analyze.wording import listed

SCHEMA = 1
"""Version of the document that `compare --json` prints."""


@dataclass(frozen=True)
class Comparison:
    """Two reports compared, as b minus a.

    differences: of every number of every model that both have, headlines among them. notes: plain sentences on what
    differs besides, and what could not be compared. equal_tables, other_tables: names of CSV files in both folders with
    the same and with other contents.
    """

    a: str
    b: str
    differences: tuple[Difference, ...]
    notes: tuple[str, ...]
    equal_tables: tuple[str, ...]
    other_tables: tuple[str, ...]

    @property
    def headlines(self) -> tuple[Difference, ...]:
        """The differences of the numbers that analyses declare as headlines."""
        return tuple(each for each in self.differences if each.headline)

    @property
    def zero(self) -> bool:
        """Whether both have the same models and tables, and no number and no cell differs."""
        alike = all(each.equal for each in self.differences) and bool(self.differences)
        return alike and not self.other_tables and not any(note.startswith("only ") for note in self.notes)

    def document(self) -> dict[str, JSON]:
        """Plain JSON values; None for what is not there or not known."""
        return {
            "schema": SCHEMA,
            "a": self.a,
            "b": self.b,
            "zero": self.zero,
            "notes": list(self.notes),
            "tables": {"equal": list(self.equal_tables), "different": list(self.other_tables)},
            "differences": [
                {**{name: as_json(value) for name, value in vars(each).items()}, "differs": each.differs}
                for each in self.differences
            ],
        }

    def __str__(self) -> str:
        from csg_analyze.comparing.text import comparison_text

        return comparison_text(self)


def compare(a: Path | str, b: Path | str) -> Comparison:
    """Compare two report folders from what they wrote, without the models.

    Models are paired by name, else by their checkpoint's SHA-256; two reports of one model each are always paired.
    Raises UsageError if a folder is no report.
    """
    first, second = read_report(a), read_report(b)
    pairs = list(_pairs(first, second))
    classes = [report.provenance.get("data", {}).get("classes") for report in (first, second)]
    one_task = None in classes or classes[0] == classes[1]
    differences = [
        difference
        for name, one, other in pairs
        for difference in number_differences(name, first, second, one, other, one_task=one_task)
    ]
    tables = first.tables(), second.tables()
    shared = [name for name in tables[0] if name in tables[1]]
    equal = tuple(name for name in shared if tables[0][name].read_bytes() == tables[1][name].read_bytes())
    notes = [
        *first.missing,
        *second.missing,
        *_settings(first, second),
        *_only(first, second, pairs, tables),
        *_incomparable(first, second, pairs),
    ]
    return Comparison(
        str(a), str(b), tuple(differences), tuple(notes), equal, tuple(name for name in shared if name not in equal)
    )


Pair = tuple[str, Mapping[str, Any], Mapping[str, Any]]


def _pairs(a: Written, b: Written) -> Iterator[Pair]:
    """(name, model of a, model of b)."""
    left = {name: model for name, model in b.models.items() if name not in a.models}
    for name, model in a.models.items():
        if name in b.models:
            yield name, model, b.models[name]
            continue
        same = [other for other, each in left.items() if model.get("sha256") and each.get("sha256") == model["sha256"]]
        if not same and len(a.models) == len(b.models) == 1:
            same = list(left)
        if same:
            yield f"{name} and {same[0]}", model, left.pop(same[0])


def _settings(a: Written, b: Written) -> Iterator[str]:
    """What both provenances tell of, and differs."""
    if not a.provenance or not b.provenance:
        return
    data = [dict(each.provenance.get("data") or {}) for each in (a, b)]
    if data[0].get("classes") != data[1].get("classes"):
        counts = " and ".join(str(len(each.get("classes") or ())) for each in data)
        yield f"the classes differ ({counts}): these are two tasks, and no difference has an interval"
    if data[0].get("fingerprint") != data[1].get("fingerprint"):
        specs = " and ".join(f"{each.get('spec')}, {each.get('split')}, {each.get('n')} images" for each in data)
        yield f"the data differ: {specs}"
    options = [dict(each.provenance.get("options") or {}) for each in (a, b)]
    for owner in [name for name in options[0] if name in options[1]]:
        values = [dict(each[owner]) for each in options]
        for name in dict.fromkeys((*values[0], *values[1])):
            pair = [each.get(name) for each in values]
            if pair[0] != pair[1]:
                yield f"the option {owner}.{name} differs: {pair[0]!r} and {pair[1]!r}"
    versions = [dict(each.provenance.get("versions") or {}) for each in (a, b)]
    others = [
        f"{name} {versions[0].get(name)} and {new}" for name, new in versions[1].items() if versions[0].get(name) != new
    ]
    if others:
        yield f"versions differ: {', '.join(others)}"
    machines = [each.provenance.get("device") for each in (a, b)]
    if machines[0] != machines[1]:
        yield f"the devices differ: {machines[0]} and {machines[1]}"


def _only(
    a: Written, b: Written, pairs: list[Pair], tables: tuple[Mapping[str, Path], Mapping[str, Path]]
) -> Iterator[str]:
    """What only one of them has."""
    paired = ({str(one["name"]) for _, one, _ in pairs}, {str(other["name"]) for _, _, other in pairs})
    of_models: dict[str, list[str]] = {}
    for report, there, files, others in ((a, paired[0], *tables), (b, paired[1], *tables[::-1])):
        models = [name for name in report.models if name not in there]
        if models:
            yield f"only {report.folder} has the models {listed(models)}"
        alone = [name for name in files if name not in others]
        if alone:
            yield f"only {report.folder} has the tables {listed(alone)}"
    for name, one, other in pairs:
        for report, left, right in ((a, one, other), (b, other, one)):
            alone = [analyzer for analyzer in left["results"] if analyzer not in right["results"]]
            if alone:
                of_models.setdefault(f"only {report.folder} has {listed(alone)} of", []).append(name)
    yield from (f"{sentence} {listed(names)}" for sentence, names in of_models.items())


def _incomparable(a: Written, b: Written, pairs: list[Pair]) -> Iterator[str]:
    """What cannot be compared, or only with care, in what both have."""
    other_weights = [name for name, one, other in pairs if one.get("sha256") != other.get("sha256")]
    if other_weights:
        yield f"the checkpoints are other files (their SHA-256 differ): {listed(other_weights)}"
    analyzers: dict[str, None] = {}
    for name, one, other in pairs:
        for analyzer in [each for each in one["results"] if each in other["results"]]:
            analyzers[analyzer] = None
            counts = [model["results"][analyzer].get("n") for model in (one, other)]
            if None not in counts and counts[0] != counts[1]:
                yield f"{name}: {analyzer} is from {counts[0]} and {counts[1]} images; numbers may depend on how many"
    for analyzer in analyzers:
        there = [report for report in (a, b) if (report.folder / "samples" / f"{analyzer}.parquet").is_file()]
        read = [report for report in there if report.samples(analyzer) is not None]
        if there and len(read) < 2:
            lacking = listed([str(report.folder) for report in (a, b) if report not in read])
            yield f"{analyzer} is not compared image by image: no samples/{analyzer}.parquet can be read in {lacking}"
