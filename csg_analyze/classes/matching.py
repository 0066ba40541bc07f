"""Which output of a network each class of a dataset is, and by what that was told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from csg_analyze.classes.maps import RULES, ClassMap
from csg_analyze.classes.names import imagenet, imagenet_index, in_imagenet_order, is_wordnet_id, plain, same_names
from csg_analyze.errors import UsageError, unknown
from csg_analyze.wording import listed

How = Literal["same", "names", "ids", "index", "order", "map"]
REMEDY = "say with --class-map FILE which class of the model each class of the data is"


@dataclass(frozen=True)
class Match:
    """outputs: for each class of the data the index of the network's output; with a map, several may have the same.

    how: by what that was told. names: of all outputs, as far as they are known.
    """

    outputs: tuple[int, ...]
    how: How
    names: tuple[str, ...] | None


def matched(
    data: Sequence[str],
    model: Sequence[str] | None,
    n_outputs: int,
    class_map: ClassMap | str | None = None,
    spec: str = "the data",
) -> Match:
    """The outputs for the classes of the data. model: names of all outputs, if they are recorded. spec: for errors.

    Tried in turn: the map; names (case, spaces, underscores and hyphens aside; synonyms; WordNet ids), where ImageNet's
    are taken for those of 1000 outputs without names; names that are indices; the order, if there are as many classes
    as outputs. Raises UsageError where none of these tells, or two of them tell different things.
    """
    names = None if model is None else tuple(model)
    if class_map is not None:
        return _by_rule(data, names, n_outputs, class_map)
    if names == tuple(data):
        return Match(tuple(range(n_outputs)), "same", names)
    if (match := _by_name(data, names, n_outputs)) is not None:
        return match
    if all(name.isdecimal() for name in data):
        return _by_index(data, names, n_outputs, spec)
    return _by_order(data, names, n_outputs, spec)


def _by_rule(data: Sequence[str], names: tuple[str, ...] | None, n_outputs: int, class_map: ClassMap | str) -> Match:
    if class_map == "order":
        if len(data) != n_outputs:
            raise UsageError(f"--class-map order needs as many classes as outputs, not {len(data)} and {n_outputs}.")
        return Match(tuple(range(n_outputs)), "order", names)
    if class_map == "index":
        wrong = [name for name in data if not (name.isdecimal() and int(name) < n_outputs)]
        if wrong:
            raise UsageError(
                f"--class-map index needs class names from 0 to {n_outputs - 1}, the data has {wrong[0]!r}."
            )
        return _checked(Match(tuple(int(name) for name in data), "index", names), data)
    if isinstance(class_map, str):
        raise unknown("rule of --class-map", class_map, RULES)
    places = same_names(data, list(class_map))
    missing = [name for name, place in zip(data, places, strict=True) if place is None]
    if missing:
        raise UsageError(f"the class map has no line for {listed(missing)}, of the data; add {_them(missing)}.")
    targets = list(class_map.values())
    outputs = tuple(_output(targets[place], names, n_outputs) for place in places if place is not None)
    return Match(outputs, "map", names)


def _output(target: str | int, names: tuple[str, ...] | None, n_outputs: int) -> int:
    """The output that a map names, by a name of the model's or by its index."""
    (by_name,) = same_names([str(target)], names or ())
    if by_name is not None:
        return by_name
    if str(target).isdecimal():
        if int(target) >= n_outputs:
            raise UsageError(f"the class map names output {target}, but the model has 0 to {n_outputs - 1}.")
        return int(target)
    if names is None:
        raise UsageError(f"the class map names {target!r}, but this model's classes have no names; give indices.")
    raise unknown("class of the model in the class map", str(target), names)


def _by_name(data: Sequence[str], names: tuple[str, ...] | None, n_outputs: int) -> Match | None:
    """None where some class has no name in common with one output alone."""
    found = list(same_names(data, names or ()))
    if in_imagenet_order(names, n_outputs):
        found = [imagenet_index(name) if place is None else place for name, place in zip(data, found, strict=True)]
        names = names or tuple(each.category for each in imagenet())
    outputs = tuple(place for place in found if place is not None)
    if names is None or len(outputs) < len(data) or len(set(outputs)) < len(outputs):
        return None
    ids = any(is_wordnet_id(name) and name != names[place] for name, place in zip(data, outputs, strict=True))
    return Match(outputs, "ids" if ids else "names", names)


def _by_index(data: Sequence[str], names: tuple[str, ...] | None, n_outputs: int, spec: str) -> Match:
    """Names that are numbers: indices, unless the order of the names tells another thing."""
    indices = tuple(int(name) for name in data)
    if len(data) == n_outputs and indices != tuple(sorted(indices)):
        raise UsageError(
            f"the data's classes ({_some(data)}) may be indices of the model's outputs, or in the outputs' order as "
            f"folders sort; say which with --class-map index or --class-map order, or {REMEDY}."
        )
    if max(indices) < n_outputs:
        return _checked(Match(indices, "index", names), data)
    return _by_order(data, names, n_outputs, spec)


def _by_order(data: Sequence[str], names: tuple[str, ...] | None, n_outputs: int, spec: str) -> Match:
    if len(data) != n_outputs:
        raise _unmatched(data, names, n_outputs, spec)
    plainly = [plain(name) for name in names or ()]
    elsewhere = [
        name
        for place, name in enumerate(data)
        if plainly.count(plain(name)) == 1 and plainly.index(plain(name)) != place
    ]
    if elsewhere:
        raise UsageError(
            f"the model's classes ({_some(names or ())}) and the data's ({_some(data)}) are as many, but "
            f"{elsewhere[0]!r} has another place and others have no name in common; {REMEDY}."
        )
    return Match(tuple(range(n_outputs)), "order", names)


def _unmatched(data: Sequence[str], names: tuple[str, ...] | None, n_outputs: int, spec: str) -> UsageError:
    if names is None:
        return UsageError(
            f"the model has {n_outputs} classes, but {spec!r} has {len(data)} ({_some(data)}), and the model's have no "
            f"names; give the data it was trained on with --data, or {REMEDY}."
        )
    found = same_names(data, names)
    lacking = [name for name, place in zip(data, found, strict=True) if place is None]
    which = f", of which {listed(lacking, 3)} have no name in common" if 0 < len(lacking) < len(data) else ""
    return UsageError(
        f"the checkpoint has {n_outputs} classes ({_some(names)}), the data {len(data)} ({_some(data)}){which}; give "
        f"the data it was trained on with --data, or {REMEDY}."
    )


def _checked(match: Match, data: Sequence[str]) -> Match:
    if len(set(match.outputs)) < len(match.outputs):
        raise UsageError(f"two classes of the data ({_some(data)}) are the same index; {REMEDY}.")
    return match


def _them(names: Sequence[str]) -> str:
    return "it" if len(names) == 1 else "them"


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
