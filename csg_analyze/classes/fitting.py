"""A classifier and a dataset with the same classes: labels are indices of logits, rows of the gate and class names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch

from csg_analyze.checkpoints import Classifier
from csg_analyze.classes.maps import ClassMap
from csg_analyze.classes.matching import How, Match, matched
from csg_analyze.data import Dataset
from csg_analyze.data.fingerprint import fingerprint_of
from csg_analyze.errors import UsageError
from csg_analyze.wording import listed

BY: Mapping[How, str] = {
    "same": "by their names",
    "names": "by their names",
    "ids": "by WordNet ids",
    "index": "by their indices",
    "order": "by position",
    "map": "by the class map",
}


def fitted(
    classifier: Classifier,
    dataset: Dataset,
    class_map: ClassMap | str | None = None,
    *,
    all_outputs: bool = False,
) -> tuple[Classifier, Dataset]:
    """Both with the same classes in the same order. This is the only place where classes are matched.

    Where the data has only some of the network's classes, the classifier is the one among these alone, in the data's
    order; with `all_outputs` it stays, and the data have classes without images. Else the data's labels are put in the
    order of the outputs. Either is said in a note. Raises UsageError if the classes do not fit, see `matched`.
    """
    if not dataset.class_names:
        if class_map is not None:
            raise UsageError("a class map is for data that names its classes; labels in hand are indices of outputs.")
        names = classifier.class_names or [str(i) for i in range(classifier.n_classes)]
        return classifier, dataset.named(names)
    try:
        match = matched(dataset.class_names, classifier.class_names, classifier.n_classes, class_map, spec=dataset.spec)
    except UsageError as error:
        raise UsageError(f"{classifier.source!r}: {error}") from error
    kept = tuple(dict.fromkeys(match.outputs))
    if all_outputs or len(kept) == classifier.n_classes:
        return classifier, _in_outputs_order(classifier, dataset, match)
    if len(kept) < 2:
        raise UsageError(
            f"{dataset.spec!r} has only one of the classes of {classifier.source!r}; at least 2 are needed."
        )
    names = _names_of(dataset, match, kept)
    note = (
        f"the data has {len(kept)} of the model's {classifier.n_classes} classes, matched {_by(classifier, match)} "
        f"({listed(names, 5)}); predictions are among these alone (--all-outputs: among all)"
    )
    chosen = classifier.choosing(kept, names)
    if chosen.gate is not None:
        note += "; of the gate only their rows are shown"
    places = [kept.index(output) for output in match.outputs]
    return replace(chosen, notes=(*classifier.notes, note)), _relabelled(dataset, places, names)


def _in_outputs_order(classifier: Classifier, dataset: Dataset, match: Match) -> Dataset:
    n_outputs, n_kept = classifier.n_classes, len(set(match.outputs))
    if match.how == "same":
        return dataset
    if match.how == "order":
        said = (
            f"class names differ and were matched by position: data {listed(dataset.class_names, 3)}; checkpoint "
            f"{listed(classifier.class_names, 3)}"
            if classifier.class_names
            else "the checkpoint names no classes: the data's were matched by position "
            f"({listed(dataset.class_names, 3)})"
        )
        return replace(dataset, notes=(*dataset.notes, said))
    note = f"classes put in the checkpoint's order {_by(classifier, match)}"
    if n_kept < n_outputs:
        note = f"images of {n_kept} of the checkpoint's {n_outputs} classes, matched {_by(classifier, match)}"
    relabelled = _relabelled(dataset, match.outputs, _names_of(dataset, match, range(n_outputs)))
    return relabelled if relabelled is dataset else replace(relabelled, notes=(*dataset.notes, note))


def _relabelled(dataset: Dataset, places: Sequence[int], names: Sequence[str]) -> Dataset:
    """The dataset with label places[i] instead of i, and these class names; the same one if nothing changes."""
    if tuple(names) == dataset.class_names and list(places) == list(range(len(names))):
        return dataset
    exactly = all(names[place] == name for place, name in zip(places, dataset.class_names, strict=True))
    by = () if exactly else (repr(list(places)),)  # else the names alone tell where labels went
    return replace(
        dataset,
        labels=torch.tensor(places)[dataset.labels],
        class_names=tuple(names),
        fingerprint=fingerprint_of(dataset.fingerprint, *names, *by),
    )


def _names_of(dataset: Dataset, match: Match, outputs: Sequence[int]) -> tuple[str, ...]:
    """Names of some outputs: those of the data, so that all models compared on it have the same, as far as they tell.

    The model's names stand for mere indices, for what a map names, and for outputs without images.
    """
    ours: dict[int, list[str]] = {}
    for name, output in zip(dataset.class_names, match.outputs, strict=True):
        ours.setdefault(output, []).append(name)
    if match.names is not None and match.how in ("index", "map"):
        ours = {}
    theirs = match.names or tuple(map(str, range(max(outputs) + 1)))
    return tuple(" + ".join(ours.get(output, [theirs[output]])) for output in outputs)


def _by(classifier: Classifier, match: Match) -> str:
    if classifier.class_names is None and match.how in ("names", "ids"):
        return f"{BY[match.how]}, its outputs taken to be ImageNet's in their usual order"
    return BY[match.how]
