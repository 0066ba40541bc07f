"""Texts on an analysis for the reader of a report and of `--help`, declared beside its function.

Docstrings are for developers.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])
ATTRIBUTE = "__about__"

Passes: TypeAlias = "Callable[[Mapping[str, Mapping[str, Any]], int], float]"
"""How many images the network is run on, forward or back, by the options of all analyzers and inputs and the number of
images in the data: the larger part of the time that an analysis takes."""


@dataclass(frozen=True)
class Claim:
    """How a difference of a number is put into a sentence at the top of a report.

    subject: the number's name within a sentence; {} stands for what * matches in the headline's number. label: the same
    in three words, for the figure beside; by default the subject. better:
    the side on which a training for class-specific filters is said to be. percent: whether it is a share, written in
    percent. ratio: whether the sentence says how many times as large it is.
    """

    subject: str
    better: Literal["higher", "lower"]
    percent: bool = False
    ratio: bool = False
    label: str = ""

    def written(self, value: float) -> str:
        """A value: `.219`, `91.1 %`."""
        return f"{100 * value:.1f} %" if self.percent else f"{value:.4f}"

    def change(self, value: float) -> str:
        """A difference of two values: `+.0718`, `-0.30 points`."""
        return f"{100 * value:+.2f} points" if self.percent else f"{value:+.4f}"

    def ends(self, low: float, high: float, *, signed: bool) -> str:
        """An interval in the same unit, without naming it."""
        form = f"{'+' if signed else ''}{'.2f' if self.percent else '.4f'}"
        scale = 100 if self.percent else 1
        return f"[{format(scale * low, form)}, {format(scale * high, form)}]"


@dataclass(frozen=True)
class Headline:
    """A number of a summary that a report shows first.

    number: its name in the summary; * matches any part, as in "*/error_percent@*". column: its name in the report's
    first table; empty: the number is only in the tables over seeds. interval: the names of its two ends in the summary,
    shown in a column `interval_column` in the format `interval_form`. best: the value that is bold in the first table
    if its interval lies beyond those of all others. claim: for the sentences at the top of a report; None: there is
    none on this number.
    """

    number: str
    column: str = ""
    interval: tuple[str, str] | None = None
    interval_column: str = "95 % interval"
    interval_form: str = ".4f"
    best: Literal["highest"] | None = None
    claim: Claim | None = None

    @property
    def numbers(self) -> tuple[str, ...]:
        """Names in the summary: of the number, and of the ends of its interval."""
        return (self.number, *(self.interval or ()))


@dataclass(frozen=True)
class About:
    """title: the heading of its section. summary: one sentence, also for lists. measures: what is measured, in detail.
    reading: how the numbers are to be read.

    measures and reading: paragraphs, separated by empty lines; text between backticks is shown as code. caption: a
    phrase on the headlines, for the caption of the report's first table. passes: for an estimate of the time, if the
    analysis runs the network itself.
    """

    title: str
    summary: str = ""
    measures: str = ""
    reading: str = ""
    caption: str = ""
    headlines: tuple[Headline, ...] = ()
    passes: Passes | None = None

    @property
    def help(self) -> str:
        """Title and paragraphs as plain text, for a command's help."""
        return "\n\n".join([f"{self.title}.", *self.paragraphs]).replace("`", "")

    @property
    def paragraphs(self) -> tuple[str, ...]:
        """Summary, what is measured, how to read it: each paragraph on one line."""
        texts = (self.summary, self.measures, self.reading)
        parts = re.split(r"\n\s*\n", "\n\n".join(map(inspect.cleandoc, texts)))
        return tuple(" ".join(part.split()) for part in parts if part.strip())


def about(
    title: str,
    summary: str,
    *,
    measures: str = "",
    reading: str = "",
    caption: str = "",
    headlines: Sequence[Headline] = (),
    passes: Passes | None = None,
) -> Callable[[Function], Function]:
    """A decorator that declares the texts on an analysis; see `About`."""

    def declare(function: Function) -> Function:
        setattr(function, ATTRIBUTE, About(title, summary, measures, reading, caption, tuple(headlines), passes))
        return function

    return declare


def about_of(name: str, function: Callable[..., Any]) -> About:
    """The texts declared for a function; without any, its title is the first line of the docstring, or its name."""
    declared = getattr(function, ATTRIBUTE, None)
    if isinstance(declared, About):
        return declared
    first = (inspect.getdoc(function) or "").partition("\n")[0]
    return About(re.sub(r"\s*\([^)]*\)", "", first).rstrip(".") or name)
