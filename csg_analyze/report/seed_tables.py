"""The tables over seeds: means, deviations and differences, in full precision and as a reader wants them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd
from rich import box
from rich.table import Table
from rich.text import Text

from csg_analyze.metrics.statistics import Mean
from csg_analyze.paper import CLAIMS, TABLE_1, TABLE_3
from csg_analyze.report.document import JSON, Report, as_json
from csg_analyze.report.seeds import Seeds, differences, mean_of, seeds_of, value_of
from csg_analyze.report.tables import plain_text
from csg_analyze.wording import DASH


def over_seeds(report: Report, seeds: Seeds) -> pd.DataFrame:
    """Every number of every analyzer over the seeds of each group, and the twins' differences; a row a number.

    Columns, for each group, "<label> mean", "sd" and "n"; for each pair "<csg> - <std> mean", "sd", "low" and "high"
    (Student's t, 95 %) and one "seed <s>" a twin; "paper STD" and "paper CSG" where the report has the paper's numbers.
    """
    rows = []
    for analyzer, number in _numbers(report, seeds):
        row: dict[str, object] = {"analyzer": analyzer, "number": number}
        for group in seeds.groups:
            mean = mean_of(value_of(model, analyzer, number) for model in group.models.values())
            row |= {f"{group.label} mean": mean.mean, f"{group.label} sd": mean.sd, f"{group.label} n": mean.n}
        for pair in seeds.pairs:
            each = differences(pair, analyzer, number)
            mean = mean_of(each.values())
            row |= {f"{pair.label} {name}": getattr(mean, name) for name in ("mean", "sd", "low", "high")}
            row |= {f"{pair.label} seed {seed}": difference for seed, difference in each.items()}
        if report.paper:
            known = report.paper.get((analyzer, number), {})
            row |= {f"paper {training}": known.get(training, np.nan) for training in ("STD", "CSG")}
        rows.append(row)
    return pd.DataFrame(rows)


def over_seeds_as_shown(table: pd.DataFrame, seeds: Seeds) -> pd.DataFrame:
    """The same table as a reader wants it: mean ± sd in one cell, a difference with its interval, texts alone."""
    named = [a if a == n else f"{a}: {n}" for a, n in zip(table["analyzer"], table["number"], strict=True)]
    shown = pd.DataFrame({"number": named}, dtype=object)
    for group in seeds.groups:
        shown[f"{group.label} (n = {len(group.models)})"] = [
            _plus_minus(mean, sd)
            for mean, sd in zip(table[f"{group.label} mean"], table[f"{group.label} sd"], strict=True)
        ]
    for pair in seeds.pairs:
        name = pair.label
        parts = (table[f"{name} {part}"] for part in ("mean", "low", "high"))
        shown[name] = [_with_interval(*values) for values in zip(*parts, strict=True)]
        for seed in pair.seeds if len(pair.seeds) > 1 else ():
            column = f"seed {seed}" if len(seeds.pairs) == 1 else f"{pair.csg.label}, seed {seed}"
            shown[column] = [_signed(value) for value in table[f"{name} seed {seed}"]]
    for training in ("STD", "CSG"):
        if f"paper {training}" in table:
            shown[f"paper {training}"] = [_fixed(value) for value in table[f"paper {training}"]]
    return shown


def headline_over_seeds(report: Report) -> str:
    """The headline's numbers over seeds as plain text, and what is to be said of them.

    Only what twins differ in where there is one seed and no paper's number; empty where there are no twins either.
    """
    seeds = seeds_of(report.models)
    cautions = [f"note: {caution}" for caution in seeds.cautions]
    if not worth_showing(report, seeds):
        return "\n".join(cautions)
    numbers = over_seeds(report, seeds)
    shown = over_seeds_as_shown(numbers[in_headline(report, numbers)], seeds)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for place, column in enumerate(shown.columns):
        table.add_column(Text(column), justify="right" if place else "left")
    for texts in shown.to_numpy():
        table.add_row(*(Text(text) for text in texts))
    return "\n".join([plain_text(table), *cautions, *(f"note: {note}" for note in seeds.notes)])


def worth_showing(report: Report, seeds: Seeds) -> bool:
    """Whether there is more to say than Table 1 does: several seeds, or the paper's numbers beside."""
    return bool(seeds.groups) and bool(seeds.several or report.paper)


def in_headline(report: Report, numbers: pd.DataFrame) -> list[bool]:
    """Which rows of `over_seeds` the page shows first."""
    chosen = headline_numbers(report)
    return [where in chosen for where in zip(numbers["analyzer"], numbers["number"], strict=True)]


def headline_numbers(report: Report) -> list[tuple[str, str]]:
    """What the page shows first: Table 1's and Table 3's, what the paper has or claims, the first of every analyzer."""
    first = [
        (section.analyzer, next(iter(model.results[section.analyzer].summary)))
        for section in report.presented()
        for model in report.models
        if section.analyzer in model.results and model.results[section.analyzer].summary
    ]
    table_1 = [where for where in TABLE_1.values() if not where[1].endswith(("_low", "_high"))]
    analyzer, part = TABLE_3
    ran = [model.results[analyzer].summary for model in report.models if analyzer in model.results]
    table_3 = [(analyzer, name) for summary in ran for name in summary if part in name]
    return list(dict.fromkeys([*table_1, *report.paper, *CLAIMS, *first, *table_3]))


def group_document(report: Report, seeds: Seeds) -> dict[str, JSON]:
    """Groups and differences as plain JSON values, for the summary document."""
    names = list(_numbers(report, seeds))
    return {
        "groups": [
            {
                "label": group.label,
                "training": group.training,
                "models": {str(seed): model.name for seed, model in group.models.items()},
                "starts": len(group.starts),
                "results": _nested(
                    {where: mean_of(value_of(model, *where) for model in group.models.values()) for where in names}
                ),
            }
            for group in seeds.groups
        ],
        "differences": [
            {
                "label": pair.label,
                "seeds": list(pair.seeds),
                "besides_the_gate": [difference._asdict() for difference in pair.besides],
                "results": _nested({where: mean_of(differences(pair, *where).values()) for where in names}),
            }
            for pair in seeds.pairs
        ],
    }


def _nested(means: Mapping[tuple[str, str], Mean]) -> JSON:
    found: dict[str, dict[str, JSON]] = {}
    for (analyzer, number), mean in means.items():
        if mean.n:
            found.setdefault(analyzer, {})[number] = as_json(mean._asdict())
    return found


def _numbers(report: Report, seeds: Seeds) -> Iterator[tuple[str, str]]:
    """(analyzer, name) of every number that a grouped model has, analyzers in the report's order."""
    grouped = [model for group in seeds.groups for model in group.models.values()]
    for section in report.presented():
        names = (
            name
            for model in grouped
            if section.analyzer in model.results
            for name in model.results[section.analyzer].summary
        )
        for name in dict.fromkeys(names):
            if any(not np.isnan(value_of(model, section.analyzer, name)) for model in grouped):
                yield section.analyzer, name


def _plus_minus(mean: float, sd: float) -> str:
    return _fixed(mean) if np.isnan(sd) else f"{_fixed(mean)} ± {_fixed(sd)}"


def _with_interval(mean: float, low: float, high: float) -> str:
    return _signed(mean) if np.isnan(low) else f"{_signed(mean)} [{_signed(low)}, {_signed(high)}]"


def _signed(value: float) -> str:
    return DASH if np.isnan(value) else ("+" if value >= 0 else "") + _fixed(value)


def _fixed(value: float) -> str:
    # always four decimals: beside a mean, a deviation in another notation would be misread
    return DASH if np.isnan(value) else f"{value:.4f}" if abs(value) < 1e5 else f"{value:.4g}"
