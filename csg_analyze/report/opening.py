"""The opening of a report: its answers, and the figure beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from csg_analyze.plots.differences import relative_differences
from csg_analyze.report.answers import Answer, answers
from csg_analyze.report.document import Report
from csg_analyze.report.ledger import Ledger
from csg_analyze.report.sections import DrawnFigure, drawn
from csg_analyze.wording import shortened

MARKERS = {"shown": "o", "no difference shown": "s", "the other way": "X", "not tested": "D"}
CAPTION = (
    "The differences of the sentences on the left, each as a share of STD's mean, with 95 % intervals over seeds "
    "(Student's t)."
)
READING = (
    "shown: the 95 % interval of the difference over seeds lies on the side to which a training for class-specific "
    "filters is said to move the number. the other way: it lies on the other side. no difference shown: it holds 0, "
    "which does not show that there is no difference. not tested: one seed each, so that there is no interval over "
    "trainings. The intervals are not corrected for their number."
)


@dataclass(frozen=True)
class Opening:
    """answers: at most ten sentences. reading: what their marks mean; empty without marks. figure: None if nothing is
    compared over seeds."""

    answers: tuple[Answer, ...]
    reading: str = ""
    figure: DrawnFigure | None = None


def write_opening(report: Report, ledger: Ledger) -> Opening:
    """The answers, and their figure written to its files."""
    found = answers(report)
    marked = any(answer.verdict != "measured" for answer in found)
    with_share = [answer for answer in found if answer.relative is not None]
    figure = _figure(with_share, ledger) if len(with_share) > 1 else None
    return Opening(found, READING if marked else "", figure)


def _figure(found: Sequence[Answer], ledger: Ledger) -> DrawnFigure:
    rows = pd.DataFrame(
        [(shortened(answer.label, 44), *(answer.relative or ()), answer.verdict) for answer in found],
        columns=["place", "mean", "low", "high", "kind"],
    )
    kinds = {kind: marker for kind, marker in MARKERS.items() if kind in set(rows["kind"])}
    return drawn(relative_differences(rows, kinds), ledger.name("answers"), CAPTION, ledger)
