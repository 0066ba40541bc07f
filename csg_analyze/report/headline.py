"""The first table of a report: the headlines that its analyses declare, as in the paper's Table 1."""

from __future__ import annotations

import pandas as pd

from csg_analyze.about import Headline
from csg_analyze.paper import TABLE_1
from csg_analyze.report.document import Report, Section
from csg_analyze.report.seeds import seeds_of
from csg_analyze.report.tables import ShownTable, shown_table
from csg_analyze.report.terminal import plain_text
from csg_analyze.wording import DASH, cell

TEXT_COLUMNS = ("Model", "Architecture", "Training")


def first_table(report: Report) -> pd.DataFrame:
    """The headlines in full precision, one row per model, with missing values.

    Columns: model, architecture, classes, filters, training, then the headlines of the analyses that ran, with the ends
    of their intervals.
    """
    rows = []
    for model in report.models:
        row: dict[str, object] = {
            "model": model.name,
            "architecture": model.architecture,
            "classes": model.n_classes,
            "filters": model.n_filters,
            "training": model.training,
        }
        for section, headline in _columns(report):
            result = model.results.get(section.analyzer)
            row |= {name: None if result is None else result.summary.get(name) for name in headline.numbers}
        rows.append(row)
    numbers = [name for _, headline in _columns(report) for name in headline.numbers]
    table = pd.DataFrame(rows, columns=["model", "architecture", "classes", "filters", "training", *numbers])
    table[numbers] = table[numbers].astype(float)
    table["filters"] = table["filters"].astype("Int64")
    return table


def first_table_as_shown(report: Report) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The same as text, and which cells are bold: the best of a headline, if its interval lies above all others'.

    Nothing is bold among models of different classes or architectures, nor among several seeds of a training, where it
    would be the luckiest.
    """
    numbers = first_table(report)
    columns = {"Model": "model", "Architecture": "architecture", "C": "classes", "K": "filters", "Training": "training"}
    cells = pd.DataFrame({title: numbers[name].map(cell) for title, name in columns.items()}, dtype=object)
    bold = pd.DataFrame(False, index=cells.index, columns=cells.columns)
    alike = len({(model.class_names, model.architecture) for model in report.models}) == 1
    comparable = alike and len(report.models) > 1 and not seeds_of(report.models).several
    for _, headline in _columns(report):
        values = numbers[headline.number]
        cells[headline.column] = values.map(cell)
        bold[headline.column] = False
        if comparable and headline.best and headline.interval is not None:
            low, high = (numbers[end] for end in headline.interval)
            bold[headline.column] = [bool((low[i] > high.drop(i)).all()) for i in numbers.index]
        if headline.interval is not None:
            cells[headline.interval_column] = _intervals(numbers, *headline.interval, form=headline.interval_form)
            bold[headline.interval_column] = False
    return cells, bold


def _columns(report: Report) -> list[tuple[Section, Headline]]:
    """The headlines that have a column, of the analyses that ran, each column once: the paper's first, in its order."""
    ran = {name for model in report.models for name in model.results}
    sections = [section for section in report.sections if section.analyzer in ran]
    order = {analyzer: place for place, analyzer in enumerate(TABLE_1)}
    sections.sort(key=lambda section: order.get(section.analyzer, len(order)))
    columns: dict[str, tuple[Section, Headline]] = {}
    for section in sections:
        for headline in section.about.headlines:
            if headline.column:  # two analyses may declare one number, so that each has it when it runs alone
                columns.setdefault(headline.column, (section, headline))
    return list(columns.values())


def _intervals(numbers: pd.DataFrame, low: str, high: str, *, form: str) -> list[str]:
    pairs = zip(numbers[low], numbers[high], strict=True)
    return [DASH if pd.isna(a) or pd.isna(b) else f"[{a:{form}}, {b:{form}}]" for a, b in pairs]


def measured(report: Report) -> pd.DataFrame:
    """All numbers of all summaries, one row per number (`number`), one column per model; None: not measured."""
    rows = []
    for section in report.presented():
        results = {model.name: model.results.get(section.analyzer) for model in report.models}
        names = dict.fromkeys(name for result in results.values() if result is not None for name in result.summary)
        for name in names:
            values = {model: None if r is None else r.summary.get(name) for model, r in results.items()}
            rows.append({"number": f"{section.analyzer}: {name}", **values})
    return pd.DataFrame(rows, columns=["number", *(model.name for model in report.models)], dtype=object)


def has_headlines(report: Report) -> bool:
    """Whether the first table shows headlines; also if no analysis ran, so that there are none."""
    return bool(_columns(report)) or not any(model.results for model in report.models)


def headline_table(report: Report) -> ShownTable:
    """The first table: the headlines, or all numbers if no analysis that ran declares any."""
    if not has_headlines(report):
        table = measured(report)
        numeric = [False] + [True] * len(report.models)
        return shown_table(table, numeric=numeric, caption="What was measured, one number per row.")
    cells, bold = first_table_as_shown(report)
    for each in report.refused:
        cells.loc[len(cells)] = [each.name, "not analysed", *[DASH] * (len(cells.columns) - 2)]
        bold.loc[len(bold)] = False
    return shown_table(cells, best=bold, numeric=[name not in TEXT_COLUMNS for name in cells], caption=_caption(report))


def _caption(report: Report) -> str:
    columns = _columns(report)
    phrases = "; ".join(dict.fromkeys(section.about.caption for section, _ in columns if section.about.caption))
    best = any(headline.best and headline.interval for _, headline in columns)
    bold = " In bold: what lies above all others beyond the intervals." if best and len(report.models) > 1 else ""
    return f"{phrases[:1].upper()}{phrases[1:]}.{bold}" if phrases else bold.strip()


def headline(report: Report) -> str:
    """The first table as plain text for a terminal or a log, without a newline at the end."""
    return plain_text(headline_table(report), turn=True)
