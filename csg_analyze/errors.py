"""What can go wrong on the user's side, said in one sentence.

`UsageError` ends a command with exit code 2; `NotAvailable` makes one analyzer skipped, with its reason; `TooFew` and
`Overwritten` do the one where only that analyzer was asked for, and the other in a report of several.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class UsageError(Exception):
    """What the user gave cannot be used. The message says what was found and what to do about it."""


class NotAvailable(Exception):
    """A model or a dataset does not have what an analyzer asks for (a gate, masks). The message is the reason."""


class TooFew(UsageError, NotAvailable):
    """Too little is left to say anything. Ends the command that asks for this analyzer alone; a report goes on."""


class Overwritten(UsageError, NotAvailable):
    """Code from elsewhere wrote into what all analyzers share. Ends and goes on as TooFew does."""


def unknown(kind: str, name: str, candidates: Iterable[str]) -> UsageError:
    """The error for a name that does not exist: suggests the nearest candidate, else lists them all."""
    known = sorted(candidates)
    close = get_close_matches(name.lower(), known, n=1, cutoff=0.5)
    hint = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known)}."
    return UsageError(f"unknown {kind} {name!r}; {hint}")
