"""Detectors trained on growing sets of adversarial samples over repeated splits, and their results."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np

from csg_analyze.analyzers.adversarial.detection import (
    Negatives,
    Split,
    SplitProtocol,
    auroc_interval,
    rates,
    roc,
    split,
)
from csg_analyze.analyzers.adversarial.detectors import NewDetector, layer_importance, scores, trained
from csg_analyze.metrics.adversarial import Differentiable
from csg_analyze.metrics.arrays import BoolArray, FloatArray, IntArray
from csg_analyze.metrics.keeping import NOTHING_KEPT, Arrays, Keep
from csg_analyze.metrics.statistics import bootstrap_interval_of_share, resampled

SOURCE_RESAMPLES = 1000
ROC_GRID = np.unique(np.concatenate([np.linspace(0, 0.1, 21), np.linspace(0, 1, 51)]))
"""Shares of false alarms at which ROC curves are computed."""

Row = dict[str, Any]


@dataclass(frozen=True)
class FeatureColumns:
    """The features, of all F, that a detector sees. layers: the chosen layers, and their numbers of features."""

    chosen: BoolArray
    layers: Mapping[str, int]

    def pick(self, features: FloatArray) -> FloatArray:
        """(n, F) -> (n, chosen)."""
        return features[:, self.chosen]

    def spread(self, small: Differentiable) -> Differentiable:
        """A detector of the chosen features as a detector of all F that ignores the others."""
        mean, scale = np.zeros(len(self.chosen)), np.ones(len(self.chosen))
        mean[self.chosen], scale[self.chosen] = small.mean, small.scale
        (first, bias), *rest = small.layers
        weight = np.zeros((len(self.chosen), first.shape[1]))
        weight[self.chosen] = first
        return Differentiable(mean, scale, ((weight, bias), *rest))


@dataclass(frozen=True)
class Pool:
    """The n adversarial samples of one attack. sources: their indices in the dataset, (n,).

    clean, adversarial, noise: features of the source, of the sample, and of the source with noise of the sample's L2
    size, (n, F). keys: random numbers of the splits, (repeats, 2, n). layers: name -> number of features, F in all.
    """

    sources: IntArray
    clean: FloatArray
    adversarial: FloatArray
    noise: FloatArray
    keys: FloatArray
    layers: Mapping[str, int]


@dataclass(frozen=True)
class Trial:
    """A detector and its scores on the test images.

    fit: trains the detector, once; kept scores need none. noise: scores on the adversarial images' sources, with noise.
    importance: see `layer_importance`.
    """

    split: Split
    fit: Callable[[], Any]
    clean: FloatArray
    adversarial: FloatArray
    noise: FloatArray
    importance: FloatArray | None

    @property
    def detector(self) -> Any:
        """The trained detector."""
        return self.fit()


@dataclass(frozen=True)
class Study:
    """Trials by training size, then by repeat. sizes: as used, which may be less than requested."""

    pool: Pool
    sizes: tuple[int, ...]
    test_size: int
    negatives: Negatives
    trials: tuple[tuple[Trial, ...], ...]

    @property
    def largest(self) -> tuple[Trial, ...]:
        """The trials with the largest training set."""
        return self.trials[int(np.argmax(self.sizes))]


def train_and_test(
    pool: Pool,
    make: NewDetector,
    *,
    protocol: SplitProtocol,
    negatives: Negatives,
    sizes: Sequence[int],
    test_size: int,
    seed: int,
    keep: Keep = NOTHING_KEPT,
) -> Study:
    """Train and test a detector for every size and repeat; every repeat has its own split and seed.

    Scores are kept for scikit-learn's own detectors, whose code is known by its version.
    """
    name = f"{make.__module__}.{getattr(make, '__qualname__', '')}"
    keep = keep if name.startswith("sklearn.") else NOTHING_KEPT

    def trial(size: int, repeat: int) -> Trial:
        sides = split(protocol, pool.keys[repeat], train_size=size, test_size=test_size)
        training = training_images(pool, sides, negatives)
        tested = {
            "clean": pool.clean[sides.test_clean],
            "adversarial": pool.adversarial[sides.test_adversarial],
            "noise": pool.noise[sides.test_adversarial],
        }
        fit = cache(partial(trained, make, *training, seed + repeat))

        def judged() -> Arrays:
            judgements = {images: scores(fit(), features) for images, features in tested.items()}
            importance = layer_importance(fit(), pool.clean, pool.layers)
            return judgements if importance is None else {**judgements, "importance": importance}

        depends = (name, training, seed + repeat, tested, pool.clean, dict(pool.layers))
        kept = keep.under("detector", depends, judged)
        return Trial(sides, fit, kept["clean"], kept["adversarial"], kept["noise"], kept.get("importance"))

    trials = tuple(tuple(trial(size, repeat) for repeat in range(len(pool.keys))) for size in sizes)
    return Study(pool, tuple(sizes), test_size, negatives, trials)


def training_images(pool: Pool, sides: Split, negatives: Negatives) -> tuple[FloatArray, BoolArray]:
    """Features (m, F) of the training images and which of them are adversarial (m,), half of them.

    clean+noise: every second clean image is replaced by itself with noise.
    """
    clean = pool.clean[sides.train_clean]
    if negatives == "clean+noise":
        clean[1::2] = pool.noise[sides.train_clean][1::2]
    adversarial = pool.adversarial[sides.train_adversarial]
    return np.concatenate([clean, adversarial]), np.repeat([False, True], [len(clean), len(adversarial)])


def detection_rows(attack: str, study: Study, requested: Sequence[int]) -> list[Row]:
    """One row per training size: error, AUROC, true positive rate at 5 % false alarms, false alarms on noise.

    Means and standard deviations over the repeats, with bootstrap intervals over the sources.
    """
    weights = resampled(len(study.pool.sources), resamples=SOURCE_RESAMPLES, seed=0)
    rows = []
    for size, used, trials in zip(requested, study.sizes, study.trials, strict=True):
        row: Row = {"attack": attack, "train_size": size, "n_train": used, "n_test": study.test_size}
        points = [measures(trial, None) for trial in trials]
        resamples = [measures(trial, weights) for trial in trials]
        for name in points[0]:
            values = np.array([point[name][0] for point in points])
            row[name] = value = float(values.mean())
            row[f"{name}_sd"] = float(values.std(ddof=1)) if len(values) > 1 else float("nan")
            means = np.mean([values[name] for values in resamples], axis=0)
            row[f"{name}_low"], row[f"{name}_high"] = measure_interval(name, value, means, trials)
        rows.append(row)
    return rows


def measure_interval(name: str, value: float, resamples: FloatArray, trials: Sequence[Trial]) -> tuple[float, float]:
    """95 % interval of the mean of a measure over trials, from its values in bootstrap resamples of the sources."""
    tested = [np.concatenate([trial.split.test_clean, trial.split.test_adversarial]) for trial in trials]
    n = len(np.unique(np.concatenate(tested)))
    if name == "auroc":
        return auroc_interval(value, resamples, n)
    scale = 100 if name.endswith("_percent") else 1
    low, high = bootstrap_interval_of_share(value / scale, resamples / scale, n)
    return scale * low, scale * high


def measures(trial: Trial, weights: FloatArray | None) -> dict[str, FloatArray]:
    """The measures of one trial under weights of the sources, (M, n): (M,) each."""
    clean, adversarial = trial.split.test_clean, trial.split.test_adversarial
    places = np.concatenate([clean, adversarial])
    by_weights = rates(
        np.concatenate([trial.clean, trial.adversarial]),
        np.repeat([False, True], [len(clean), len(adversarial)]),
        None if weights is None else weights[:, places],
    )
    of_noise = np.ones((1, len(adversarial))) if weights is None else weights[:, adversarial]
    with np.errstate(invalid="ignore"):
        alarms = of_noise @ (trial.noise > 0.5) / of_noise.sum(axis=1)
    return {
        "error_percent": 100 * by_weights.error,
        "auroc": by_weights.auroc,
        "tpr_at_5_fpr": by_weights.tpr,
        "noise_alarm_percent": 100 * alarms,
    }


def roc_rows(attack: str, study: Study) -> list[Row]:
    """The ROC curve with the largest training set: mean and standard deviation over the repeats, at ROC_GRID."""
    curves = np.array(
        [
            roc(
                np.concatenate([trial.clean, trial.adversarial]),
                np.repeat([False, True], [len(trial.clean), len(trial.adversarial)]),
                ROC_GRID,
            )
            for trial in study.largest
        ]
    )
    spread = curves.std(axis=0)
    return [
        {"attack": attack, "false_alarms": x, "found": y, "found_sd": sd}
        for x, y, sd in zip(ROC_GRID, curves.mean(axis=0), spread, strict=True)
    ]


def importance_rows(attack: str, study: Study) -> list[Row]:
    """The importance of every layer to the detector with the largest training set; empty if the detector has none."""
    shares = np.array([trial.importance for trial in study.largest if trial.importance is not None])
    if not len(shares):
        return []
    layers = enumerate(study.pool.layers.items(), start=1)
    return [
        {
            "attack": attack, "depth": depth, "layer": layer, "n_features": width,
            "importance": shares[:, depth - 1].mean(), "importance_sd": shares[:, depth - 1].std(),
        }
        for depth, (layer, width) in layers
    ]  # fmt: skip


HELD_OUT = ("score", "clean_score", "noise_score", "error", "judged")


def held_out(study: Study) -> dict[str, FloatArray]:
    """Means over the repeats in which a source was tested, with the largest training set, (n,) each; NaN if never.

    score, clean_score, noise_score: of its images. error: share of its clean and adversarial images on the wrong side.
    judged: number of these images over the repeats, 0 if the source was never tested.
    """
    n = len(study.pool.sources)
    sums, counts = np.zeros((4, n)), np.zeros((4, n))
    for trial in study.largest:
        clean, adversarial = trial.split.test_clean, trial.split.test_adversarial
        for row, places, values in (
            (0, adversarial, trial.adversarial),
            (1, clean, trial.clean),
            (2, adversarial, trial.noise),
            (3, adversarial, trial.adversarial <= 0.5),
            (3, clean, trial.clean > 0.5),
        ):
            sums[row, places] += values
            counts[row, places] += 1
    means = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
    return dict(zip(HELD_OUT, (*means, counts[3]), strict=True))
