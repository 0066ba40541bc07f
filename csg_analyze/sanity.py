"""A check of every model that costs nothing: its accuracy, from the forward pass that an analysis needed anyway."""

from __future__ import annotations

from csg_analyze.checkpoints import Classifier
from csg_analyze.data import Dataset
from csg_analyze.metrics.arrays import IntArray
from csg_analyze.metrics.chance import near_chance


def chance_note(classifier: Classifier, dataset: Dataset, predictions: IntArray) -> str:
    """A sentence where accuracy is near chance, and what to do; empty elsewhere. predictions: (N,)."""
    found = near_chance(predictions, dataset.labels.numpy(), classifier.n_classes)
    if found is None:
        return ""
    measured = f"accuracy {found.accuracy:.2f} [{found.low:.2f}, {found.high:.2f}]"
    if not found.certain:
        return (
            f"{measured} on {len(dataset)} images cannot be told from chance ({found.chance:.2f}); more images can tell"
        )
    where = "below" if found.high < found.chance else "near"
    remedy = "; csg-analyze inspect FILE --data SPEC tries the usual alternatives of both"
    if classifier.path is not None:
        remedy = remedy.replace("FILE", str(classifier.path))
    if dataset.spec and dataset.split:  # data in hand has no spec
        remedy = remedy.replace("SPEC", dataset.spec)
    return f"{measured} is {where} chance ({found.chance:.2f}): class order or preprocessing is probably wrong{remedy}"
