"""Several seeds in one report: groups of checkpoints that differ only in the seed, and twins of STD and CSG."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from csg_analyze.checkpoints.twins import Difference, besides_the_gate
from csg_analyze.metrics.statistics import Mean, mean_with_interval
from csg_analyze.report.document import ModelReport
from csg_analyze.wording import listed


@dataclass(frozen=True)
class Group:
    """Checkpoints that differ only in the seed.

    label: "CSG", or "CSG, lambda1 5" to distinguish several CSG groups. models: by seed, ascending.
    """

    label: str
    training: str
    models: Mapping[int, ModelReport]

    @property
    def starts(self) -> frozenset[str]:
        """The checkpoints that its trainings started from; empty if they started from random weights."""
        origins = (model.origin for model in self.models.values())
        return frozenset(origin.start for origin in origins if origin is not None and origin.start is not None)


@dataclass(frozen=True)
class Pair:
    """An STD and a CSG (or control) group, and the seeds of their twins: same recipe, data, seed and start."""

    std: Group
    csg: Group
    seeds: tuple[int, ...]

    @property
    def label(self) -> str:
        """The name of the difference, such as "CSG - STD"."""
        return f"{self.csg.label} - {self.std.label}"

    @property
    def besides(self) -> tuple[Difference, ...]:
        """How its twins differ besides the gate; the same for all seeds, because a group differs only in the seed."""
        std, csg = (group.models[self.seeds[0]].origin for group in (self.std, self.csg))
        return () if std is None or csg is None else besides_the_gate(std, csg)


@dataclass(frozen=True)
class Seeds:
    """The groups and pairs of a report. notes: models and seeds that were left out, and why.

    cautions: limits of differences of twins, and of intervals over seeds.
    """

    groups: tuple[Group, ...]
    pairs: tuple[Pair, ...]
    notes: tuple[str, ...] = ()
    cautions: tuple[str, ...] = ()

    @property
    def several(self) -> bool:
        """Whether any group has more than one seed."""
        return any(len(group.models) > 1 for group in self.groups)


def seeds_of(models: Sequence[ModelReport]) -> Seeds:
    """Group the models by recipe, data and training; models without a recorded training are left out."""
    members: dict[object, dict[int, ModelReport]] = {}
    notes = []
    for model in models:
        if model.origin is None:
            continue
        group = members.setdefault(model.origin.group, {})
        if model.origin.seed in group:
            first = group[model.origin.seed].name
            notes.append(f"{model.name} repeats seed {model.origin.seed} of {first}'s training and is in no group")
            continue
        group[model.origin.seed] = model
    ordered = [dict(sorted(group.items())) for group in members.values()]
    ordered.sort(key=lambda group: next(iter(group.values())).training != "STD")
    labels = _labels([next(iter(group.values())) for group in ordered])
    groups = tuple(
        Group(label, str(next(iter(group.values())).training), group)
        for label, group in zip(labels, ordered, strict=True)
    )
    pairs = tuple(_pairs(groups))
    if any(len(group.models) > 1 for group in groups):
        notes += [
            f"{model.name} does not say how it was trained and is in no group"
            for model in models
            if model.origin is None
        ]
        notes += _missing(groups, pairs)
    for number in different_sample_sizes(model for group in groups for model in group.models.values()):
        notes.append(f"means and differences of {number} are over different numbers of images and cannot be compared")
    return Seeds(groups, pairs, tuple(notes), (*_besides(pairs), *_one_start(groups)))


def groups_in_figures(models: Sequence[ModelReport]) -> list[list[str]]:
    """Names of the models that share a hue: those of a group by seed, and each model without a group by itself."""
    groups = [[model.name for model in group.models.values()] for group in seeds_of(models).groups]
    placed = {name for group in groups for name in group}
    return groups + [[model.name] for model in models if model.name not in placed]


def _labels(models: Sequence[ModelReport]) -> list[str]:
    """Labels of groups, from one model each: the training, and the fields in which groups of this training differ."""
    labels = []
    for model in models:
        assert model.origin is not None
        fields = {**dict(model.origin.shared), **dict(model.origin.own)}
        others = [
            {**dict(other.origin.shared), **dict(other.origin.own)}
            for other in models
            if other.origin is not None and other is not model and other.training == model.training
        ]
        differing = [name for name in fields if any(other.get(name) != fields[name] for other in others)]
        values = [f"{name.replace('_', ' ')} {_short(fields[name])}" for name in differing]
        labels.append(", ".join([str(model.training), *values]))
    return [label if labels.count(label) == 1 else f"{label} ({place})" for place, label in enumerate(labels, 1)]


def _short(value: str) -> str:
    text = value.strip('"')
    return text if len(text) <= 16 else text[:8]


def _pairs(groups: Sequence[Group]) -> Iterator[Pair]:
    for std in (group for group in groups if group.training == "STD"):
        for csg in (group for group in groups if group.training != "STD"):
            seeds = [seed for seed in csg.models if seed in std.models and _twins(std.models[seed], csg.models[seed])]
            if seeds:
                yield Pair(std, csg, tuple(seeds))


def _twins(std: ModelReport, csg: ModelReport) -> bool:
    return std.origin is not None and csg.origin is not None and std.origin.twins == csg.origin.twins


def compared(models: Sequence[ModelReport]) -> list[tuple[str, str]]:
    """Names of the models to compare, as second minus first: (STD, CSG) of every two twins.

    A model without a twin is compared with the first model of all.
    """
    pairs = [
        (pair.std.models[seed].name, pair.csg.models[seed].name)
        for pair in seeds_of(models).pairs
        for seed in pair.seeds
    ]
    names, paired = [model.name for model in models], {name for pair in pairs for name in pair}
    return pairs + [(names[0], name) for name in names[1:] if name not in paired]


def _missing(groups: Sequence[Group], pairs: Sequence[Pair]) -> Iterator[str]:
    """Seeds without a twin."""
    for group in groups:
        paired = {seed for pair in pairs if group in (pair.std, pair.csg) for seed in pair.seeds}
        unpaired = [str(seed) for seed in group.models if seed not in paired]
        if unpaired and any(other.training != group.training for other in groups):
            other = next(other.training for other in groups if other.training != group.training)
            other = other if group.training == "STD" else "STD"
            seeds = f"seed{'s' * (len(unpaired) > 1)} {', '.join(unpaired)}"
            yield f"{group.label}: {seeds} without an {other} twin of the same recipe, data, seed and start"


def _besides(pairs: Sequence[Pair]) -> Iterator[str]:
    """Differences of twins besides the gate."""
    for pair in pairs:
        if pair.besides:
            fields = "; ".join(f"{field} (STD: {std}; {pair.csg.training}: {csg})" for field, std, csg in pair.besides)
            yield f"{pair.label}: the twins differ, besides the gate and its loss, in {fields}"


def _one_start(groups: Sequence[Group]) -> Iterator[str]:
    """Groups whose trainings started from fewer networks than they have seeds."""
    alike: dict[tuple[int, frozenset[str]], list[str]] = {}
    for group in groups:
        if 0 < len(group.starts) < len(group.models):
            alike.setdefault((len(group.models), group.starts), []).append(group.label)
    for (n, starts), labels in alike.items():
        one = "one trained network" if len(starts) == 1 else f"only {len(starts)} trained networks"
        yield (
            f"{' and '.join(labels)}: all {n} seeds continue {one}, so that deviations and intervals over seeds do not "
            f"cover what {'another network' if len(starts) == 1 else 'other networks'} to start from would change"
        )


def different_sample_sizes(models: Iterable[ModelReport]) -> dict[str, dict[int, str]]:
    """Numbers whose chance level depends on the number of images, if models differ in it.

    By the number's name for the reader (MIS): number of images -> the first model that was analysed on so many.
    """
    sizes: dict[str, dict[int, str]] = {}
    for model in models:
        for result in model.results.values():
            for number, n in result.sample_sizes.items():
                sizes.setdefault(number, {}).setdefault(n, model.name)
    return {number: models_by_n for number, models_by_n in sizes.items() if len(models_by_n) > 1}


def sample_size_note(models: Iterable[ModelReport]) -> str:
    """A sentence for every number of `different_sample_sizes`; empty if there is none."""
    return " ".join(
        f"{number} comes from different numbers of images "
        f"({listed([f'{name} on {n:,}' for n, name in models_by_n.items()])}) and cannot be compared between them, "
        "because its chance level falls with that number; analyse all models on the same number of images and "
        "classes."
        for number, models_by_n in different_sample_sizes(models).items()
    )


def twin_differences(pair: Pair, analyzer: str, number: str) -> dict[int, float]:
    """CSG minus STD of one number, by seed; NaN if one of the twins does not have it."""
    return {
        seed: value_of(pair.csg.models[seed], analyzer, number) - value_of(pair.std.models[seed], analyzer, number)
        for seed in pair.seeds
    }


def value_of(model: ModelReport, analyzer: str, number: str) -> float:
    """A number of a model's summary; NaN if it is missing, a text or a truth value."""
    result = model.results.get(analyzer)
    value = None if result is None else result.summary.get(number)
    return float("nan") if value is None or isinstance(value, str | bool) else float(value)


def mean_of(values: Iterable[float]) -> Mean:
    """The mean of the values that are not NaN."""
    array = np.array(list(values), dtype=np.float64)
    return mean_with_interval(array[~np.isnan(array)])
