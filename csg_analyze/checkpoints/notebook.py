"""How a classifier looks in a notebook."""

from __future__ import annotations

from csg_analyze.checkpoints.classifier import Classifier
from csg_analyze.html import pieces
from csg_analyze.metrics.gates import l1_density


def html_of_classifier(classifier: Classifier) -> str:
    """The classifier in a few lines; `describe` has all of them."""
    names, gate, preprocessing = classifier.class_names, classifier.gate, classifier.preprocessing
    parameters = sum(p.numel() for p in classifier.network.parameters())
    size = f"{preprocessing.size}x{preprocessing.size}" if preprocessing.size else "any size"
    lines = {
        "architecture": f"{classifier.architecture}, {parameters:,} parameters, on {classifier.device}",
        "training": classifier.training or "not recorded",
        "feature layer": f"{classifier.feature_layer}, K = {classifier.n_filters} filters",
        "classes": f"C = {classifier.n_classes}" + (f": {', '.join(names[:12])}" if names else ""),
        "gate": "" if gate is None else f"{gate.shape[0]} x {gate.shape[1]}, L1-density {l1_density(gate):.4f}",
        "preprocessing": f"{size}, {preprocessing.origin}",
        "data": classifier.data or "",
        "file": "in memory" if classifier.path is None else classifier.path,
        "notes": "; ".join(classifier.notes),
    }
    return pieces.together(pieces.heading(f"classifier: {classifier.name}"), pieces.facts(lines))
