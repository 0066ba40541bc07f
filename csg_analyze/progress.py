"""Progress on stderr: a bar on a terminal, a line every ten seconds elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")
Track = Callable[[Iterable[T], str, int], Iterable[T]]
"""Passes the items of an iterable on and shows progress: (iterable, description, total) -> iterable."""
SECONDS_BETWEEN_LINES = 10.0


def say(line: str) -> None:
    """Print one line for the user on stderr; stdout is for results."""
    print(line, file=sys.stderr, flush=True)


def track(iterable: Iterable[T], description: str, total: int) -> Iterator[T]:
    """Pass the items on and show how many of `total` are done, and the time left."""
    if sys.stderr.isatty():
        from rich.progress import track as bar

        from csg_analyze.console import stderr_console

        yield from bar(iterable, description, total=total, console=stderr_console(), transient=True)
        return
    start = last = time.monotonic()
    for done, item in enumerate(iterable):
        now = time.monotonic()
        if now - last >= SECONDS_BETWEEN_LINES:
            last = now
            left = (now - start) / done * (total - done) if done else 0.0
            say(f"{description}: {done} of {total}, about {left:.0f} s left")
        yield item


def untracked(iterable: Iterable[T], _description: str, _total: int) -> Iterable[T]:
    """Pass the items on without progress."""
    return iterable
