"""Adversarial images of the dataset: the same sources, targets and starts for every compared model."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import numpy as np

from csg_analyze.attacks.catalogue import Settings
from csg_analyze.checkpoints import Classifier
from csg_analyze.data import Dataset
from csg_analyze.errors import UsageError
from csg_analyze.inputs import Compared
from csg_analyze.inputs.cache import Cache
from csg_analyze.inputs.forward import ForwardPass, forward_pass
from csg_analyze.inputs.network_attacks import NetworkAttacks
from csg_analyze.metrics.arrays import IntArray
from csg_analyze.progress import Track


def attacks(
    classifier: Classifier,
    dataset: Dataset,
    compared: Compared,
    forward_pass: ForwardPass,
    labels: IntArray,
    requested: frozenset[str],
    cache: Cache,
    track: Track[Any],
    *,
    pgd_steps: Annotated[int, "steps of PGD, of eps/4 each"] = 40,
    cw_searches: Annotated[int | None, "C&W: values of its constant; default: 5, on a GPU 9"] = None,
    cw_steps: Annotated[int | None, "C&W: steps for each of them; default: 100, on a GPU 1000"] = None,
    cw_stepsize: Annotated[float, "C&W: learning rate"] = 0.01,
    cw_confidence: Annotated[float, "C&W: kappa, how far beyond the boundary"] = 0.0,
) -> NetworkAttacks:
    """Attacks on this network, run when an analyzer requests them.

    Images, targets and random starts are the same for all compared models that are analysed on the same data. Blocks of
    attacked images are separate cache entries, so that an interrupted run goes on after the last one.
    Raises UsageError for settings that are not above 0.
    """
    gpu = classifier.device.type == "cuda"
    settings = Settings(
        pgd_steps,
        cw_searches if cw_searches is not None else 9 if gpu else 5,
        cw_steps if cw_steps is not None else 1000 if gpu else 100,
        cw_stepsize,
        cw_confidence,
    )
    for name, value in asdict(settings).items():
        if value < 0 or (value == 0 and name != "cw_confidence"):
            raise UsageError(f"--{name.replace('_', '-')} must be above 0, not {value}.")
    same_data = [c for c, d in compared if d.fingerprint == dataset.fingerprint]
    predictions = [
        _predicted(other, dataset, forward_pass if other is classifier else None, requested, cache, track,
                   forward_pass.batch_size)
        for other in same_data
    ]  # fmt: skip
    own = next(place for place, other in enumerate(same_data) if other is classifier)
    others = [c.name for c, d in compared if d.fingerprint != dataset.fingerprint]
    notes = [f"{', '.join(others)}: analysed on other data, so the attacked images are not the same."] if others else []
    return NetworkAttacks(
        classifier, dataset, labels, np.stack(predictions), own, settings, cache, track, tuple(notes)
    )  # fmt: skip


def _predicted(
    classifier: Classifier,
    dataset: Dataset,
    done: ForwardPass | None,
    requested: frozenset[str],
    cache: Cache,
    track: Track[Any],
    batch_size: int,
) -> IntArray:
    once = done or forward_pass(classifier, dataset, requested, cache, track, batch_size=batch_size)
    predicted: IntArray = once.logits.argmax(axis=1)
    return predicted
