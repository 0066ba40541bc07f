"""The contents of a report, and plain values as JSON."""

from __future__ import annotations

import json
import math
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias, TypeVar

from csg_analyze.about import About
from csg_analyze.checkpoints.origin import Origin
from csg_analyze.errors import UsageError, unknown
from csg_analyze.paper import Numbers
from csg_analyze.result import Drawn, Result

JSON: TypeAlias = "Mapping[str, JSON] | Sequence[JSON] | str | int | float | bool | None"
T = TypeVar("T")


@dataclass(frozen=True)
class ModelReport:
    """The results of one model.

    training: "STD", "CSG" or None. n_filters: K of the feature layer, None if unknown. results: analyzer -> result.
    skipped: analyzer -> the reason why it has no result. class_names: in the order of the network's outputs. origin:
    the training of the model, as far as its file records it. seconds: input or analyzer -> what it took; an input that
    is computed on demand (attacks, gradients) counts for the analyzer that asks for it. passes: what every pass over
    images took, also those on demand, by its description; what the cache had needed none. notes: sentences on the model
    as a whole.
    """

    name: str
    path: str
    sha256: str
    architecture: str
    training: str | None
    n_classes: int
    n_filters: int | None
    results: Mapping[str, Result] = field(default_factory=dict)
    skipped: Mapping[str, str] = field(default_factory=dict)
    class_names: tuple[str, ...] = ()
    origin: Origin | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)
    passes: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        skipped = f"; skipped: {', '.join(self.skipped)!r}" if self.skipped else ""
        return f"ModelReport({self.name!r:.60}: {', '.join(self.results)!r:.200}{skipped:.200})"

    def _repr_html_(self) -> str:
        from csg_analyze.report.notebook import html_of_model

        return html_of_model(self)


@dataclass(frozen=True)
class Refused:
    """A model that could not be analysed. name: its file, for people. reason: a sentence."""

    name: str
    reason: str


@dataclass(frozen=True)
class Section:
    """One analysis in a report. analyzer: the name under which it is registered."""

    analyzer: str
    about: About


@dataclass(frozen=True)
class Report:
    """All contents of a report folder.

    sections: in the order of presentation; an analyzer that ran but has no section comes last, under its own name.
    data: the dataset (spec, split, n, classes, fingerprint, notes). paper: the paper's numbers, for comparison. remark:
    the author's words on how the models were made or chosen, in the caption of the numbers over seeds, or else with the
    notes. refused: the models that are not in the report, though they were asked for.
    Raises UsageError if two models have the same name: tables and figures distinguish models by it.
    """

    title: str
    models: tuple[ModelReport, ...]
    sections: tuple[Section, ...]
    provenance: Mapping[str, JSON] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    data: Mapping[str, JSON] = field(default_factory=dict)
    paper: Numbers = field(default_factory=dict)
    remark: str = ""
    refused: tuple[Refused, ...] = ()

    def __post_init__(self) -> None:
        name, count = Counter(model.name for model in self.models).most_common(1)[0] if self.models else ("", 1)
        if count > 1:
            raise UsageError(f"{count} models are called {name!r}; give every model its own name.")

    def presented(self) -> tuple[Section, ...]:
        """The sections that have a result or a reason, in order; no result is left out."""
        ran = dict.fromkeys(name for model in self.models for name in (*model.results, *model.skipped))
        named = tuple(section for section in self.sections if section.analyzer in ran)
        listed = {section.analyzer for section in named}
        return named + tuple(Section(name, About(name)) for name in ran if name not in listed)

    def drawn(self, analyzer: str) -> dict[str, Drawn]:
        """The figures of an analysis over all models, by title; a notebook shows them.

        Models of other classes have figures of their own. Raises UsageError for an analysis that did not run.
        """
        ran = dict.fromkeys(name for model in self.models for name in (*model.results, *model.skipped))
        if analyzer not in ran:
            raise unknown("analysis", analyzer, ran)
        results = {model.name: model.results[analyzer] for model in self.models if analyzer in model.results}
        figures: dict[str, Drawn] = {}
        for title, drawing, part in self.shared(results, lambda result: result.figures):
            figures[title if title not in figures else f"{title}: {', '.join(part)}"] = Drawn(drawing, part)
        return figures

    def __repr__(self) -> str:
        models = ", ".join(model.name for model in self.models)
        ran = ", ".join(section.analyzer for section in self.presented())
        return f"Report({self.title!r:.80}: {models!r:.200}; {ran!r:.200})"

    def _repr_html_(self) -> str:
        from csg_analyze.report.notebook import html_of_report

        return html_of_report(self)

    def shared(
        self, results: Mapping[str, Result], parts_of: Callable[[Result], Mapping[str, T]]
    ) -> Iterator[tuple[str, T, dict[str, Result]]]:
        """The parts that models share (figures, comparisons): title, part, and the results of the models that share it.

        parts_of: gives the parts of a result, by title. A title comes once per set of classes, because models with
        different classes cannot share a figure or a comparison.
        """
        classes = {model.name: model.class_names for model in self.models}
        for title in dict.fromkeys(title for result in results.values() for title in parts_of(result)):
            groups: dict[tuple[str, ...], dict[str, Result]] = {}
            for name, result in results.items():
                if title in parts_of(result):
                    groups.setdefault(classes.get(name, ()), {})[name] = result
            for group in groups.values():
                yield title, parts_of(next(iter(group.values())))[title], group


def anchor_of(analyzer: str) -> str:
    """The id of an analysis' section on the page."""
    return re.sub(r"[^A-Za-z0-9]+", "-", analyzer).strip("-") or "section"


def json_text(document: JSON) -> str:
    """A JSON document as stored: indented, ASCII only, one newline at the end."""
    return json.dumps(as_json(document), indent=2, allow_nan=False) + "\n"


def as_json(value: object) -> JSON:
    """Plain JSON values from plain, NumPy or torch values; NaN and infinities, which JSON lacks, become None.

    Raises TypeError for values without a JSON form.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, int):
        return int(value)
    if isinstance(value, Mapping):
        return {str(key): as_json(entry) for key, entry in value.items()}
    if isinstance(value, os.PathLike):
        return str(os.fspath(value))
    if isinstance(value, list | tuple | set | frozenset):
        return [as_json(entry) for entry in value]
    plain = getattr(value, "tolist", None)  # NumPy scalars and arrays, tensors
    if plain is not None:
        return as_json(plain())
    raise TypeError(f"a {type(value).__name__} has no form in JSON: {value!r}")
