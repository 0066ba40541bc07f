"""What a reader of the mutual information has to know beside it, in plain sentences."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from csg_analyze.analyzers.mis.estimation import Estimator
from csg_analyze.analyzers.mis.permutations import (
    fewest_found,
    needed_permutations,
)
from csg_analyze.metrics.arrays import FloatArray
from csg_analyze.metrics.mutual_information import chance_permutations
from csg_analyze.wording import listed


def notes_on_filters(per_class: pd.DataFrame, filters: pd.DataFrame, normalised: FloatArray) -> Iterator[str]:
    """Absent classes, dead filters, shares above 1, filters without a selectivity index."""
    absent = per_class.loc[per_class["n"] == 0, "class"].tolist()
    if absent:
        yield f"no image of: {listed(absent)}; their mutual information is 0."
    dead = filters.loc[filters["dead"], "filter"].tolist()
    if dead:
        yield (
            f"{len(dead)} of {len(filters)} filters are dead, the same activation on every image: "
            f"{listed([str(k) for k in dead])}. Their MI comes from the noise that breaks ties; they have no class, "
            "and mis_without_dead leaves them out. A filter that differs on a few images is not counted as dead."
        )
    above = normalised > 1
    if above.any():
        yield (
            f"{above.sum()} of {above.size} entries are estimated above the entropy of their class, with shares of up "
            f"to {np.nanmax(normalised):.4g}, in {above.any(axis=1).sum()} of {len(filters)} filters: an estimate can "
            "exceed what there is to know, and such a share says no more than 1."
        )
    undefined = int(filters["selectivity"].isna().sum())
    if undefined:
        yield (
            f"the class selectivity index is not defined for {undefined} of {len(filters)} filters "
            "(no activation, or negative ones)."
        )


def chance_note(permutations: int, n_filters: int, estimator: Estimator) -> str:
    """Where the chance level comes from."""
    source = (
        f"the same {permutations} permutations of the labels as the significance"
        if permutations
        else f"{chance_permutations(n_filters)} permutations of the labels for every filter"
    )
    by = "" if estimator == "exact" else " (by the exact estimator, which equals scikit-learn's to rounding)"
    return (
        f"mis_chance is the MIS of the same filters under permuted labels, from {source}{by}. It falls with the number "
        "of images and rises with that of classes. A filter with a clear class owes less than that to chance."
    )


def significance_notes(permutations: int, n_alive: int, significance: float) -> Iterator[str]:
    """What the significance is, and what too few permutations cannot show."""
    if not permutations:
        return
    yield (
        f"significance from {permutations} permutations of the labels, the same for all filters; filters count as "
        f"significant at a false discovery rate of {significance:g} among the {n_alive} that are not dead (Benjamini "
        "and Hochberg 1995). The level of a single entry of the matrix, p_value, is not corrected for their number."
    )
    fewest = fewest_found(n_alive, permutations, significance)
    if fewest > 1:
        yield (
            f"{permutations} permutations show significant filters only where there are at least {fewest} with the "
            "smallest possible level, and significant_filters is left open where there are fewer; --permutations "
            f"{needed_permutations(n_alive, 1, significance)} can show a single one."
        )
