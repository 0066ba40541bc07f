"""Tables: Table 1, the tables of all models in one, and how both are written (CSV, LaTeX, terminal)."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import fastparquet
import pandas as pd
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from csg_analyze.paper import TABLE_1
from csg_analyze.report.document import ModelReport, Report
from csg_analyze.report.seeds import different_numbers_of_images
from csg_analyze.result import CAPTION, Result
from csg_analyze.wording import DASH, cell

LATEX_ROWS, LATEX_EXCERPT = 2_000, 50
"""A longer table is excerpted in LaTeX: nobody typesets it, and its CSV has every row."""

TEXT_COLUMNS = ("Model", "Architecture", "Training")


def table_1(models: Sequence[ModelReport]) -> pd.DataFrame:
    """Table 1 of the paper in full precision, a row a model; what a model does not have is missing."""
    rows = []
    for model in models:
        row: dict[str, object] = {
            "model": model.name,
            "architecture": model.architecture,
            "classes": model.n_classes,
            "filters": model.n_filters,
            "training": model.training,
        }
        for column, (analyzer, name) in TABLE_1.items():
            result = model.results.get(analyzer)
            row[column] = None if result is None else result.summary.get(name)
        rows.append(row)
    table = pd.DataFrame(rows, columns=["model", "architecture", "classes", "filters", "training", *TABLE_1])
    numbers = list(TABLE_1)
    table[numbers] = table[numbers].astype(float)
    table["filters"] = table["filters"].astype("Int64")
    return table


def table_1_as_shown(models: Sequence[ModelReport]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Table 1 as text, and which of its cells are bold: the best accuracy and MIS where models differ.

    No MIS is bold among models analysed on different numbers of images: it depends on that number.
    """
    numbers = table_1(models)
    cells = pd.DataFrame(
        {
            "Model": numbers["model"].map(cell),
            "Architecture": numbers["architecture"].map(cell),
            "C": numbers["classes"].map(cell),
            "K": numbers["filters"].map(cell),
            "Training": numbers["training"].map(cell),
            "Accuracy": numbers["accuracy"].map(cell),
            "95 % interval": _intervals(numbers, "accuracy_low", "accuracy_high", ".4f"),
            "MIS": numbers["mis"].map(cell),
            "Chance": numbers["mis_chance"].map(cell),
            "L1-density": numbers["l1_density"].map(cell),
            "L1-interval": _intervals(numbers, "interval_low", "interval_high", ".4g"),
        },
        dtype=object,
    )
    bold = pd.DataFrame(False, index=cells.index, columns=cells.columns)
    if len({model.class_names for model in models}) > 1:
        return cells, bold  # the best at different tasks is no best
    comparable = [("Accuracy", "accuracy")] + ([] if different_numbers_of_images(models) else [("MIS", "mis")])
    for column, name in comparable:
        rounded = numbers[name].round(4)  # two equal texts of which one is bold would look like a mistake
        bold[column] = (rounded == rounded.max()) & (rounded.max() > rounded.min())
    return cells, bold


def _intervals(numbers: pd.DataFrame, low: str, high: str, form: str) -> list[str]:
    pairs = zip(numbers[low], numbers[high], strict=True)
    return [DASH if pd.isna(a) or pd.isna(b) else f"[{a:{form}}, {b:{form}}]" for a, b in pairs]


def headline(report: Report) -> str:
    """Table 1 as plain text for a terminal or a log, without a newline at the end.

    Where no analyzer ran that fills it, the summaries of those that did, a row a number and a column a model.
    """
    return plain_text(headline_table(report) if fills_table_1(report) else summary_table(report))


def fills_table_1(report: Report) -> bool:
    """Whether anything in Table 1 was measured; a report of which nothing ran has it as well, all dashes."""
    ran = {name for model in report.models for name in model.results}
    return not ran or any(analyzer in ran for analyzer, _ in TABLE_1.values())


def measured(report: Report) -> pd.DataFrame:
    """Every number of every analyzer's summary, a row a number (`number`) and a column a model; None: not measured."""
    rows = []
    for section in report.presented():
        results = {model.name: model.results.get(section.analyzer) for model in report.models}
        names = dict.fromkeys(name for result in results.values() if result is not None for name in result.summary)
        for name in names:
            values = {model: None if r is None else r.summary.get(name) for model, r in results.items()}
            rows.append({"number": f"{section.analyzer}: {name}", **values})
    return pd.DataFrame(rows, columns=["number", *(model.name for model in report.models)], dtype=object)


def summary_table(report: Report) -> Table:
    """What was measured, for `rich`."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("")
    for model in report.models:
        table.add_column(Text(cell(model.name)), justify="right")
    for values in as_cells(measured(report)).to_numpy():
        table.add_row(*(Text(value) for value in values))
    return table


def plain_text(table: Table) -> str:
    """A table of `rich` without colour or trailing blanks."""
    stream = io.StringIO()
    Console(file=stream, width=400, color_system=None, force_terminal=False).print(table)
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines() if line.strip())


def headline_table(report: Report) -> Table:
    """Table 1 for `rich`, the best accuracy and MIS in bold; names are shown as they are, never as markup."""
    cells, bold = table_1_as_shown(report.models)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in cells.columns:
        table.add_column(column, justify="left" if column in TEXT_COLUMNS else "right")
    for values, weights in zip(cells.to_numpy(), bold.to_numpy(), strict=True):
        table.add_row(*(Text(value, "bold" if heavy else "") for value, heavy in zip(values, weights, strict=True)))
    return table


def joined(results: Mapping[str, Result], name: str) -> pd.DataFrame:
    """The table `name` of every model that has it, one below the other, with the model's name in front."""
    return stacked({model: result.tables[name] for model, result in results.items() if name in result.tables})


def stacked(frames: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Frames one below the other, with their names in a first column `model`; a named index becomes columns.

    Their captions are kept: one that all share as it is, others behind the name of their model.
    """
    parts = []
    for model, frame in frames.items():
        named = any(name is not None for name in frame.index.names)
        part = frame.reset_index(drop=not named).rename(columns={"model": "model (analyzer)"})
        part.insert(0, "model", model)
        parts.append(part)
    table = pd.concat(parts, ignore_index=True)
    captions = {model: str(frame.attrs[CAPTION]) for model, frame in frames.items() if frame.attrs.get(CAPTION)}
    alike = len(captions) == len(frames) and len(set(captions.values())) == 1
    by_model = " ".join(f"{model}: {caption}" for model, caption in captions.items())
    table.attrs = {CAPTION: next(iter(captions.values())) if alike else by_model} if captions else {}
    return table


def first_rows(table: pd.DataFrame, rows: int = 20) -> pd.DataFrame:
    """About `rows` rows of a joined table: the first of every model, so that models can be compared."""
    if len(table) <= rows:
        return table
    each = max(5, rows // max(1, table["model"].nunique()))
    return table.groupby("model", sort=False).head(each)


def as_cells(table: pd.DataFrame) -> pd.DataFrame:
    """A table as text, cell by cell (`cell`)."""
    return pd.DataFrame({name: [cell(value) for value in table[name]] for name in table.columns}, dtype=object)


def write_csv(table: pd.DataFrame, path: Path) -> None:
    """Every row in full precision."""
    table.to_csv(path, index=False, lineterminator="\n", errors="backslashreplace")


def write_parquet(table: pd.DataFrame, path: Path) -> None:
    """Every row, each column in its own type; the same bytes for the same table."""
    texts = [name for name in table.columns if pd.api.types.is_string_dtype(table[name])]
    # names of files may hold bytes that are no text, which Parquet refuses
    clean = {name: table[name].map(_as_text, na_action="ignore") for name in texts}
    fastparquet.write(str(path), table.assign(**clean), compression="ZSTD", write_index=False)


def _as_text(value: object) -> str:
    return str(value).encode("utf-8", "backslashreplace").decode("utf-8")


def write_latex(table: pd.DataFrame, path: Path, *, bold: pd.DataFrame | None = None, align: str = "") -> None:
    """A booktabs tabular to be \\input into a paper, everything escaped; `bold` has the shape of `table`.

    align: "l" or "r" a column; numbers to the right by default. Of more than 2,000 rows only the first 50 are
    written, and a comment says so.
    """
    lines = ["% needs \\usepackage{booktabs} and \\usepackage[T1]{fontenc}"]
    align = align or "".join("r" if is_number(table[name]) else "l" for name in table.columns)
    if len(table) > LATEX_ROWS:
        lines.append(f"% the first {LATEX_EXCERPT} of {len(table)} rows; all of them are in {path.stem}.csv")
        table = table.head(LATEX_EXCERPT)
    cells = as_cells(table).replace(DASH, "--")
    styler = cells.style.hide(axis="index").format(escape="latex").format_index(escape="latex", axis="columns")
    if bold is not None:
        weights = bold.loc[table.index].map(lambda heavy: "textbf:--rwrap;" if heavy else "")
        styler = styler.apply(lambda _: weights, axis=None)
    path.write_text("\n".join([*lines, styler.to_latex(hrules=True, column_format=align)]), encoding="utf-8")


def is_number(column: pd.Series) -> bool:
    """Whether a column holds numbers, and is therefore set flush right."""
    return pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
