"""What a checkpoint is, in lines of text and as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from csg_analyze.checkpoints import Classifier, Preprocessing
from csg_analyze.checkpoints.preprocessing import numbers
from csg_analyze.errors import NotAvailable
from csg_analyze.metrics.filters import assigned
from csg_analyze.metrics.gates import l1_density

SCHEMA = 1
"""Version of `description`'s values, raised when a name in it changes its meaning."""
_FLAGS: Mapping[str, str] = {"mean": "--mean", "std": "--std", "size": "--size, --resize", "channels": "--channels"}


def describe(classifier: Classifier) -> str:
    """Everything known about a classifier, a line each, for people."""
    gate = classifier.gate
    parameters = sum(p.numel() for p in classifier.network.parameters())
    lines = {
        "file": f"{classifier.source}  (sha256 {classifier.sha256[:16]})",
        "architecture": f"{classifier.architecture}, {parameters:,} parameters",
        "training": classifier.training or "not recorded",
        "feature layer": classifier.features,
        "head": ", ".join(filter(None, (classifier.head, f"C = {classifier.n_classes} classes"))),
        "  reads": classifier.head_input.sentence if classifier.head_input else "not known",
        "classes": ", ".join(classifier.class_names) if classifier.class_names else "not recorded",
        **_preprocessing_lines(classifier.preprocessing),
        "data": classifier.data or "not recorded (give --data)",
        "gate": "none",
        "convolutions": " ".join(_convolutions(classifier)) or "none",
    }
    if gate is not None:
        shared = int((assigned(gate).sum(axis=0) > 1).sum())
        lines["gate"] = f"{gate.shape[0]} x {gate.shape[1]}, L1-density {l1_density(gate):.4f}, {shared} shared filters"
    for name, value in classifier.record.items():
        lines[f"record: {name}"] = _fields(value)
    width = max(map(len, lines))
    body = [f"  {name:<{width}}  {text}" for name, text in lines.items()]
    return "\n".join([classifier.name, *body, *(f"  note: {note}" for note in classifier.notes)])


def description(classifier: Classifier) -> dict[str, Any]:
    """The same as plain values for JSON: names stay, and keep their meaning, within one SCHEMA."""
    preprocessing, gate = classifier.preprocessing, classifier.gate
    return {
        "name": classifier.name,
        "path": None if classifier.path is None else str(classifier.path),
        "sha256": classifier.sha256,
        "arch": classifier.architecture,
        "parameters": sum(p.numel() for p in classifier.network.parameters()),
        "training": classifier.training,
        "feature_layer": classifier.feature_layer,
        "head": classifier.head,
        "n_classes": classifier.n_classes,
        "n_filters": classifier.n_filters,
        "class_names": None if classifier.class_names is None else list(classifier.class_names),
        "preprocessing": preprocessing_values(preprocessing),
        "data": classifier.data,
        "gate": None if gate is None else {"shape": list(gate.shape), "l1_density": float(l1_density(gate))},
        "head_reads": classifier.head_input.sentence if classifier.head_input else None,
        "convolutions": _convolutions(classifier),
        "record": dict(classifier.record),
        "notes": list(classifier.notes),
    }


def preprocessing_values(preprocessing: Preprocessing) -> dict[str, Any]:
    """Preprocessing as plain values: each part with its origin, and whether it was assumed."""
    return {
        "mean": list(preprocessing.mean),
        "std": list(preprocessing.std),
        "size": preprocessing.size,
        "resize": preprocessing.resize,
        "channels": preprocessing.channels,
        "origins": {part: _origin(preprocessing, part) for part in _FLAGS},
        "assumed": [part for part in _FLAGS if _is_assumed(preprocessing, part)],
    }


def preprocessing_sentence(preprocessing: Preprocessing) -> str:
    """Each part and its origin on one line, for the provenance of a report."""
    values = _values(preprocessing)
    return "; ".join(f"{part} {value} ({_origin(preprocessing, part)})" for part, value in values.items())


def _values(preprocessing: Preprocessing) -> dict[str, str]:
    size = f"{preprocessing.size}x{preprocessing.size} pixels" if preprocessing.size else "any size"
    if preprocessing.resize:
        size += f", shorter side resized to {preprocessing.resize}"
    order = "red, green, blue" if preprocessing.channels == "rgb" else "blue, green, red"
    return {
        "mean": numbers(preprocessing.mean),
        "std": numbers(preprocessing.std),
        "size": size,
        "channels": order,
    }


def _preprocessing_lines(preprocessing: Preprocessing) -> dict[str, str]:
    """A line for each part: its values, its origin, and the flags that give others where it was assumed."""
    lines = {}
    for part, value in _values(preprocessing).items():
        origin = _origin(preprocessing, part)
        unsaid = _is_assumed(preprocessing, part) and "give --" not in origin
        wrong = f"; if that is wrong, give {_FLAGS[part]}" if unsaid else ""
        lines[f"preprocessing: {part}"] = f"{value}  ({origin}{wrong})"
    return lines


def _origin(preprocessing: Preprocessing, part: str) -> str:
    return preprocessing.origins.get(part, preprocessing.origin)


def _is_assumed(preprocessing: Preprocessing, part: str) -> bool:
    return _origin(preprocessing, part).startswith("assumed")


def _convolutions(classifier: Classifier) -> list[str]:
    try:
        return list(classifier.convolutions())
    except NotAvailable:
        return []


def _fields(value: object) -> str:
    """`epochs=4, lr=0.1` of recorded fields, those in groups of a recipe included."""
    if not isinstance(value, dict):
        return str(value)
    return ", ".join(_fields(each) if isinstance(each, dict) else f"{name}={each}" for name, each in value.items())
