"""Tables over all compared models: Table 3, and paired differences of detection and robustness."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy as np
import pandas as pd

from csg_analyze.metrics.statistics import mcnemar, paired_difference, paired_difference_of_rates
from csg_analyze.result import Result, Table


def table_3(models: Mapping[str, Result]) -> Table:
    """Table 3: mean error in % by attack, model and number of training images; the lowest in bold."""
    parts = []
    for model, result in models.items():
        wide = result.frame("detection").pivot_table(
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
        rounded = rows[size].round(2)  # of two equal texts, one in bold would look like a mistake
        bold.loc[rows.index, size] = (rounded == rounded.min()) & (rounded.max() > rounded.min())
    caption = "Mean error rate (%) of the detector by number of training images; the lowest of all models is bold."
    long = pd.concat([each.frame("detection").assign(model=m) for m, each in models.items()], ignore_index=True)
    tidy = long[["attack", "model", "train_size", "error_percent"]]
    return Table(table, " ".join([caption, *_shortfalls(models), *_settings(models)]), best=bold, tidy=tidy)


def _shortfalls(models: Mapping[str, Result]) -> list[str]:
    """The detectors with fewer training images than their column says."""
    fewer = [
        f"{model}, {row['attack']}: {row['n_train']} instead of {row['train_size']} training images."
        for model, result in models.items()
        for row in result.frame("detection").to_dict("records")
        if row["n_train"] < row["train_size"]
    ]
    return ["Too few adversarial samples:", *fewer] if fewer else []


def _settings(models: Mapping[str, Result]) -> list[str]:
    return [f"{model}: {result.tables['detection'].caption}" for model, result in models.items()]


def compare_detection(first: Result, second: Result) -> Table:
    """Error of the second model minus that of the first, with the largest training set of Table 3."""
    left, right = _samples(first, second)
    rows = []
    for attack in dict.fromkeys(left["attack"]):
        judgements = [_judged(frame[frame["attack"] == attack]) for frame in (right, left)]
        counts = pd.concat(judgements, axis=1).fillna(0.0).sort_index().to_numpy()  # sources tested in either model
        both = int(((counts[:, 1] > 0) & (counts[:, 3] > 0)).sum())
        rows.append((attack, len(counts), both, *paired_difference_of_rates(counts[:, :2], counts[:, 2:])))
    table = pd.DataFrame(rows, columns=["attack", "n_sources", "n_in_both", "error_difference", "low", "high"])
    table[["error_difference", "low", "high"]] *= 100
    caption = (
        "Difference of the errors in Table 3, in percentage points, with the largest training set. The 95 % interval "
        "is a paired bootstrap over the n_sources sources whose images were tested in either model; both models share "
        "the draws and keep their detectors."
    )
    return Table(table, caption)


def _judged(samples: pd.DataFrame) -> pd.DataFrame:
    """One row per tested source: how many of its images were judged wrongly, and how many were judged."""
    tested = samples[samples["judged"] > 0].set_index("sample_id")
    return pd.DataFrame({"wrong": tested["error"] * tested["judged"], "judged": tested["judged"]})


def compare_robustness(first: Result, second: Result) -> Table:
    """Robust accuracy of the second model minus that of the first, on the images that all classify correctly."""
    left, right = (frame[frame["common"]] for frame in _samples(first, second))
    rows = []
    for prefix, quantity in ((ROBUST, "robust accuracy"), (MINIMAL, "minimal L2")):
        for column in (name for name in map(str, left) if name.startswith(prefix) and name in right):
            both = _together(left, right, column)
            robust_on = (both[f"{column}_{side}"].to_numpy(bool) for side in ("second", "first"))
            p_value = mcnemar(*robust_on) if prefix == ROBUST else np.nan
            rows.append((column.removeprefix(prefix), quantity, len(both), *_difference(both, column), p_value))
    table = pd.DataFrame(rows, columns=["attack", "quantity", "n", "difference", "low", "high", "mcnemar_p"])
    caption = (
        "On the images that all compared models classify correctly (minimal L2: those where the attack succeeded on "
        "both); 95 % paired bootstrap interval, and the exact p-value of McNemar's test."
    )
    return Table(table, caption)


ROBUST, MINIMAL = "robust ", "minimal_l2 "
"""Prefixes of columns in the samples of `robustness`; the attack and its bound follow."""


def _samples(*results: Result) -> list[pd.DataFrame]:
    """The samples of each result, one row per image; both analyzers always have them."""
    frames = [result.samples for result in results if result.samples is not None]
    assert len(frames) == len(results)
    return frames


def _difference(both: pd.DataFrame, column: str) -> tuple[float, float, float]:
    """Second minus first over the images of `_together`: mean, low, high."""
    second, first = (both[f"{column}_{side}"].to_numpy(float) for side in ("second", "first"))
    return paired_difference(second, first)


def _together(left: pd.DataFrame, right: pd.DataFrame, column: str) -> pd.DataFrame:
    """One row per image with a value in both: `column`_first and `column`_second."""
    both = left[["sample_id", column]].merge(
        right[["sample_id", column]], on="sample_id", suffixes=("_first", "_second")
    )
    return both.dropna()
