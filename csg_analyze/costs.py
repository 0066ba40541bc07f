"""What analyses will roughly take, from one measured block and the number of passes that they declare."""

from __future__ import annotations

import time
from collections.abc import Mapping

import torch

from csg_analyze.checkpoints import Classifier
from csg_analyze.data import Dataset
from csg_analyze.inputs.blocks import block_size, filled, to_pixels
from csg_analyze.plan import Plan

WORTH_SAYING = 5.0
"""Seconds below which nothing is said, of all analyses together."""
MEASURED = 3
"""Passes over the block, the fastest of which counts: the first one also prepares the network."""


def estimated_seconds(classifier: Classifier, dataset: Dataset, plan: Plan) -> dict[str, float]:
    """By analyzer, for those that declare their passes with `about`, if nothing is kept from earlier runs.

    Empty if they take less than WORTH_SAYING in all, or if the network cannot be run.
    """
    settings = plan.settings
    declared = {step.name: step.about.passes(settings, len(dataset)) for step in plan.analyzers if step.about.passes}
    if not any(declared.values()):
        return {}
    try:
        each = seconds_of_an_image(classifier, dataset)
    except Exception:  # the analysis itself will say what is wrong
        return {}
    seconds = {name: each * passes for name, passes in declared.items()}
    return seconds if sum(seconds.values()) >= WORTH_SAYING else {}


def seconds_of_an_image(classifier: Classifier, dataset: Dataset) -> float:
    """Of one forward pass, measured on the first images of the data in a block of the usual size."""
    size = block_size(classifier.device, *dataset.image_size)
    pixels = to_pixels(filled(dataset.images[:size], size), classifier.device)
    taken = []
    with torch.no_grad():
        for _ in range(MEASURED):
            start = time.perf_counter()
            classifier.network(pixels).sum().item()  # waits for the device
            taken.append(time.perf_counter() - start)
    return min(taken) / size


def in_words(seconds: Mapping[str, float]) -> str:
    """`localize about 2 min, robustness about 40 s`; what takes less than a second is left out."""
    return ", ".join(f"{name} about {rounded(value)}" for name, value in seconds.items() if value >= 1)


def rounded(seconds: float) -> str:
    """One or two digits, as an estimate has no more: `7 s`, `40 s`, `12 min`, `3 h`."""
    if seconds < 10:
        return f"{seconds:.0f} s"
    if seconds < 95:
        return f"{10 * round(seconds / 10)} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.0f} h"
