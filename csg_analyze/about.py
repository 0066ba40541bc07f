"""What a reader of a report is told of an analysis: declared beside its function, in plain English.

Docstrings are for developers; these texts stand in the report and in `--help`.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])
ATTRIBUTE = "__about__"


@dataclass(frozen=True)
class Headline:
    """A number of a summary that a report shows first.

    number: its name in the summary; a * stands for any part, as in "*/error_percent@*". column: what the report's first
    table calls it; empty: it stands among the numbers over seeds only. interval: the names of its two ends in the
    summary, shown in a column `interval_column` in the form `interval_form`. best: which value is
    bold in the first table where models differ.
    """

    number: str
    column: str = ""
    interval: tuple[str, str] | None = None
    interval_column: str = "95 % interval"
    interval_form: str = ".4f"
    best: Literal["highest"] | None = None

    @property
    def numbers(self) -> tuple[str, ...]:
        """The names in the summary: its own, and those of the interval's ends."""
        return (self.number, *(self.interval or ()))


@dataclass(frozen=True)
class About:
    """title: the heading of its section. summary: one sentence, also for lists. measures: what is measured, in detail.
    reading: how the numbers are to be read.

    measures and reading: paragraphs, apart by an empty line; text between backticks is shown as code. caption: a phrase
    that says what the headlines are, for the report's first table.
    """

    title: str
    summary: str = ""
    measures: str = ""
    reading: str = ""
    caption: str = ""
    headlines: tuple[Headline, ...] = ()

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
) -> Callable[[Function], Function]:
    """Declare, as a decorator, what a reader is told of an analysis; see `About`."""

    def declare(function: Function) -> Function:
        setattr(function, ATTRIBUTE, About(title, summary, measures, reading, caption, tuple(headlines)))
        return function

    return declare


def about_of(name: str, function: Callable[..., Any]) -> About:
    """What is declared of a function; without a declaration the first line of its docstring, or its name, as title."""
    declared = getattr(function, ATTRIBUTE, None)
    if isinstance(declared, About):
        return declared
    first = (inspect.getdoc(function) or "").partition("\n")[0]
    return About(re.sub(r"\s*\([^)]*\)", "", first).rstrip(".") or name)
