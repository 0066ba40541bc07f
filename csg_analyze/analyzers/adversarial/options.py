"""The options of the detection, read and checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from csg_analyze.analyzers.adversarial.detection import SplitProtocol, sources_needed
from csg_analyze.analyzers.adversarial.detectors import NewDetector, detector_named
from csg_analyze.analyzers.adversarial.study import FeatureColumns
from csg_analyze.errors import UsageError, unknown
from csg_analyze.metrics.adversarial import Attacks

STEP = 2.3
"""Cost of a step of an attack, in forward passes: one pass forward, and one back to the pixels."""
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


def passes_of_attacks(names: str, settings: Mapping[str, Any], bounds: int = 1) -> float:
    """Forward passes per attacked image, of the attacks whose steps are known. bounds: of bounded attacks, how many."""
    searches, steps = settings.get("cw_searches") or 5, settings.get("cw_steps") or 100
    known = {"fgsm": bounds, "pgd": bounds * settings.get("pgd_steps", 40), "cw": searches * steps}
    steps_of_all: int = sum(known.get(name.strip().lower(), 0) for name in names.split(","))
    return STEP * steps_of_all


def passes_of_robustness(settings: Mapping[str, Mapping[str, Any]], n: int) -> float:
    """See `about.Passes`. Fewer images are left to attack with every larger bound."""
    own = settings["robustness"]
    bounds = len(own["eps"].split(","))
    attacked: int = min(n, own["n_images"])
    return attacked * passes_of_attacks(own["attack"], settings["attacks"], bounds)


def passes_of_detection(settings: Mapping[str, Mapping[str, Any]], n: int) -> float:
    """See `about.Passes`; if every attack succeeds."""
    own = settings["adv-detect"]
    try:
        sizes = training_sizes(own["train_sizes"], own["test_size"], own["protocol"])
    except UsageError:  # which the analysis will say
        return 0.0
    sources = min(n, sources_needed(own["protocol"], max(sizes), own["test_size"]))
    again = own["test_size"] / 2 * passes_of_attacks("pgd", settings["attacks"]) if own["adaptive"] else 0.0
    return sources * passes_of_attacks(own["attack"], settings["attacks"]) + again
