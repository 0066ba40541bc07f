from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fastparquet import ParquetFile
from hypothesis import given
from hypothesis import strategies as st

from csg_analyze.report.document import ModelReport, Report
from csg_analyze.report.folder import write_report
from csg_analyze.report.headline import first_table, first_table_as_shown, headline
from csg_analyze.report.latex import write_latex
from csg_analyze.report.tables import first_rows, joined, stacked
from csg_analyze.report.writing import defused, original, write_csv, write_parquet
from csg_analyze.result import Result, Table
from csg_analyze.wording import cell


def test_table_1_holds_the_summaries_in_full_precision(report: Report) -> None:
    table = first_table(report)
    for index, model in enumerate(report.models):
        row = {column: table[column][index] for column in table.columns}
        accuracy, mis = model.results["accuracy"].summary, model.results["mis"].summary
        assert row["accuracy"] == accuracy["accuracy"]
        assert row["accuracy_low"] == accuracy["accuracy_low"]
        assert row["mis"] == mis["mis"]
        assert row["mis_chance"] == mis["mis_chance"]
        assert (row["classes"], row["filters"], row["training"]) == (3, 8, model.training)
    gate = table[["l1_density", "interval_low", "interval_high"]].to_numpy()
    np.testing.assert_array_equal(gate, [[np.nan] * 3, [0.1003, 1 / 3, 0.5]])


def test_table_1_as_shown(report: Report) -> None:
    cells, bold = first_table_as_shown(report)
    assert cells["Accuracy"].tolist() == ["0.9123", "0.9000"]
    assert cells["95 % interval"].tolist() == ["[0.8123, 0.9900]", "[0.8000, 0.9900]"]
    assert cells["MIS"].tolist() == ["0.1250", "0.2500"]
    assert list(cells.columns)[7:9] == ["MIS", "Chance"]
    assert cells["Chance"].tolist() == ["0.0043", "0.0043"]
    assert cells["L1-density"].tolist() == ["–", "0.1003"]
    assert cells["L1-interval"].tolist() == ["–", "[0.3333, 0.5]"]
    assert cells["K"].tolist() == ["8", "8"]
    assert not bold.to_numpy().any()  # the intervals of the accuracies overlap, and MIS has none


def with_accuracy(model: ModelReport, accuracy: float) -> ModelReport:
    """With an interval of half a point on both sides."""
    numbers = {"accuracy": accuracy, "accuracy_low": accuracy - 0.005, "accuracy_high": accuracy + 0.005}
    result = model.results["accuracy"]
    return replace(model, results={**model.results, "accuracy": replace(result, summary={**result.summary, **numbers})})


def test_what_lies_beyond_the_intervals_of_all_others_is_bold(report: Report) -> None:
    first, second = with_accuracy(report.models[0], 0.90), with_accuracy(report.models[1], 0.92)
    assert first_table_as_shown(replace(report, models=(first, second)))[1]["Accuracy"].tolist() == [False, True]
    third = replace(with_accuracy(first, 0.916), name="third")
    assert not first_table_as_shown(replace(report, models=(first, second, third)))[1].to_numpy().any()
    other = replace(second, architecture="another")
    assert not first_table_as_shown(replace(report, models=(first, other)))[1].to_numpy().any()


def test_nothing_is_best_alone_or_among_equals(report: Report) -> None:
    assert not first_table_as_shown(replace(report, models=report.models[:1]))[1].to_numpy().any()
    twin = replace(report.models[0], name="twin")
    assert not first_table_as_shown(replace(report, models=(report.models[0], twin)))[1].to_numpy().any()


def test_a_model_without_anything_is_a_row_of_dashes(report: Report) -> None:
    bare = replace(report.models[0], training=None, n_filters=None, results={})
    cells, bold = first_table_as_shown(replace(report, models=(bare,)))
    assert (cells.loc[0].iloc[3:] == "–").all()
    assert not bold.to_numpy().any()


def test_headline_is_plain_text_of_the_same_cells(report: Report) -> None:
    markup = replace(report.models[0], name="[bold]x[/bold]\x1b[31m\nred")
    text = headline(replace(report, models=(markup, report.models[1])))
    assert "[bold]x[/bold] [31m red" in text
    assert "\x1b" not in text
    first, second = text.split("\n\n")  # too wide for 80 columns: numbers are rows, and a model a part
    assert [" ".join(line.split()) for line in first.splitlines() if "MIS" in line] == ["MIS 0.1250"]
    assert [" ".join(line.split()) for line in second.splitlines() if "Acc" in line] == ["Accuracy 0.9000"]


def test_tables_of_several_models_in_one(report: Report) -> None:
    table = stacked({model.name: model.results["accuracy"].frame("per_class") for model in report.models})
    assert list(table.columns) == ["model", "class", "recall", "seen"]
    assert table["model"].tolist() == [report.models[0].name] * 3 + [report.models[1].name] * 3
    assert table["recall"].iloc[3] == 0.9


def test_stacking_loses_neither_index_nor_columns() -> None:
    indexed = pd.DataFrame({"model": [1, 2]}, index=pd.Index(["x", "y"], name="key"))
    table = stacked({"a": indexed, "b": pd.DataFrame({"only b": [3.5]})})
    assert list(table.columns) == ["model", "key", "model (analyzer)", "only b"]
    assert table["key"].tolist()[:2] == ["x", "y"]
    assert table["only b"].tolist()[2] == 3.5


def test_a_run_without_the_numbers_of_table_1_shows_its_own(report: Report) -> None:
    first, second = report.models
    other = Result({"error": 0.25, "worst": "cat"})
    models = (replace(first, results={"detect": other}), replace(second, results={}))
    lines = headline(replace(report, models=models, sections=())).splitlines()
    assert [line.split() for line in lines[2:]] == [
        ["detect:", "error", "0.2500", "–"],
        ["detect:", "worst", "cat", "–"],
    ]
    assert "Accuracy" not in lines[0]
    assert "Accuracy" in headline(report)


def test_captions_survive_stacking() -> None:
    def caption(**texts: str) -> str:
        tables = {model: Table(pd.DataFrame({"n": [1]}), text) for model, text in texts.items()}
        return joined({model: Result({}, {"t": table}) for model, table in tables.items()}, "t").caption

    assert caption(a="All.", b="All.") == "All."
    assert caption(a="One.", b="Two.") == "a: One. b: Two."
    assert caption(a="One.", b="") == "a: One."
    assert caption(a="") == ""


def test_the_first_rows_are_those_of_every_model() -> None:
    table = stacked({name: pd.DataFrame({"row": range(100)}) for name in "ab"})
    rows = first_rows(table, 20)
    assert [(name, row) for name in "ab" for row in range(10)] == list(zip(rows["model"], rows["row"], strict=True))
    assert len(first_rows(table.head(20), 20)) == 20


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (np.nan, "–"),
        (pd.NA, "–"),
        (0.5, "0.5000"),
        (0.0, "0.0000"),
        (-1.23456, "-1.2346"),
        (1.5e-7, "1.5e-07"),
        (1.5e9, "1.5e+09"),
        (float("inf"), "inf"),
        (np.float32(0.25), "0.2500"),
        (12, "12"),
        (np.int64(12), "12"),
        (True, "yes"),
        (np.bool_(False), "no"),
        ("two\nlines\x1b[0m", "two lines [0m"),
        ([1, 2], "[1, 2]"),
    ],
)
def test_cells(value: object, text: str) -> None:
    assert cell(value) == text


@given(st.text())
def test_a_cell_is_one_printable_line(text: str) -> None:
    assert cell(text).isprintable()
    assert len(cell(text)) == len(text)


def test_csv_keeps_every_digit(tmp_path: Path) -> None:
    table = pd.DataFrame({"x": [1 / 3, np.nan], "name": ['a,"b"\n', "\udcff"]}, dtype=object)
    write_csv(table, tmp_path / "t.csv")
    back = pd.read_csv(tmp_path / "t.csv")
    assert back["x"][0] == 1 / 3
    assert back["name"][0] == 'a,"b"\n'


FORMULAS = ["=1+1", "+cmd", "-x", "@SUM(1)", "\tx", "\n=1", "＝1", "'=1", "''-x", '=HYPERLINK("http://x")']


def test_no_text_of_a_csv_is_run_as_a_formula_and_numbers_stay_numbers(tmp_path: Path) -> None:
    harmless = ["x=1", "'quoted'", "-1", "+2.5e-3", "", "a-b"]
    texts = [*FORMULAS, *harmless]
    table = pd.DataFrame({"=name": texts, "n": np.linspace(-1, 1, len(texts)), "mixed": [-0.5, "=1"] * 8})
    table["few"] = pd.Categorical(["-x", "y\rz"] * 8)
    write_csv(table, tmp_path / "t.csv")
    back = pd.read_csv(tmp_path / "t.csv", keep_default_na=False, dtype={"'=name": str, "mixed": object})
    assert list(back.columns) == ["'=name", "n", "mixed", "few"]
    assert back["n"].tolist() == table["n"].tolist()
    assert back["'=name"].tolist() == [*("'" + text for text in FORMULAS), *harmless]
    assert [original(text) for text in back["'=name"]] == texts
    assert back["mixed"].tolist() == ["-0.5", "'=1"] * 8
    assert back["few"].tolist() == ["'-x", "y\nz"] * 8
    assert table["=name"].tolist() == texts


@given(st.text(alphabet="'=+-@1a\t\n "))
def test_the_text_behind_a_defused_cell_can_be_had_back(text: str) -> None:
    safe = defused(text)
    assert isinstance(safe, str)
    assert safe[:1] not in "=@\t\n" or not safe
    assert original(safe) == text or safe == text


def test_latex_escapes_everything(tmp_path: Path) -> None:
    table = pd.DataFrame({"na_me": ["a & b", "100 % $x_1$ #1 {~^} \\input{x}"], "n": [0.5, np.nan]})
    bold = pd.DataFrame({"na_me": [False, True], "n": [True, False]})
    write_latex(table, tmp_path / "t.tex", bold=bold)
    text = (tmp_path / "t.tex").read_text()
    body = text[text.index(r"\begin") :]
    assert r"\begin{tabular}{lr}" in body
    assert all(rule in body for rule in (r"\toprule", r"\midrule", r"\bottomrule"))
    assert r"na\_me & n \\" in body
    assert r"a \& b & \textbf{0.5000} \\" in body
    assert r"\textbf{100 \% \$x\_1\$ \#1 \{" in body
    assert r"\input" not in body
    assert body.count("--") == 1


@pytest.mark.parametrize(("rows", "written"), [(2_000, 2_000), (2_001, 50)])
def test_latex_of_a_huge_table_is_an_excerpt(tmp_path: Path, rows: int, written: int) -> None:
    write_latex(pd.DataFrame({"row": range(rows)}), tmp_path / "t.tex")
    text = (tmp_path / "t.tex").read_text()
    assert text.count("\\\\\n") == written + 1
    assert ("the first 50 of 2001 rows; all of them are in t.csv" in text) == (rows > written)


def test_results_may_have_different_tables(report: Report) -> None:
    results = {"a": Result({}, {"t": Table(pd.DataFrame({"x": [1]}))}), "b": Result({})}
    assert joined(results, "t").frame["model"].tolist() == ["a"]


def test_parquet_keeps_types_and_takes_any_name(tmp_path: Path) -> None:
    names = pd.Series(["a", "b\udcff"], dtype=object)  # where pyarrow is installed, pandas' own type has no such text
    table = pd.DataFrame({"sample_id": names, "ok": [True, False], "n": [1, 2], "text": ["x", None]})
    table["score"] = pd.Series([0.1, np.nan], dtype=np.float32)
    write_parquet(table, tmp_path / "a.parquet")
    write_parquet(table, tmp_path / "b.parquet")
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    read = ParquetFile(tmp_path / "a.parquet").to_pandas()
    assert read["sample_id"].tolist() == ["a", "b\\udcff"]
    assert read["text"].isna().tolist() == [False, True]
    assert (read["ok"].dtype, read["n"].dtype, read["score"].dtype) == (bool, np.int64, np.float32)
    assert read["score"][0] == np.float32(0.1)


def test_a_report_without_table_1_opens_with_what_it_measured(report: Report, tmp_path: Path) -> None:
    """No table of dashes: a row a number, a column a model, on every page and in the files."""
    other = {"robustness": Result({"pgd@2/255/robust_accuracy": 0.25, "n": 200})}
    models = (replace(report.models[0], results=other, skipped={}), replace(report.models[1], results={}, skipped={}))
    write_report(replace(report, models=models, sections=()), tmp_path / "out")
    table = pd.read_csv(tmp_path / "out" / "tables" / "table1.csv")
    assert table["number"].tolist() == ["robustness: pgd@2/255/robust_accuracy", "robustness: n"] * 2
    assert table["model"].tolist() == [models[0].name] * 2 + [models[1].name] * 2
    assert table["value"].tolist()[:2] == [0.25, 200]
    assert table["value"][2:].isna().all()
    page, text = ((tmp_path / "out" / name).read_text() for name in ("index.html", "report.md"))
    assert "What was measured, one number per row." in page
    assert "What was measured, one number per row." in text
    assert "Accuracy with its 95 % interval" not in page
    assert "0.2500" in text
