"""A report folder, read back: summary, provenance, samples and tables, as far as they are there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from csg_analyze.errors import UsageError
from csg_analyze.report.summary import SCHEMA


@dataclass(frozen=True)
class Headline:
    """A number that an analysis declares as its headline. low, high: names of the ends of its interval."""

    analyzer: str
    number: str
    low: str | None = None
    high: str | None = None


@dataclass(frozen=True)
class Written:
    """What a report folder holds. provenance: empty if it is missing. models: by name, in order.

    answers: what it found, in sentences. differences: of twins over their seeds. missing: sentences on what is not
    there or cannot be read.
    """

    folder: Path
    schema: object
    models: Mapping[str, Mapping[str, Any]]
    headlines: tuple[Headline, ...]
    provenance: Mapping[str, Any] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    answers: tuple[Mapping[str, Any], ...] = ()
    differences: tuple[Mapping[str, Any], ...] = ()

    def samples(self, analyzer: str) -> pd.DataFrame | None:
        """What an analysis says image by image; None if the folder has no such file, or one that cannot be read."""
        path = self.folder / "samples" / f"{analyzer}.parquet"
        if not path.is_file():
            return None
        import fastparquet

        try:
            frame = fastparquet.ParquetFile(str(path)).to_pandas()
        except Exception:  # a damaged file fails anywhere in the reader
            return None
        return frame if {"model", "sample_id"} <= set(frame.columns) else None

    def tables(self) -> dict[str, Path]:
        """The CSV files by name."""
        return {path.name: path for path in sorted((self.folder / "tables").glob("*.csv"))}


def read_report(folder: Path | str) -> Written:
    """Read a report folder. Raises UsageError if it is none, or if its summary cannot be read."""
    folder = Path(folder)
    if not folder.is_dir():
        raise UsageError(f"{str(folder)!r} is not a folder; give the folder of a report, with its summary.json.")
    summary = _json(folder / "summary.json")
    if summary is None:
        raise UsageError(f"{str(folder)!r} is not a report: it has no summary.json that can be read.")
    models = summary.get("models")
    if not isinstance(models, list) or not all(_is_model(model) for model in models):
        raise UsageError(f"summary.json of {str(folder)!r} does not list models with a name and results.")
    missing = []
    version = summary.get("schema")
    if version != SCHEMA:
        missing.append(f"{folder}: summary.json has schema {version!r}, not {SCHEMA}; names may have another meaning")
    provenance = _json(folder / "provenance.json")
    if provenance is None:
        missing.append(f"{folder}: no provenance.json that can be read, so that its data and options are not known")
    by_name = {model["name"]: model for model in models}
    headlines = _headlines(summary) or _declared(by_name)
    return Written(
        folder,
        summary.get("schema"),
        by_name,
        headlines,
        provenance or {},
        tuple(missing),
        answers=_entries(summary, "answers", "analyzer", "text", "verdict"),
        differences=_entries(summary, "differences", "label"),
    )


def _json(path: Path) -> dict[str, Any] | None:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return document if isinstance(document, dict) else None


def _is_model(model: object) -> bool:
    if not isinstance(model, dict) or not isinstance(model.get("name"), str):
        return False
    results = model.get("results")
    return isinstance(results, dict) and all(isinstance(result, dict) for result in results.values())


def _entries(summary: Mapping[str, Any], name: str, *texts: str) -> tuple[Mapping[str, Any], ...]:
    """The entries of a list of the summary that have all these texts."""
    entries = summary.get(name)
    if not isinstance(entries, list):
        return ()
    return tuple(
        each for each in entries if isinstance(each, dict) and all(isinstance(each.get(t), str) for t in texts)
    )


def _headlines(summary: Mapping[str, Any]) -> tuple[Headline, ...]:
    entries = summary.get("headlines")
    if not isinstance(entries, list):
        return ()
    return tuple(
        Headline(entry["analyzer"], entry["number"], entry.get("low"), entry.get("high"))
        for entry in entries
        if isinstance(entry, dict) and isinstance(entry.get("analyzer"), str) and isinstance(entry.get("number"), str)
    )


def _declared(models: Mapping[str, Mapping[str, Any]]) -> tuple[Headline, ...]:
    """Of a report that does not name them: what the installed analyzers declare, and else their first numbers."""
    import fnmatch

    from csg_analyze.registry import ANALYZERS, find, registered

    known = registered(ANALYZERS)
    found: dict[tuple[str, str], Headline] = {}
    for model in models.values():
        for analyzer, result in model["results"].items():
            declared = find(ANALYZERS, analyzer).about.headlines if analyzer in known else ()
            for headline in declared:
                for number in fnmatch.filter(result, headline.number):
                    found.setdefault((analyzer, number), Headline(analyzer, number, *(headline.interval or ())))
            for number in [] if declared else list(result)[:1]:
                found.setdefault((analyzer, number), Headline(analyzer, number))
    return tuple(found.values())
