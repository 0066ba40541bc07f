"""Which classes are removed, and which filters are those of a class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from csg_analyze.analyzers.confusion.removals import (
    highest_information,
    owned_by_any,
    strongest_share,
)
from csg_analyze.errors import NotAvailable, UsageError, unknown
from csg_analyze.metrics.arrays import BoolArray, FloatArray, IntArray
from csg_analyze.metrics.filters import assigned, mean_activations
from csg_analyze.metrics.mutual_information import mutual_information


def chosen_classes(text: str | None, class_names: Sequence[str]) -> list[int]:
    """Indices of the classes named in `text`, names or indices with commas between; None is the paper's pair.

    The pair is the 1st and 6th class, with fewer than six the first and the last. A class whose own name holds commas
    is written as it is. Raises UsageError for what is no class.
    """
    n_classes = len(class_names)
    if text is None:
        return [0, 5 if n_classes >= 6 else n_classes - 1]
    by_name = {_words(name): index for index, name in reversed(list(enumerate(class_names)))}
    words = _words(text)
    chosen: dict[int, None] = {}
    while words:
        taken = next((size for size in range(len(words), 0, -1) if words[:size] in by_name), 0)
        if taken:
            chosen[by_name[words[:taken]]] = None
        elif words[0].isdecimal() and int(words[0]) < n_classes:
            chosen[int(words[0])] = None
        elif words[0].isdecimal():
            raise UsageError(
                f"there is no class {words[0]}: {n_classes} classes are counted from 0 to {n_classes - 1}."
            )
        else:
            raise unknown("class", words[0], class_names)
        words = words[max(1, taken) :]
    if not chosen:
        raise UsageError("--classes names no class; give names or indices with commas between, e.g. 0,5.")
    return list(chosen)


def _words(text: str) -> tuple[str, ...]:
    """x"""
    return tuple(word.strip() for word in text.split(",") if word.strip())


def filters_of_classes(
    select: str,
    gate: FloatArray | None,
    activations: FloatArray,
    labels: IntArray,
    groups: BoolArray,
    gate_threshold: float,
    fraction: float,
) -> BoolArray:
    """The filters of every group of classes, (M, C) -> (M, K)."""
    if not 0 <= gate_threshold < 1:
        raise UsageError(f"--gate-threshold must be at least 0 and below 1, not {gate_threshold}.")
    if not 0 < fraction <= 1:
        raise UsageError(f"--fraction must be above 0 and at most 1, not {fraction}.")
    n_classes, expected = groups.shape[1], (groups.shape[1], activations.shape[1])
    if select == "gate":
        if gate is None:
            raise NotAvailable("no gate in this checkpoint, and --select gate asks for one")
        if gate.shape != expected:
            raise UsageError(f"the gate has shape {gate.shape}, but classes x filters is {expected}.")
        return owned_by_any(assigned(gate, gate_threshold), groups)
    if select == "activation":
        return strongest_share(mean_activations(activations, labels, groups), fraction)
    information = mutual_information(activations, labels, n_classes=n_classes)
    information[:, np.bincount(labels, minlength=n_classes) == 0] = np.nan  # 0 there is no estimate
    return strongest_share(highest_information(information, groups), fraction)
