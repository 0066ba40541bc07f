"""Errors on the user's side, each with a message of one sentence.

`UsageError` ends a command with exit code 2. `NotAvailable` makes the report skip one analyzer, with the reason.
`TooFew`, `NoConvolution` and `Overwritten` end the command of a single analyzer, and skip the analyzer in a report of
several.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class UsageError(Exception):
    """The user's input cannot be used. The message names the value and a remedy."""


class NotAvailable(Exception):
    """A model or a dataset lacks an input of an analyzer (a gate, masks). The message is the reason."""


class TooFew(UsageError, NotAvailable):
    """Too few samples for an analysis."""


class NoConvolution(UsageError, NotAvailable):
    """A network without the convolution that an analysis looks at."""


class Overwritten(UsageError, NotAvailable):
    """A third party's code changed values that all analyzers share."""


def unknown(kind: str, name: str, candidates: Iterable[str]) -> UsageError:
    """The error for an unknown name: suggests the nearest candidate, or else lists all."""
    names = sorted(candidates)
    close = get_close_matches(name.lower(), names, n=1, cutoff=0.5)
    hint = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(names)}."
    return UsageError(f"unknown {kind} {name!r}; {hint}")
