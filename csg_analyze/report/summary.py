"""The summary document that `--json` prints and `summary.json` holds; `summary.schema.json` beside is its schema."""

from __future__ import annotations

import fnmatch
import json
from importlib.resources import files
from typing import Any

from csg_analyze.report.answers import answers
from csg_analyze.report.document import JSON, Report, as_json
from csg_analyze.report.over_seeds import group_document
from csg_analyze.report.seeds import seeds_of

SCHEMA = 1
"""Version of the summary document, raised when a name in it changes its meaning or goes."""


def summary_document(report: Report) -> dict[str, JSON]:
    """The numbers of every model as plain JSON values: floats in full precision, None if not finite.

    If checkpoints record their trainings, groups of seeds and differences of twins follow.
    """
    seeds = seeds_of(report.models)
    refused = [{"name": each.name, "reason": each.reason} for each in report.refused]
    return {
        "schema": SCHEMA,
        "models": [
            {
                "name": model.name,
                "path": model.path,
                "sha256": model.sha256,
                "arch": model.architecture,
                "training": model.training,
                "results": {name: as_json(result.summary) for name, result in model.results.items()},
                "skipped": dict(model.skipped),
                **({"notes": list(model.notes)} if model.notes else {}),
            }
            for model in report.models
        ],
        "answers": [answer.document for answer in answers(report)],
        "headlines": _headlines(report),
        **({"refused": refused} if refused else {}),
        **(group_document(report, seeds) if seeds.groups else {}),
    }


def _headlines(report: Report) -> list[JSON]:
    """The declared headlines that any model has, with the names of the ends of their intervals."""
    found: dict[tuple[str, str], JSON] = {}
    for section in report.presented():
        results = [model.results[section.analyzer] for model in report.models if section.analyzer in model.results]
        names = list(dict.fromkeys(name for result in results for name in result.summary))
        for headline in section.about.headlines:
            low, high = headline.interval or (None, None)
            for number in fnmatch.filter(names, headline.number):
                entry = {"analyzer": section.analyzer, "number": number, "low": low, "high": high}
                found.setdefault((section.analyzer, number), entry)
    return list(found.values())


def summary_schema() -> dict[str, Any]:
    """The JSON schema (draft 2020-12) of the summary document."""
    text = files("csg_analyze.report").joinpath("summary.schema.json").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema
