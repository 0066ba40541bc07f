"""Tables as LaTeX: compiled where an engine is installed, and within the width of a text."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from csg_analyze.report.document import Report
from csg_analyze.report.folder import write_report
from csg_analyze.report.latex import TEXT_WIDTH, write_latex
from csg_analyze.report.latex_text import MATHEMATICS, SPECIAL, SYMBOLS, latex_text

HOSTILE = [
    r"_ & % # ~ ^ \ { } $x_1$ \input{/etc/passwd} \end{tabular}",
    "[a bracket] or *a star* behind the end of a row",
    "x" * 200,
    "under_scores/and-slashes" * 8,
    "two words " * 20,
    "猫和狗",
    "قطة سوداء",
    "emoji 🐱👩‍👩‍👧 and a flag 🇩🇪",
    "Ångström, naïve façade, Łódź, Žižek, Straße, İstanbul, ığĞ, Việt Nam",
    "±×÷≥≤≠≈−–—…·°µ²³ αβγ Ω → ∞ “quoted” ‘so’ \"so\" `so` ''so'' --so--",
    "".join(map(chr, range(32, 127))),
    "".join([*SPECIAL, *SYMBOLS, *MATHEMATICS]),
    "combining e\u0301 and alone \u0301 and \u200b\u202e nothing",
    "",
]


def hostile_tables() -> dict[str, pd.DataFrame]:
    n = len(HOSTILE)
    numbers = pd.DataFrame(np.linspace(-1, 1, n * 12).reshape(n, 12), columns=[f"number {i}" for i in range(12)])
    return {
        "narrow": pd.DataFrame({"name": HOSTILE}),
        "wide": pd.concat([pd.DataFrame({"name": HOSTILE, "class": HOSTILE[::-1]}), numbers], axis=1),
        "titles": pd.DataFrame({name or "-": [-0.5] for name in HOSTILE}),
        "no_keys": pd.concat([pd.DataFrame({"same": ["x"] * n}), numbers * 0], axis=1),
        "long": pd.DataFrame({"name": HOSTILE[3:6] * 30, "n": range(90)}),
        "no_rows": pd.DataFrame({"a": [], "b": []}),
        "nothing": pd.DataFrame(),
    }


@pytest.mark.parametrize("engine", ["pdflatex", "lualatex"])
def test_every_table_compiles_and_fits_the_text(engine: str, report: Report, tmp_path: Path) -> None:
    if shutil.which(engine) is None:
        pytest.skip(f"no {engine}")
    write_report(report, tmp_path / "report", light=True)
    for name, table in hostile_tables().items():
        bold = pd.DataFrame(True, index=table.index, columns=table.columns)
        write_latex(table, tmp_path / f"{name}.tex", bold=bold)
    names = [path.relative_to(tmp_path).with_suffix("") for path in sorted(tmp_path.rglob("*.tex"))]
    assert len(names) == 7 + 4
    encoding = r"\usepackage[T1]{fontenc}\usepackage{lmodern}" if engine == "pdflatex" else ""
    tables = "\n\n".join(rf"\input{{{name.as_posix()}}}" for name in names)
    (tmp_path / "paper.tex").write_text(
        rf"\documentclass{{article}}{encoding}\usepackage{{booktabs,array,longtable}}"
        rf"\begin{{document}}\typeout{{width \the\textwidth}}{tables}\end{{document}}"
    )
    command = [engine, "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
    log = (tmp_path / "paper.log").read_text(errors="replace")
    assert done.returncode == 0, log[-3000:]
    assert f"width {TEXT_WIDTH}pt" in log
    assert re.findall(r"Overfull.*|Missing character.*", log) == []


def test_a_wide_table_is_split_and_every_part_says_which_row_is_which(tmp_path: Path) -> None:
    table = pd.DataFrame({"model": ["a", "a", "b"], "attack": ["x", "y", "x"]})
    for place in range(30):
        table[f"number {place}"] = [0.125, 0.25, 0.5]
    write_latex(table, tmp_path / "t.tex")
    parts = re.findall(r"\\toprule\n(.*?)\\bottomrule", (tmp_path / "t.tex").read_text(), re.DOTALL)
    assert len(parts) > 2
    assert all(part.startswith("model & attack & number") for part in parts)
    assert all(part.count("\nb & x & 0.5000") == 1 for part in parts)
    assert [f"number {place}" for place in range(30)] == re.findall(r"number \d+", "".join(parts))


def test_names_without_a_font_can_be_given_one_by_the_paper(tmp_path: Path) -> None:
    write_latex(pd.DataFrame({"class": ["猫"]}), tmp_path / "t.tex")
    text = (tmp_path / "t.tex").read_text()
    assert r"\providecommand{\csgunicode}[2]{#2}" in text
    assert r"\csgunicode{猫}{U+732B} \\" in text


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("-0.5 [-.5, -0.25] 1e-05", r"\ensuremath{-}0.5 [\ensuremath{-}.5, \ensuremath{-}0.25] 1e-05"),
        ("CSG - STD, csg-seed0 − std-seed0", r"CSG \ensuremath{-} STD, csg-seed0 \ensuremath{-} std-seed0"),
        ("a--b", "a-{}-b"),
        ("0.5 ± 0.1 ≥ é", r"0.5 ± 0.1 \ensuremath{\geq} \'{e}"),
        ('"', r"\symbol{34}"),
    ],
)
def test_texts(text: str, written: str) -> None:
    assert latex_text(text) == written


@given(st.text())
def test_no_character_of_a_text_is_a_command_of_its_own(text: str) -> None:
    written = re.sub(r"\\csgunicode\{[^\x00-\x7f]*\}\{[U+0-9A-F ]+\}", "", latex_text(text))
    written = re.sub(r"\\ensuremath\{[^{}]*(\{[^{}]*\})?\}", "", written)
    written = re.sub(r"\\(?:[&%$#_{}]|[A-Za-z]+\{(?:\d+|[A-Za-z])?\}|['`^\"=.~]\{[A-Za-z]\})", "", written)
    assert written.replace("±", "").isascii()
    assert not set(r"\&%$#_^") & set(written)
    assert written.replace("{}", "").count("{") == written.replace("{}", "").count("}") == 0
