"""Texts on an analysis for the reader of a report and of `--help`, declared beside its function.

Docstrings are for developers.
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

    number: its name in the summary; * matches any part, as in "*/error_percent@*". column: its name in the report's
    first table; empty: the number is only in the tables over seeds. interval: the names of its two ends in the summary,
    shown in a column `interval_column` in the format `interval_form`. best: the value that is bold in the first table
    if models differ.
    """

    number: str
    column: str = ""
    interval: tuple[str, str] | None = None
    interval_column: str = "95 % interval"
    interval_form: str = ".4f"
    best: Literal["highest"] | None = None

    @property
    def numbers(self) -> tuple[str, ...]:
        """Names in the summary: of the number, and of the ends of its interval."""
        return (self.number, *(self.interval or ()))


@dataclass(frozen=True)
class About:
    """title: the heading of its section. summary: one sentence, also for lists. measures: what is measured, in detail.
    reading: how the numbers are to be read.

    measures and reading: paragraphs, separated by empty lines; text between backticks is shown as code. caption: a
    phrase on the headlines, for the caption of the report's first table.
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
    """A decorator that declares the texts on an analysis; see `About`."""

    def declare(function: Function) -> Function:
        setattr(function, ATTRIBUTE, About(title, summary, measures, reading, caption, tuple(headlines)))
        return function

    return declare


def about_of(name: str, function: Callable[..., Any]) -> About:
    """The texts declared for a function; without any, its title is the first line of the docstring, or its name."""
    declared = getattr(function, ATTRIBUTE, None)
    if isinstance(declared, About):
        return declared
    first = (inspect.getdoc(function) or "").partition("\n")[0]
    return About(re.sub(r"\s*\([^)]*\)", "", first).rstrip(".") or name)
