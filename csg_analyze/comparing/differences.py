"""The difference of one number in two reports, and whether it lies beyond its interval."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from csg_analyze.comparing.reading import Headline, Written
from csg_analyze.metrics.statistics import paired_difference

Way = Literal["samples", "intervals", ""]


@dataclass(frozen=True)
class Difference:
    """A number of one model in two reports, as second minus first.

    a, b: the values as written, None if missing. low, high: the 95 % interval of the difference, NaN if it has none.
    way: "samples": paired, image by image; "intervals": from the two intervals, as if independent. headline: whether
    the analysis declares the number as one.
    """

    model: str
    analyzer: str
    number: str
    a: float | str | bool | None
    b: float | str | bool | None
    difference: float = math.nan
    low: float = math.nan
    high: float = math.nan
    way: Way = ""
    headline: bool = False

    @property
    def equal(self) -> bool:
        """Whether both reports wrote the same value."""
        return self.a == self.b and type(self.a) is type(self.b)

    @property
    def differs(self) -> bool | None:
        """Whether the difference lies beyond its interval; None if it is not zero and has no interval."""
        if self.equal:
            return False
        return None if math.isnan(self.low) or math.isnan(self.high) else not self.low <= 0 <= self.high


def number_differences(
    name: str,
    a: Written,
    b: Written,
    first: Mapping[str, Any],
    second: Mapping[str, Any],
    *,
    one_task: bool = True,
) -> list[Difference]:
    """All numbers of the analyses that both reports ran on a model. first, second: the model in each summary.

    one_task: whether both have the same classes; otherwise no difference has an interval.
    """
    declared = {(h.analyzer, h.number): h for h in (*b.headlines, *a.headlines)}
    found = []
    for analyzer in [each for each in first["results"] if each in second["results"]]:
        results = first["results"][analyzer], second["results"][analyzer]
        columns = _Columns(a, b, analyzer, str(first["name"]), str(second["name"]))
        for number in dict.fromkeys((*results[0], *results[1])):
            values = results[0].get(number), results[1].get(number)
            headline = declared.get((analyzer, number))
            if _is_number(values[0]) and _is_number(values[1]):
                interval = _interval(results, number, headline, columns) if one_task else (math.nan, math.nan, "")
                low, high, way = interval
                difference = values[1] - values[0]
                entry = Difference(name, analyzer, number, *values, difference, low, high, way, headline is not None)
            else:
                entry = Difference(name, analyzer, number, *values, headline=headline is not None)
            found.append(entry)
    return found


def _interval(
    results: tuple[Mapping[str, Any], Mapping[str, Any]], number: str, headline: Headline | None, columns: _Columns
) -> tuple[float, float, Way]:
    a, b = (result[number] for result in results)
    pair = columns.of(a, b)
    if pair is not None:
        _, low, high = paired_difference(pair[1], pair[0])
        return low, high, "samples"
    ends_of_a, ends_of_b = (_ends(result, headline) for result in results)
    if ends_of_a is None or ends_of_b is None:
        return math.nan, math.nan, ""
    # Newcombe: each side of the difference's interval from the sides that face it, as if independent
    a_low, a_high = ends_of_a
    b_low, b_high = ends_of_b
    return b - a - math.hypot(b - b_low, a_high - a), b - a + math.hypot(b_high - b, a - a_low), "intervals"


def _ends(result: Mapping[str, Any], headline: Headline | None) -> tuple[float, float] | None:
    if headline is None or headline.low is None or headline.high is None:
        return None
    ends = result.get(headline.low), result.get(headline.high)
    return (float(ends[0]), float(ends[1])) if _is_number(ends[0]) and _is_number(ends[1]) else None  # type: ignore[arg-type]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


class _Columns:
    """The columns of samples of one analysis that are the same images in both reports, as floats."""

    def __init__(self, a: Written, b: Written, analyzer: str, first: str, second: str) -> None:
        self.columns: list[tuple[np.ndarray, np.ndarray]] = []
        left, right = a.samples(analyzer), b.samples(analyzer)
        if left is None or right is None:
            return
        of_model = [_of(left, first), _of(right, second)]
        ids = [frame["sample_id"].tolist() for frame in of_model]
        # an analysis with several rows an image has no number that is the mean of a column
        if not ids[0] or ids[0] != ids[1] or len(set(ids[0])) < len(ids[0]):
            return
        for column in of_model[0].columns.intersection(of_model[1].columns):
            pair = [frame[column] for frame in of_model]
            if all(pd.api.types.is_bool_dtype(each) or pd.api.types.is_float_dtype(each) for each in pair):
                first_values, second_values = (each.to_numpy(np.float64) for each in pair)
                if np.isfinite(first_values).all() and np.isfinite(second_values).all():
                    self.columns.append((first_values, second_values))

    def of(self, a: float, b: float) -> tuple[np.ndarray, np.ndarray] | None:
        """The one column whose means are these two numbers, (n,) each; None if no column or several have them."""
        fitting = [pair for pair in self.columns if _is_mean(pair[0], a) and _is_mean(pair[1], b)]
        alike = all(np.array_equal(pair, fitting[0]) for pair in fitting)
        return fitting[0] if fitting and alike else None


def _of(frame: pd.DataFrame, model: str) -> pd.DataFrame:
    # in an order that does not depend on the report
    return frame[frame["model"] == model].sort_values("sample_id", kind="stable").reset_index(drop=True)


def _is_mean(values: np.ndarray, number: float) -> bool:
    return abs(float(values.mean()) - number) < 1e-9
