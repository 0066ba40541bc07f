"""What a report found, in sentences with numbers and intervals: its first ten lines.

They are made of the claims that analyses declare beside their headlines (`about.Claim`), a third party's included.
"""

from __future__ import annotations

import fnmatch
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from csg_analyze.about import Claim, Headline
from csg_analyze.metrics.statistics import Mean
from csg_analyze.paper import TABLE_1
from csg_analyze.report.document import JSON, ModelReport, Report, Section, anchor_of
from csg_analyze.report.seeds import Pair, mean_of, seeds_of, twin_differences, value_of
from csg_analyze.wording import shortened

MOST = 10
"""Largest number of sentences, so that a reader has the answer at a glance."""
MOST_MODELS = 6
"""Largest number of models in one sentence."""

Verdict = Literal["shown", "no difference shown", "the other way", "not tested", "measured"]
"""What an interval of a difference says of a claim: it lies on the claim's side of 0, holds 0, lies on the other side;
there is none, as each training has one seed; or nothing is compared."""


@dataclass(frozen=True)
class Answer:
    """One sentence. analyzer: whose section it links to. number: its name in the summary.

    difference, low, high: the mean difference over seeds and its 95 % interval (Student's t); NaN where nothing is
    compared. relative: the same three as shares of the first group's mean; None where that is 0 or changes its sign.
    """

    text: str
    verdict: Verdict
    analyzer: str
    number: str
    label: str = ""
    difference: float = float("nan")
    low: float = float("nan")
    high: float = float("nan")
    relative: tuple[float, float, float] | None = None

    @property
    def anchor(self) -> str:
        """Where the section is on the page."""
        return anchor_of(self.analyzer)

    @property
    def document(self) -> dict[str, JSON]:
        """For the summary document."""
        return {
            "text": self.text, "verdict": self.verdict, "analyzer": self.analyzer, "number": self.number,
            "difference": self.difference, "low": self.low, "high": self.high,
        }  # fmt: skip


def answers(report: Report) -> tuple[Answer, ...]:
    """At most ten sentences: differences of twins over their seeds, else what was measured of every model.

    Every analysis has its first sentence before any has its second, and the paper's Table 1 comes first.
    """
    pairs = seeds_of(report.models).pairs
    by_analysis = [list(_of_section(report, section, pairs)) for section in _in_order(report)]
    ranked = [answer for rank in range(MOST) for each in by_analysis for answer in each[rank : rank + 1]]
    chosen = {id(answer) for answer in ranked[:MOST]}
    return tuple(answer for each in by_analysis for answer in each if id(answer) in chosen)


def _in_order(report: Report) -> list[Section]:
    order = {analyzer: place for place, analyzer in enumerate(TABLE_1)}
    return sorted(report.presented(), key=lambda section: order.get(section.analyzer, len(order)))


def _of_section(report: Report, section: Section, pairs: tuple[Pair, ...]) -> Iterator[Answer]:
    """Claim by claim, pair by pair: the most important first."""
    for headline in section.about.headlines:
        claim = headline.claim
        if claim is None:
            continue
        for name in _names(report, section, headline):
            own = _named(claim, headline.number, name)
            if pairs:
                for pair in pairs:
                    yield from _compared(pair, section, name, own)
            else:
                yield from _measured(report, section, name, replace(headline, claim=own))


def _names(report: Report, section: Section, headline: Headline) -> list[str]:
    """The numbers of the summaries that a headline means."""
    results = [model.results[section.analyzer] for model in report.models if section.analyzer in model.results]
    return list(dict.fromkeys(name for result in results for name in fnmatch.filter(result.summary, headline.number)))


def _named(claim: Claim, pattern: str, name: str) -> Claim:
    """The claim with what * stands for in its texts: `pgd` and `1000` of `pgd/error_percent@1000`."""
    match = re.fullmatch("(.*)".join(map(re.escape, pattern.split("*"))), name)
    parts = match.groups() if match else ()
    return replace(claim, subject=claim.subject.format(*parts), label=(claim.label or claim.subject).format(*parts))


def _compared(pair: Pair, section: Section, name: str, claim: Claim) -> Iterator[Answer]:
    differences = twin_differences(pair, section.analyzer, name)
    mean = mean_of(differences.values())
    if not mean.n:
        return
    std, csg = (
        mean_of(value_of(group.models[seed], section.analyzer, name) for seed in differences).mean
        for group in (pair.std, pair.csg)
    )
    verdict = _verdict(claim, mean)
    undecided = verdict in ("no difference shown", "not tested")
    verb = "changes" if undecided else "raises" if mean.mean > 0 else "lowers"
    times = f" {csg / std:.2f} times," if claim.ratio and not undecided and std > 0 and csg > 0 else ""
    interval = f" {claim.ends(mean.low, mean.high, signed=True)}" if mean.n > 1 else ""
    text = (
        f"{pair.csg.label} {verb} {claim.subject}{times} from {claim.written(std)} to {claim.written(csg)} "
        f"({claim.change(mean.mean)}{interval}, {mean.n} seed{'s' * (mean.n > 1)})"
    )
    relative = (mean.mean / std, mean.low / std, mean.high / std) if std > 0 else None
    yield Answer(
        text, verdict, section.analyzer, name, f"{pair.csg.label}: {claim.label}", mean.mean, mean.low, mean.high,
        relative,
    )  # fmt: skip


def _verdict(claim: Claim, mean: Mean) -> Verdict:
    if mean.n < 2:
        return "not tested"
    if mean.low <= 0 <= mean.high:
        return "no difference shown"
    return "shown" if (mean.low > 0) == (claim.better == "higher") else "the other way"


def _measured(report: Report, section: Section, name: str, headline: Headline) -> Iterator[Answer]:
    values = [_of_model(model, section.analyzer, name, headline) for model in report.models]
    shown = [text for text in values if text]
    if shown and headline.claim is not None:
        more = f" and {len(shown) - MOST_MODELS} more" if len(shown) > MOST_MODELS else ""
        subject = headline.claim.subject
        text = f"{subject[:1].upper()}{subject[1:]}: {'; '.join(shown[:MOST_MODELS])}{more}"
        yield Answer(text, "measured", section.analyzer, name)


def _of_model(model: ModelReport, analyzer: str, name: str, headline: Headline) -> str:
    """`.8800 [.8019, .9300] (csg)`; empty if the model has no such number."""
    value, claim = value_of(model, analyzer, name), headline.claim
    if math.isnan(value) or claim is None:
        return ""
    ends = [value_of(model, analyzer, end) for end in headline.interval or ()]
    interval = f" {claim.ends(*ends, signed=False)}" if ends and not any(map(math.isnan, ends)) else ""
    return f"{claim.written(value)}{interval} ({shortened(model.name, 24)})"
