"""Run a network on the same images prepared in the usual ways, and count how often it is right in each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import torch

from csg_analyze.alternatives.usual import (
    Geometry,
    changes,
    class_orders,
    flags,
    geometries,
    in_words,
    normalisations,
    turned,
)
from csg_analyze.analysis import open_dataset
from csg_analyze.checkpoints import Classifier, PixelNetwork, Preprocessing
from csg_analyze.data import Dataset
from csg_analyze.errors import UsageError
from csg_analyze.inputs.blocks import blocks
from csg_analyze.metrics.arrays import BoolArray, IntArray
from csg_analyze.metrics.chance import near_chance
from csg_analyze.metrics.statistics import mcnemar, share_with_interval
from csg_analyze.progress import Track, untracked

N_IMAGES = 256
SIGNIFICANCE = 0.05
IMAGES_AT_ONCE = 256


@dataclass(frozen=True)
class Trial:
    """One alternative. changes: what it changes in the current setting, in words; empty for that itself.

    flags: that give it. class_map: class of the data -> output, where its order of classes is another. correct: (N,).
    low, high: the 95 % interval (Wilson) of its accuracy. p_value: of McNemar's exact test against the current setting,
    times the number of alternatives (Bonferroni), as the best of them is looked at; None for the current setting.
    """

    changes: tuple[str, ...]
    preprocessing: Preprocessing
    flags: tuple[str, ...]
    class_map: Mapping[str, int] | None
    correct: BoolArray
    accuracy: float
    low: float
    high: float
    near_chance: bool
    p_value: float | None = None

    @property
    def differs(self) -> bool:
        """Whether it is better or worse than the current setting beyond noise."""
        return self.p_value is not None and self.p_value < SIGNIFICANCE


@dataclass(frozen=True)
class Trials:
    """All alternatives, best first. left_out: those that could not be tried, and why. n_images: of each accuracy."""

    trials: tuple[Trial, ...]
    n_images: int
    left_out: tuple[str, ...] = ()

    @property
    def current(self) -> Trial:
        """The setting as it is."""
        return next(trial for trial in self.trials if not trial.changes)

    @property
    def better(self) -> Trial | None:
        """The best, if it is better than the current setting beyond noise."""
        best = self.trials[0]
        return best if best.differs and best.accuracy > self.current.accuracy else None


def try_alternatives(
    classifier: Classifier,
    data: Any = None,
    split: Literal["train", "test"] = "test",
    limit: int | None = None,
    track: Track[Preprocessing] = untracked,
) -> Trials:
    """The usual mean and std, orders of channels, sizes and orders of classes, on at most `limit` images.

    Sizes and normalisations are tried one at a time, then normalisations at the best size; orders of classes with each
    of them, as they cost nothing. Raises UsageError as `open_dataset` does for the current setting.
    """
    images = _Images(classifier, data, split, N_IMAGES if limit is None else limit)
    now = classifier.preprocessing
    runs = _Runs(classifier, images, {now: _answers(classifier, images.prepared(now), now)})
    at_once = [replace(now, size=size, resize=resize) for size, resize in
               geometries(now, images.native, classifier.architecture)]  # fmt: skip
    runs.add(track([*at_once, *(each.applied(now) for each in normalisations(now))], classifier.name, len(at_once) + 7))
    plain = (now.mean, now.std, now.channels)
    sized = runs.best(each for each in runs.predictions if (each.mean, each.std, each.channels) == plain)
    if (sized.size, sized.resize) != (now.size, now.resize):
        runs.add(track([each.applied(sized) for each in normalisations(sized)], f"{classifier.name}: best size", 7))
    best = runs.best(runs.predictions)
    runs.add([turned(best).applied(best)])
    return Trials(runs.trials(), len(images.labels), tuple(images.left_out))


class _Images:
    """The same images in every size that is asked for. left_out: sizes that could not be had."""

    def __init__(self, classifier: Classifier, data: Any, split: Literal["train", "test"], limit: int) -> None:
        self._opened: dict[Geometry, Dataset | None] = {}
        self._how = (classifier, data, split, limit)
        self.left_out: list[str] = []
        dataset = self.prepared(classifier.preprocessing)
        self.sample_ids, self.class_names = dataset.sample_ids, dataset.class_names
        self.labels: IntArray = dataset.labels.numpy()
        own = None
        if classifier.class_names is not None:  # the data's classes were put in the order of these
            now = classifier.preprocessing
            own = self._open(replace(classifier, class_names=None), (now.size, now.resize), limit=1)
        self.orders = class_orders(self.class_names, self.class_names if own is None else own.class_names)
        plain = self._open(classifier, (None, None))
        self.native = None if plain is None else plain.image_size

    def prepared(self, preprocessing: Preprocessing) -> Dataset:
        """The images at that size. Raises UsageError if they cannot be had."""
        geometry = (preprocessing.size, preprocessing.resize)
        if geometry not in self._opened:
            classifier, data, split, limit = self._how
            classifier = replace(classifier, preprocessing=preprocessing)
            self._opened[geometry] = open_dataset(classifier, data, split, limit)
        dataset = self._opened[geometry]
        assert dataset is not None
        return dataset

    def _open(self, classifier: Classifier, geometry: Geometry, limit: int | None = None) -> Dataset | None:
        _, data, split, most = self._how
        sized = replace(classifier.preprocessing, size=geometry[0], resize=geometry[1])
        try:
            return open_dataset(replace(classifier, preprocessing=sized), data, split, limit or most)
        except UsageError:  # images of several sizes; or classes that only names can match
            return None


@dataclass
class _Runs:
    """Predictions (N,) by the preprocessing that they come from; the first is the current one."""

    classifier: Classifier
    images: _Images
    predictions: dict[Preprocessing, IntArray] = field(default_factory=dict)

    def add(self, settings: Iterable[Preprocessing]) -> None:
        """Run the network with each setting that is new; one that the network does not take is left out."""
        for setting in settings:
            if setting in self.predictions:
                continue
            try:
                dataset = self.images.prepared(setting)
                if dataset.sample_ids != self.images.sample_ids:
                    raise UsageError("the data gives other images at that size")
                self.predictions[setting] = _answers(self.classifier, dataset, setting)
            except Exception as error:  # a size that the user's own network does not take, in its words
                reason = " ".join(str(error).split())[:120] or type(error).__name__
                self.images.left_out.append(f"{in_words((setting.size, setting.resize))}: {reason}")

    def best(self, settings: Iterable[Preprocessing]) -> Preprocessing:
        """The setting that is right most often, with any of the orders of classes."""
        return max(settings, key=lambda each: max(correct.mean() for _, _, correct in self._by_order(each)))

    def _by_order(self, setting: Preprocessing) -> Iterator[tuple[str, tuple[int, ...] | None, BoolArray]]:
        """(order in words, output of every class, which answers are right), the assumed order first."""
        answers, labels = self.predictions[setting], self.images.labels
        yield "", None, answers == labels
        for name, outputs in self.images.orders.items():
            yield name, outputs, answers == np.array(outputs)[labels]

    def trials(self) -> tuple[Trial, ...]:
        """Every setting with every order of classes, best first; of equals, that with the fewest changes."""
        now = next(iter(self.predictions))
        current = self.predictions[now] == self.images.labels
        n_alternatives = len(self.predictions) * (1 + len(self.images.orders)) - 1
        found = []
        for setting, answers in self.predictions.items():
            for order, outputs, correct in self._by_order(setting):
                changed = (*changes(setting, now), *((order,) if order else ()))
                accuracy, low, high = share_with_interval(int(correct.sum()), len(correct))
                labels = self.images.labels if outputs is None else np.array(outputs)[self.images.labels]
                class_map = None if outputs is None else dict(zip(self.images.class_names, outputs, strict=True))
                needed = (*flags(setting, now), *(("--class-map FILE",) if class_map else ()))
                p_value = min(1.0, mcnemar(correct, current) * n_alternatives) if changed else None
                chance = near_chance(answers, labels, self.classifier.n_classes)
                by_chance = chance is not None and chance.certain
                found.append(
                    Trial(changed, setting, needed, class_map, correct, accuracy, low, high, by_chance, p_value)
                )
        return tuple(sorted(found, key=lambda trial: (-trial.accuracy, len(trial.changes))))


def _answers(classifier: Classifier, dataset: Dataset, preprocessing: Preprocessing) -> IntArray:
    """The class with the highest logit, (N,)."""
    network = PixelNetwork(classifier.network.network, preprocessing).eval().to(classifier.device)
    answers = np.empty(len(dataset), dtype=np.int64)
    with torch.no_grad():
        for block in blocks(dataset, classifier.device, IMAGES_AT_ONCE, untracked, ""):
            logits = network(block.pixels)[: len(block)]
            answers[block.places] = logits.argmax(dim=1).cpu().numpy()
    return answers
