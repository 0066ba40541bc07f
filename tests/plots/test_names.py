from __future__ import annotations

import warnings
from pathlib import Path

import pandas as pd

from csg_analyze.plots.charts import dots_with_intervals
from csg_analyze.plots.style import save

NAMES = ["\u732b" * 200, "\u0642\u0637\u0629", "\U0001f98a fox", "x" * 200]


def test_names_in_any_script_and_of_any_length_give_a_figure_and_no_warning(tmp_path: Path) -> None:
    rows = pd.DataFrame({"class": NAMES, "recall": 0.5, "low": 0.4, "high": 0.6})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = dots_with_intervals(dict.fromkeys(NAMES, rows), category="class", value="recall", label="recall")
        assert save(figure, tmp_path, "names")
