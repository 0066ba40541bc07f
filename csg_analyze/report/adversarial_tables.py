"""Tables over all compared models: Table 3, and paired differences of detection and robustness."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy as np
import pandas as pd

from csg_analyze.metrics.paired import mcnemar, paired_difference
from csg_analyze.result import BOLD, CAPTION, Result


def table_3(models: Mapping[str, Result]) -> pd.DataFrame:
    """Table 3: mean error in % of every attack, model and number of training images; the lowest in bold."""
    parts = []
    for model, result in models.items():
        wide = result.tables["detection"].pivot_table(
            index="attack", columns="train_size", values="error_percent", sort=False
        )
        wide.columns = [f"{size}" for size in wide.columns]
        parts.append(wide.reset_index().assign(model=model))
    table = pd.concat(parts, ignore_index=True)
    attacks = list(dict.fromkeys(table["attack"]))
    order = sorted(range(len(table)), key=lambda row: attacks.index(table["attack"][row]))
    sizes = [column for column in table.columns if column not in ("attack", "model")]
    table = table.loc[order, ["attack", "model", *sizes]].reset_index(drop=True)
    bold = pd.DataFrame(False, index=table.index, columns=table.columns)
    for size, (_, rows) in itertools.product(sizes, table.groupby("attack")):
        rounded = rows[size].round(2)  # two equal texts of which one is bold would look like a mistake
        bold.loc[rows.index, size] = (rounded == rounded.min()) & (rounded.max() > rounded.min())
    caption = "Mean error rate (%) of the detector by number of training images; the lowest of the models in bold."
    table.attrs = {CAPTION: " ".join([caption, *_shortfalls(models), *_settings(models)]), BOLD: bold}
    return table


def _shortfalls(models: Mapping[str, Result]) -> list[str]:
    """Which detectors had fewer training images than their column says."""
    fewer = [
        f"{model}, {row['attack']}: {row['n_train']} instead of {row['train_size']} training images."
        for model, result in models.items()
        for row in result.tables["detection"].to_dict("records")
        if row["n_train"] < row["train_size"]
    ]
    return ["For want of adversarial samples:", *fewer] if fewer else []


def _settings(models: Mapping[str, Result]) -> list[str]:
    return [f"{model}: {result.tables['detection'].attrs[CAPTION]}" for model, result in models.items()]


def compare_detection(models: Mapping[str, Result]) -> pd.DataFrame:
    """Error of every model minus that of the first, over the sources that were tested in both."""
    rows = []
    for first, second, left, right in _pairs(models):
        for attack in dict.fromkeys(left["attack"]):
            both = _together(left[left["attack"] == attack], right[right["attack"] == attack], "error")
            difference, low, high = paired_difference(
                *(100 * both[f"error_{side}"].to_numpy() for side in ("second", "first"))
            )
            rows.append((f"{second} − {first}", attack, len(both), difference, low, high))
    table = pd.DataFrame(rows, columns=["comparison", "attack", "n_sources", "error_difference", "low", "high"])
    table.attrs[CAPTION] = (
        "Difference in error, in percentage points, with the largest training set, over the sources whose images were "
        "tested in both models (a source counts once, by its mean over the repeats); 95 % paired bootstrap interval."
    )
    return table


def compare_robustness(models: Mapping[str, Result]) -> pd.DataFrame:
    """Robust accuracy of every model minus that of the first, on the images that all of them classify correctly."""
    rows = []
    for first, second, left, right in _pairs(models):
        for column in [name for name in left.columns if name.startswith(ROBUST)]:
            if column not in right:
                continue
            common = _together(left[left["common"]], right[right["common"]], column)
            a, b = (common[f"{column}_{side}"].to_numpy(bool) for side in ("second", "first"))
            difference, low, high = paired_difference(a.astype(float), b.astype(float))
            rows.append((f"{second} − {first}", column.removeprefix(ROBUST), "robust accuracy", len(common),
                         difference, low, high, mcnemar(a, b)))  # fmt: skip
        for column in [name for name in left.columns if name.startswith(MINIMAL)]:
            if column not in right:
                continue
            common = _together(left[left["common"]], right[right["common"]], column)
            difference, low, high = paired_difference(
                *(common[f"{column}_{side}"].to_numpy() for side in ("second", "first"))
            )
            rows.append((f"{second} − {first}", column.removeprefix(MINIMAL), "minimal L2", len(common),
                         difference, low, high, np.nan))  # fmt: skip
    columns = ["comparison", "attack", "quantity", "n", "difference", "low", "high", "mcnemar_p"]
    table = pd.DataFrame(rows, columns=columns)
    table.attrs[CAPTION] = (
        "On the images that all compared models classify correctly (minimal L2: those where the attack succeeded on "
        "both); 95 % paired bootstrap interval, and the exact p-value of McNemar's test."
    )
    return table


ROBUST, MINIMAL = "robust ", "minimal_l2 "
"""How the columns of robustness' samples begin, before the attack and its bound."""


def _pairs(models: Mapping[str, Result]) -> list[tuple[str, str, pd.DataFrame, pd.DataFrame]]:
    """The first model with every other one: names and samples."""
    samples = {model: result.samples for model, result in models.items() if result.samples is not None}
    (first, left), *others = samples.items()
    return [(first, second, left, right) for second, right in others]


def _together(left: pd.DataFrame, right: pd.DataFrame, column: str) -> pd.DataFrame:
    """A row an image with a value in both: `column`_first and _second."""
    both = left[["sample_id", column]].merge(
        right[["sample_id", column]], on="sample_id", suffixes=("_first", "_second")
    )
    return both.dropna()
