"""The summary document that `--json` prints and `summary.json` holds."""

from __future__ import annotations

from csg_analyze.report.answers import answers
from csg_analyze.report.document import JSON, Report, as_json
from csg_analyze.report.over_seeds import group_document
from csg_analyze.report.seeds import seeds_of

SCHEMA = 1
"""Version of the summary document, raised when a name in it changes its meaning."""


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
        **({"refused": refused} if refused else {}),
        **(group_document(report, seeds) if seeds.groups else {}),
    }
