"""The tables over seeds: means, deviations and differences, in full precision and as shown."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from csg_analyze.metrics.statistics import Mean
from csg_analyze.paper import CLAIMS
from csg_analyze.report.document import JSON, Report, as_json
from csg_analyze.report.seeds import Seeds, mean_of, seeds_of, twin_differences, value_of
from csg_analyze.report.tables import ShownTable, shown_table
from csg_analyze.report.terminal import plain_text
from csg_analyze.wording import DASH


def over_seeds(report: Report, seeds: Seeds) -> pd.DataFrame:
    """All numbers of all analyzers over the seeds of each group, and the differences of twins; one row per number.

    Columns: for each group "<label> mean", "sd" and "n"; for each pair "<csg> - <std> mean", "sd", "low" and "high"
    (Student's t, 95 %) and one "seed <s>" per twin; "paper STD" and "paper CSG" if the report has the paper's numbers.
    """
    rows = []
    for analyzer, number in _numbers(report, seeds):
        row: dict[str, object] = {"analyzer": analyzer, "number": number}
        for group in seeds.groups:
            mean = mean_of(value_of(model, analyzer, number) for model in group.models.values())
            row |= {f"{group.label} mean": mean.mean, f"{group.label} sd": mean.sd, f"{group.label} n": mean.n}
        for pair in seeds.pairs:
            by_seed = twin_differences(pair, analyzer, number)
            mean = mean_of(by_seed.values())
            row |= {f"{pair.label} {name}": getattr(mean, name) for name in ("mean", "sd", "low", "high")}
            row |= {f"{pair.label} seed {seed}": difference for seed, difference in by_seed.items()}
        if report.paper:
            of_paper = report.paper.get((analyzer, number), {})
            row |= {f"paper {training}": of_paper.get(training, np.nan) for training in ("STD", "CSG")}
        rows.append(row)
    return pd.DataFrame(rows)


def over_seeds_tidy(table: pd.DataFrame, seeds: Seeds) -> pd.DataFrame:
    """The same table with one mean per row, for its file.

    Columns: analyzer, number, of (a group, a pair, or the paper's training), seed (empty: over all of them), n, mean,
    sd, low, high. A seed's difference of twins is the mean of one.
    """
    parts = [
        _part(table, group.label, {name: f"{group.label} {name}" for name in ("n", "mean", "sd")})
        for group in seeds.groups
    ]
    for pair in seeds.pairs:
        columns = {name: f"{pair.label} {name}" for name in ("mean", "sd", "low", "high")}
        each = [f"{pair.label} seed {seed}" for seed in pair.seeds]
        parts.append(_part(table, pair.label, columns).assign(n=table[each].notna().sum(axis=1)))
        parts += [
            _part(table, pair.label, {"mean": column}).assign(seed=seed, n=1)
            for seed, column in zip(pair.seeds, each, strict=True)
        ]
    for training in ("STD", "CSG"):
        if f"paper {training}" in table:
            parts.append(_part(table, f"paper {training}", {"mean": f"paper {training}"}))
    rows = pd.concat(parts).sort_index(kind="stable")
    names = ["analyzer", "number", "of", "seed", "n", "mean", "sd", "low", "high"]
    rows = rows.reindex(columns=names)[rows["mean"].notna()].reset_index(drop=True)
    return rows.astype({"seed": "Int64", "n": "Int64"})


def _part(table: pd.DataFrame, of: str, columns: Mapping[str, str]) -> pd.DataFrame:
    values = {name: table[column] for name, column in columns.items()}
    return pd.DataFrame({"analyzer": table["analyzer"], "number": table["number"], "of": of, **values})


def over_seeds_as_shown(table: pd.DataFrame, seeds: Seeds) -> pd.DataFrame:
    """The same table as texts: mean ± sd in one cell, a difference with its interval."""
    named = [a if a == n else f"{a}: {n}" for a, n in zip(table["analyzer"], table["number"], strict=True)]
    cells = pd.DataFrame({"number": named}, dtype=object)
    for group in seeds.groups:
        cells[f"{group.label} (n = {len(group.models)})"] = [
            _plus_minus(mean, sd)
            for mean, sd in zip(table[f"{group.label} mean"], table[f"{group.label} sd"], strict=True)
        ]
    for pair in seeds.pairs:
        name = pair.label
        parts = (table[f"{name} {part}"] for part in ("mean", "low", "high"))
        cells[name] = [_with_interval(*values) for values in zip(*parts, strict=True)]
        for seed in pair.seeds if len(pair.seeds) > 1 else ():
            column = f"seed {seed}" if len(seeds.pairs) == 1 else f"{pair.csg.label}, seed {seed}"
            cells[column] = [_signed(value) for value in table[f"{name} seed {seed}"]]
    for training in ("STD", "CSG"):
        if f"paper {training}" in table:
            cells[f"paper {training}"] = [_fixed(value) for value in table[f"paper {training}"]]
    return cells


def headline_over_seeds(report: Report) -> str:
    """The headline's numbers over seeds as plain text, with cautions and notes.

    Without several seeds or the paper's numbers only the cautions about twins; empty if there are none.
    """
    seeds = seeds_of(report.models)
    cautions = [f"note: {caution}" for caution in seeds.cautions]
    if not worth_showing(report, seeds):
        return "\n".join(cautions)
    numbers = over_seeds(report, seeds)
    table = seeds_table(over_seeds_as_shown(numbers[in_headline(report, numbers)], seeds))
    return "\n".join([plain_text(table), *cautions, *(f"note: {note}" for note in seeds.notes)])


def seeds_table(cells: pd.DataFrame) -> ShownTable:
    """The cells of `over_seeds_as_shown` as a table for a page or a terminal."""
    return shown_table(cells, numeric=[place > 0 for place in range(len(cells.columns))])


def worth_showing(report: Report, seeds: Seeds) -> bool:
    """Whether the numbers over seeds add to Table 1: several seeds, or the paper's numbers."""
    return bool(seeds.groups) and bool(seeds.several or report.paper)


def in_headline(report: Report, numbers: pd.DataFrame) -> list[bool]:
    """Which rows of `over_seeds` are headlines, which the page shows first."""
    chosen = headline_numbers(report)
    return [where in chosen for where in zip(numbers["analyzer"], numbers["number"], strict=True)]


def headline_numbers(report: Report) -> set[tuple[str, str]]:
    """Numbers to show first: declared headlines, the first of every analysis, the paper's numbers and claims."""
    first: set[tuple[str, str]] = set()
    declared: set[tuple[str, str]] = set()
    columns: dict[str, str] = {}
    for section in report.presented():
        for model in report.models:
            names = list(model.results[section.analyzer].summary) if section.analyzer in model.results else []
            first.update((section.analyzer, name) for name in names[:1])
            for headline in section.about.headlines:
                found = {(section.analyzer, name) for name in fnmatch.filter(names, headline.number)}
                # what an analysis before has in a column of the same name is the same number: it is shown once
                owner = columns.setdefault(headline.column, section.analyzer) if found else section.analyzer
                declared |= found if owner == section.analyzer or not headline.column else set()
    return {*declared, *first, *report.paper, *CLAIMS}


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
                "results": _nested({where: mean_of(twin_differences(pair, *where).values()) for where in names}),
            }
            for pair in seeds.pairs
        ],
    }


def _nested(means: Mapping[tuple[str, str], Mean]) -> JSON:
    nested: dict[str, dict[str, JSON]] = {}
    for (analyzer, number), mean in means.items():
        if mean.n:
            nested.setdefault(analyzer, {})[number] = as_json(mean._asdict())
    return nested


def _numbers(report: Report, seeds: Seeds) -> Iterator[tuple[str, str]]:
    """(analyzer, name) of every number that a model in a group has, analyzers in the report's order."""
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
    # always four decimals: a mean and its deviation need the same notation
    return DASH if np.isnan(value) else f"{value:.4f}" if abs(value) < 1e5 else f"{value:.4g}"
