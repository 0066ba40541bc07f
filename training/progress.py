"""Progress of a training: a bar on a terminal, plain lines elsewhere, a CSV log, TensorBoard on request."""

from __future__ import annotations

import csv
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from types import TracebackType
from typing import Protocol

from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from csg_analyze.console import stderr_console
from csg_analyze.errors import UsageError
from csg_analyze.files import replacing
from csg_analyze.progress import say

SECONDS_BETWEEN_LINES = 20.0


@dataclass(frozen=True)
class Row:
    """One epoch in the log. epoch: counted from 1. lr: that of its last step. None: not measured.

    train_loss, train_accuracy: averages over the epoch's steps, augmentation included; the accuracy is the STD path's,
    but the gated path's in the CSG epochs of the alternate scheme. None, and lr 0, in an epoch of rest.
    """

    epoch: int
    path: str
    train_loss: float | None
    train_accuracy: float | None
    test_accuracy: float | None
    l1_density: float | None
    lr: float
    seconds: float


class Reporter(Protocol):
    """Who is told how a training goes. Entered before the first step, left after the last or on an error."""

    def __enter__(self) -> Reporter: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> object: ...

    def begin(self, done: int, total: int, epochs: int) -> None:
        """`done` of `total` steps were made before (0 unless resumed)."""
        ...

    def step(self, epoch: int, done: int, loss: float, accuracy: float, density: float | None) -> None:
        """Now and then: steps made of all, and the epoch (counted from 1) so far."""
        ...

    def epoch(self, row: Row) -> None:
        """After every epoch."""
        ...

    def say(self, line: str) -> None:
        """A sentence for the user."""
        ...


class Silent:
    """Says nothing; the other reporters override the methods by which they say something."""

    def __enter__(self) -> Reporter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> object:
        return None

    def begin(self, done: int, total: int, epochs: int) -> None:
        """Nothing."""

    def step(self, epoch: int, done: int, loss: float, accuracy: float, density: float | None) -> None:
        """Nothing."""

    def epoch(self, row: Row) -> None:
        """Nothing."""

    def say(self, line: str) -> None:
        """Nothing."""


class Lines(Silent):
    """Plain lines on stderr: one an epoch, and one every 20 s within a long one."""

    def begin(self, done: int, total: int, epochs: int) -> None:
        """Start the clock."""
        self.done = self.first = done
        self.total, self.epochs = total, epochs
        self.start = self.last = time.monotonic()

    def step(self, epoch: int, done: int, loss: float, accuracy: float, density: float | None) -> None:
        """A line if the last is long ago."""
        self.done = done
        if time.monotonic() - self.last >= SECONDS_BETWEEN_LINES:
            self._line(f"epoch {epoch}/{self.epochs}: {figures(loss, accuracy, density)}")

    def epoch(self, row: Row) -> None:
        """A line."""
        if row.path == "rest":  # steps that took no time tell nothing of how long the others take
            self.first += self.total // self.epochs
            self.done += self.total // self.epochs
        test = "" if row.test_accuracy is None else f", test accuracy {row.test_accuracy:.4f}"
        numbers = figures(row.train_loss, row.train_accuracy, row.l1_density)
        self._line(f"epoch {row.epoch}/{self.epochs} ({row.path}, {row.seconds:.0f} s): {numbers}{test}")

    def say(self, line: str) -> None:
        """The line."""
        say(line)

    def _line(self, text: str) -> None:
        self.last = time.monotonic()
        made = self.done - self.first
        if made:
            text += f", {clock((self.last - self.start) / made * (self.total - self.done))} left"
        say(text)


class Bar(Silent):
    """A progress bar on a terminal, over all steps of the training, with the last test accuracy."""

    def __init__(self) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(bar_width=8), TextColumn("{task.fields[numbers]}"))
        self.bar = Progress(*columns, TimeRemainingColumn(), console=stderr_console(), refresh_per_second=4)
        self.task: TaskID | None = None
        self.test = ""

    def __enter__(self) -> Reporter:
        self.bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> object:
        self.bar.stop()
        return None

    def begin(self, done: int, total: int, epochs: int) -> None:
        """Draw the bar."""
        self.epochs = epochs
        self.task = self.bar.add_task("starting", total=total, completed=done, numbers="")

    def step(self, epoch: int, done: int, loss: float, accuracy: float, density: float | None) -> None:
        """Move it on."""
        assert self.task is not None
        gate = "" if density is None else f"  density {density:.3f}"  # with the rest, 80 columns
        numbers = f"loss {loss:.3f}  acc {accuracy:.3f}{gate}{self.test}"
        self.bar.update(self.task, completed=done, description=f"epoch {epoch}/{self.epochs}", numbers=numbers)

    def epoch(self, row: Row) -> None:
        """Note the test accuracy."""
        if row.test_accuracy is not None:
            self.test = f"  test {row.test_accuracy:.3f}"

    def say(self, line: str) -> None:
        """The line, above the bar."""
        self.bar.console.print(line, markup=False, soft_wrap=True)


def figures(loss: float | None, accuracy: float | None, density: float | None) -> str:
    """`loss 0.123, accuracy 0.9876, density 0.1000`."""
    if loss is None or accuracy is None:
        return "nothing trained"
    gate = "" if density is None else f", density {density:.4f}"
    return f"loss {loss:.3f}, accuracy {accuracy:.4f}{gate}"


def clock(seconds: float) -> str:
    """`45 s`, `12 min`, `3.5 h`."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def reading(reporter: Reporter) -> Callable[[int, int], None]:
    """For `load_dataset`: says every 20 s how many images are read."""
    last = time.monotonic()

    def show(done: int, total: int) -> None:
        nonlocal last
        if time.monotonic() - last >= SECONDS_BETWEEN_LINES:
            last = time.monotonic()
            reporter.say(f"reading the data: {done} of {total} images")

    return show


def reporter_for(*, quiet: bool = False) -> Reporter:
    """A bar where stderr is a terminal, lines elsewhere, silence on request."""
    if quiet:
        return Silent()
    return Bar() if sys.stderr.isatty() else Lines()


def log_path(out: Path) -> Path:
    """Where the CSV log of the run that writes `out` lies."""
    return out.with_name(out.name + ".log.csv")


def write_log(path: Path, rows: Sequence[Row]) -> None:
    """Replace the log by these rows. It is written whole, so a resumed run's log has no gap and no double row."""
    with replacing(path) as temporary, temporary.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, [field.name for field in fields(Row)])
        writer.writeheader()
        writer.writerows(asdict(row) for row in rows)


class TensorBoard:
    """The log's columns as TensorBoard scalars. Raises UsageError where tensorboard is not installed."""

    def __init__(self, folder: Path, *, epochs_done: int) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise UsageError("--tensorboard needs the package tensorboard; pip install tensorboard.") from error
        # events after the last saved epoch of an interrupted run are dropped from view
        self.writer = SummaryWriter(str(folder), purge_step=epochs_done + 1)

    def epoch(self, row: Row) -> None:
        """Write one epoch."""
        columns: Mapping[str, object] = asdict(row)
        for name, value in columns.items():
            if isinstance(value, float):
                self.writer.add_scalar(name, value, row.epoch)

    def close(self) -> None:
        """Flush and close."""
        self.writer.close()
