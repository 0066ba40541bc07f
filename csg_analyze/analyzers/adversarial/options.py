"""What the options of the detection analysis mean, and which values have no meaning."""

from __future__ import annotations

import numpy as np

from csg_analyze.analyzers.adversarial.detection import Protocol
from csg_analyze.analyzers.adversarial.detectors import Make, detector_named
from csg_analyze.analyzers.adversarial.study import (
    Columns,
)
from csg_analyze.errors import UsageError, unknown
from csg_analyze.metrics.adversarial import Attacks

PAPER_SIZES = "500,1000,2000"


SIZES = "100,200,400"


def training_sizes(typed: str | None, test_size: int, protocol: Protocol) -> tuple[int, ...]:
    """The sizes of --train-sizes. Raises UsageError for what are no sizes."""
    typed = typed if typed is not None else PAPER_SIZES if protocol == "paper" else SIZES
    try:
        sizes = tuple(dict.fromkeys(int(part) for part in typed.split(",") if part.strip()))
    except ValueError:
        sizes = ()
    if not sizes or min(sizes) < 4 or test_size < 4:
        raise UsageError(
            f"--train-sizes needs whole numbers from 4 on with commas between, e.g. {PAPER_SIZES}, and --test-size "
            f"one; not {typed!r} and {test_size}."
        )
    return sizes


def maker_of(name: str) -> Make:
    """What makes a new detector. Raises UsageError for what is no classifier."""
    try:
        return detector_named(name)
    except ValueError as error:
        raise UsageError(f"--detector: {error}") from error


def columns_of(attacks: Attacks, layers: str | None) -> Columns:
    """The features of the named layers. Raises UsageError, suggesting the nearest, for what is no convolution."""
    every = attacks.layers
    names = list(every) if layers is None else [name.strip() for name in layers.split(",") if name.strip()]
    for name in names:
        if name not in every:
            raise unknown("convolution", name, every)
    if not names:
        raise UsageError("--layers names no convolution.")
    chosen = [np.full(width, name in names) for name, width in every.items()]
    return Columns(np.concatenate(chosen), {name: width for name, width in every.items() if name in names})
