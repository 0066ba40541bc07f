"""The classes to remove, and the filters of a class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from csg_analyze.analyzers.confusion.removals import highest_information, owned_by_any, strongest_share
from csg_analyze.errors import NotAvailable, UsageError, unknown
from csg_analyze.metrics.arrays import BoolArray, FloatArray, IntArray
from csg_analyze.metrics.filters import assigned, mean_activations
from csg_analyze.metrics.mutual_information import mutual_information


def chosen_classes(text: str | None, class_names: Sequence[str]) -> list[int]:
    """Indices of the classes in `text`, names or indices separated by commas; None is the paper's pair.

    The pair is the 1st and the 6th class; of fewer than six classes, the first and the last. Names may contain commas.
    Raises UsageError for an unknown class.
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
        raise UsageError("--classes names no class; give names or indices separated by commas, e.g. 0,5.")
    return list(chosen)


def _words(text: str) -> tuple[str, ...]:
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
    """The filters of every group of classes, (M, C) -> (M, K).

    Raises UsageError for an unusable threshold, fraction or gate, NotAvailable if `select` asks for a missing gate.
    """
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
    information[:, np.bincount(labels, minlength=n_classes) == 0] = np.nan  # the 0 of an absent class is no estimate
    return strongest_share(highest_information(information, groups), fraction)
