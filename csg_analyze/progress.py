"""Progress on stderr: a bar on a terminal, a line every ten seconds elsewhere; the time that every stage took."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")
Track = Callable[[Iterable[T], str, int], Iterable[T]]
"""Passes the items of an iterable on and shows progress: (iterable, description, total) -> iterable."""
SECONDS_BETWEEN_LINES = 10.0
WORTH_A_LINE = 1.0
"""Seconds from which the time of a stage is said."""


def printable(text: str) -> str:
    """Text for a terminal: characters that would move the cursor, colour or hide text are written as escapes."""
    return "".join(c if c.isprintable() or c in "\n\t" else repr(c)[1:-1] for c in text)


def say(line: str) -> None:
    """Print one line for the user on stderr; stdout is for results."""
    print(printable(line), file=sys.stderr, flush=True)


class Progress:
    """Shows how far a long computation is.

    Called, it passes the items of an iterable on, see `Track`. `working` is open while a stage runs; one at a time.
    """

    speaks = True
    """Whether anything is shown."""

    def __init__(self) -> None:
        self.stage = ""
        self.spoke = time.monotonic()

    def __call__(self, iterable: Iterable[T], description: str, total: int) -> Iterator[T]:
        """Pass the items on and show how many of `total` are done, and the time left."""
        if sys.stderr.isatty():
            from rich.markup import escape
            from rich.progress import track as bar

            from csg_analyze.console import stderr_console

            yield from bar(iterable, escape(printable(description)), total, console=stderr_console(), transient=True)
            return
        stage = f"{self.stage}: " if self.stage else ""
        start = last = time.monotonic()
        for done, item in enumerate(iterable):
            now = time.monotonic()
            if now - last >= SECONDS_BETWEEN_LINES:
                last = self.spoke = now
                left = (now - start) / done * (total - done) if done else 0.0
                say(f"{stage}{description}: {done} of {total} ({done / total:.0%}), about {left:.0f} s left")
            yield item

    @contextmanager
    def working(self, stage: str, what: str) -> Iterator[None]:
        """While open: a sign of life every ten seconds that nothing else is said; afterwards, the time it took.

        stage: for people, which of how many ("csg: mis, 3 of 11"). what: is being computed ("activations").
        """
        ended = threading.Event()
        start = self.spoke = time.monotonic()
        self.stage = stage
        alive = threading.Thread(target=self._signs_of_life, args=(f"{stage}: {what}", start, ended), daemon=True)
        alive.start()
        try:
            yield
        finally:
            self.stage = ""
            ended.set()
            alive.join()
        seconds = time.monotonic() - start
        if seconds >= WORTH_A_LINE:
            say(f"{stage}: {what} took {seconds:.1f} s")

    def _signs_of_life(self, text: str, start: float, ended: threading.Event) -> None:
        while not ended.wait(max(0.05, self.spoke + SECONDS_BETWEEN_LINES - time.monotonic())):
            now = time.monotonic()
            if now - self.spoke >= SECONDS_BETWEEN_LINES and not sys.stderr.isatty():
                self.spoke = now
                say(f"{text}, {now - start:.0f} s so far")


class Silent(Progress):
    """Passes the items on without progress."""

    speaks = False

    def __call__(self, iterable: Iterable[T], description: str, total: int) -> Iterator[T]:
        """The items."""
        yield from iterable

    @contextmanager
    def working(self, stage: str, what: str) -> Iterator[None]:
        """Nothing."""
        yield


class Timed:
    """Progress that also notes what every loop over images took. seconds: by description, of loops that ended."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.seconds: dict[str, float] = {}

    def __call__(self, iterable: Iterable[T], description: str, total: int) -> Iterator[T]:
        """As `Progress`."""
        start = time.perf_counter()
        yield from self.progress(iterable, description, total)
        self.seconds[description] = self.seconds.get(description, 0.0) + time.perf_counter() - start


track = Progress()
untracked = Silent()
