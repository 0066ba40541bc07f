"""The options of the detection, read and checked."""

from __future__ import annotations

import numpy as np

from csg_analyze.analyzers.adversarial.detection import SplitProtocol
from csg_analyze.analyzers.adversarial.detectors import NewDetector, detector_named
from csg_analyze.analyzers.adversarial.study import FeatureColumns
from csg_analyze.errors import UsageError, unknown
from csg_analyze.metrics.adversarial import Attacks

SIZES, PAPER_SIZES = "100,200,400", "500,1000,2000"
"""Numbers of training images, by default and in the paper."""


def training_sizes(typed: str | None, test_size: int, protocol: SplitProtocol) -> tuple[int, ...]:
    """The sizes in --train-sizes. Raises UsageError for unusable ones."""
    typed = typed if typed is not None else PAPER_SIZES if protocol == "paper" else SIZES
    try:
        sizes = tuple(dict.fromkeys(int(part) for part in typed.split(",") if part.strip()))
    except ValueError:
        sizes = ()
    if not sizes or min(sizes) < 4 or test_size < 4:
        raise UsageError(
            f"--train-sizes needs whole numbers of at least 4, separated by commas, e.g. {PAPER_SIZES}, and "
            f"--test-size one; not {typed!r} and {test_size}."
        )
    return sizes


def maker_of(name: str) -> NewDetector:
    """The function that makes a new detector. Raises UsageError for a name that is no classifier."""
    try:
        return detector_named(name)
    except ValueError as error:
        raise UsageError(f"--detector: {error}") from error


def columns_of(attacks: Attacks, layers: str | None) -> FeatureColumns:
    """The features of the named layers. Raises UsageError, suggesting the nearest, for an unknown convolution."""
    widths = attacks.layers
    names = list(widths) if layers is None else [name.strip() for name in layers.split(",") if name.strip()]
    for name in names:
        if name not in widths:
            raise unknown("convolution", name, widths)
    if not names:
        raise UsageError("--layers names no convolution.")
    chosen = [np.full(width, name in names) for name, width in widths.items()]
    return FeatureColumns(np.concatenate(chosen), {name: width for name, width in widths.items() if name in names})
