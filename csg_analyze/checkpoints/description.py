"""What a checkpoint is, in lines of text."""

from __future__ import annotations

from csg_analyze.checkpoints import Classifier
from csg_analyze.errors import NotAvailable
from csg_analyze.metrics.filters import assigned
from csg_analyze.metrics.gates import l1_density


def describe(classifier: Classifier) -> str:
    """Everything known about a classifier, a line each, for people."""
    preprocessing, gate = classifier.preprocessing, classifier.gate
    parameters = sum(p.numel() for p in classifier.network.parameters())
    size = f"{preprocessing.size}x{preprocessing.size}" if preprocessing.size else "any size"
    resize = f", shorter side resized to {preprocessing.resize}" if preprocessing.resize else ""
    lines = {
        "file": f"{classifier.source}  (sha256 {classifier.sha256[:16]})",
        "architecture": f"{classifier.architecture}, {parameters:,} parameters",
        "training": classifier.training or "not recorded",
        "feature layer": classifier.features,
        "head": ", ".join(filter(None, (classifier.head, f"C = {classifier.n_classes} classes"))),
        "  reads": classifier.head_input.sentence if classifier.head_input else "not known",
        "classes": ", ".join(classifier.class_names) if classifier.class_names else "not recorded",
        "preprocessing": f"mean {_numbers(preprocessing.mean)}, std {_numbers(preprocessing.std)}, {size}{resize}",
        "  from": preprocessing.origin,
        "data": classifier.data or "not recorded (give --data)",
        "gate": "none",
        "convolutions": _convolutions(classifier),
    }
    if gate is not None:
        shared = int((assigned(gate).sum(axis=0) > 1).sum())
        lines["gate"] = f"{gate.shape[0]} x {gate.shape[1]}, L1-density {l1_density(gate):.4f}, {shared} shared filters"
    for name, value in classifier.record.items():
        lines[f"record: {name}"] = _fields(value)
    width = max(map(len, lines))
    body = [f"  {name:<{width}}  {text}" for name, text in lines.items()]
    return "\n".join([classifier.name, *body, *(f"  note: {note}" for note in classifier.notes)])


def _convolutions(classifier: Classifier) -> str:
    try:
        return " ".join(classifier.convolutions())
    except NotAvailable:
        return "none"


def _numbers(values: tuple[float, ...]) -> str:
    return ",".join(f"{value:.4g}" for value in values)


def _fields(value: object) -> str:
    """`epochs=4, lr=0.1` of recorded fields, those in groups of a recipe included."""
    if not isinstance(value, dict):
        return str(value)
    return ", ".join(_fields(each) if isinstance(each, dict) else f"{name}={each}" for name, each in value.items())
