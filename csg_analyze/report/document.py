"""What a report is made of, and how plain values become JSON."""

from __future__ import annotations

import json
import math
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias, TypeVar

from csg_analyze.about import About
from csg_analyze.checkpoints.origin import Origin
from csg_analyze.errors import UsageError
from csg_analyze.paper import Numbers
from csg_analyze.result import Result

JSON: TypeAlias = "Mapping[str, JSON] | Sequence[JSON] | str | int | float | bool | None"
T = TypeVar("T")


@dataclass(frozen=True)
class ModelReport:
    """One model's outcomes.

    training: "STD", "CSG" or None. n_filters: K of the feature layer, None where unknown.
    results: analyzer name -> result. skipped: analyzer name -> the reason it has no result.
    class_names: in the order of the network's outputs. origin: the training it came from, as far as the file tells.
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


@dataclass(frozen=True)
class Section:
    """One analysis as the report presents it, by the name it is registered under."""

    analyzer: str
    about: About


@dataclass(frozen=True)
class Report:
    """Everything the report folder says.

    sections: in the order of presentation; an analyzer with an outcome but without a section is presented last,
    under its own name. data: what the models were analysed on (spec, split, n, classes, fingerprint, notes).
    paper: the paper's own numbers, to stand beside these. remark: what the author has to say on how the models were
    made or chosen; it stands in the caption of the numbers over seeds, or else with the notes.
    Raises UsageError where two models have the same name: tables and figures tell models apart by it.
    """

    title: str
    models: tuple[ModelReport, ...]
    sections: tuple[Section, ...]
    provenance: Mapping[str, JSON] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    data: Mapping[str, JSON] = field(default_factory=dict)
    paper: Numbers = field(default_factory=dict)
    remark: str = ""

    def __post_init__(self) -> None:
        name, count = Counter(model.name for model in self.models).most_common(1)[0] if self.models else ("", 1)
        if count > 1:
            raise UsageError(f"{count} models are called {name!r}; give every model a name of its own.")

    def presented(self) -> tuple[Section, ...]:
        """The sections that have an outcome, in order; none of the outcomes is left out."""
        ran = dict.fromkeys(name for model in self.models for name in (*model.results, *model.skipped))
        named = tuple(section for section in self.sections if section.analyzer in ran)
        listed = {section.analyzer for section in named}
        return named + tuple(Section(name, About(name)) for name in ran if name not in listed)

    def shared(
        self, results: Mapping[str, Result], things: Callable[[Result], Mapping[str, T]]
    ) -> Iterator[tuple[str, T, dict[str, Result]]]:
        """What models share (figures, comparisons): title, what makes it, and the results of those who can share it.

        A title comes once for every set of classes: models of different ones cannot share a figure or a comparison.
        """
        classes = {model.name: model.class_names for model in self.models}
        for title in dict.fromkeys(title for result in results.values() for title in things(result)):
            parts: dict[tuple[str, ...], dict[str, Result]] = {}
            for name, result in results.items():
                if title in things(result):
                    parts.setdefault(classes.get(name, ()), {})[name] = result
            for part in parts.values():
                yield title, things(next(iter(part.values())))[title], part


def json_text(document: JSON) -> str:
    """A JSON document as it is printed and stored: indented, ASCII alone, one newline at the end."""
    return json.dumps(as_json(document), indent=2, allow_nan=False) + "\n"


def as_json(value: object) -> JSON:
    """Plain JSON values from plain or NumPy or torch ones; NaN and infinities, which JSON lacks, become None.

    Raises TypeError for what has no such form.
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
