"""A small classifier, its images, and attacks on them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from csg_analyze.checkpoints import Classifier
from csg_analyze.data import Dataset
from csg_analyze.inputs.attacks import attacks
from csg_analyze.inputs.cache import Cache
from csg_analyze.inputs.forward import forward_pass
from csg_analyze.inputs.network_attacks import NetworkAttacks
from csg_analyze.metrics.adversarial import AttackRun
from csg_analyze.progress import untracked
from tests.examples import classified_dataset, small_classifier

CLASSIFIER = small_classifier()
DATA = classified_dataset(CLASSIFIER, 90, wrong=12)
SOURCES = np.arange(60)


def attacks_on(
    classifier: Classifier = CLASSIFIER,
    dataset: Dataset = DATA,
    *others: Classifier,
    folder: Path | None = None,
    batch_size: int = 64,
    track: Any = untracked,
    **options: Any,
) -> NetworkAttacks:
    """What the input `attacks` gives an analyzer."""
    cache = Cache(folder)
    once = forward_pass(classifier, dataset, frozenset(), cache, untracked, batch_size=batch_size)
    compared = tuple((one, dataset) for one in (classifier, *others))
    labels = dataset.labels.numpy()
    return attacks(classifier, dataset, compared, once, labels, frozenset(), cache, track, **options)


def run(
    network_attacks: NetworkAttacks, attack: str = "pgd", sources: np.ndarray = SOURCES, **options: Any
) -> AttackRun:
    return network_attacks.run(attack, sources, **{"eps": 8 / 255, "targeted": True, "seed": 0, **options})


def same(first: AttackRun, second: AttackRun) -> bool:
    names = ("sources", "targets", "outcomes", "predictions", "l2", "linf", "features", "noise_features")
    return all(np.array_equal(getattr(first, name), getattr(second, name)) for name in names)
