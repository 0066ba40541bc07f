"""Notes on the mutual information for the reader of a report."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from csg_analyze.analyzers.mis.estimation import Estimator
from csg_analyze.analyzers.mis.permutations import fewest_significant, needed_permutations
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
            "and mis_without_dead leaves them out. A filter that differs on a few images does not count as dead."
        )
    above = normalised > 1
    if above.any():
        yield (
            f"{above.sum()} of {above.size} entries are estimated above the entropy of their class, with shares of up "
            f"to {np.nanmax(normalised):.4g}, in {above.any(axis=1).sum()} of {len(filters)} filters: estimates can "
            "exceed the entropy, and such a share means no more than 1."
        )
    undefined = int(filters["selectivity"].isna().sum())
    if undefined:
        yield (
            f"the class selectivity index is not defined for {undefined} of {len(filters)} filters "
            "(no activation, or negative ones)."
        )


def chance_note(permutations: int, n_filters: int, estimator: Estimator) -> str:
    """The source of the chance level."""
    source = (
        f"the same {permutations} permutations of the labels as the significance"
        if permutations
        else f"{chance_permutations(n_filters)} permutations of the labels for every filter"
    )
    by = "" if estimator == "exact" else " (by the exact estimator, which equals scikit-learn's to rounding)"
    return (
        f"mis_chance is the MIS of the same filters under permuted labels, from {source}{by}. It falls with the number "
        "of images and rises with the number of classes. A filter with a clear class owes less to chance."
    )


def significance_notes(permutations: int, n_alive: int, significance: float) -> Iterator[str]:
    """The definition of significance, and the limits of too few permutations."""
    if not permutations:
        return
    yield (
        f"significance from {permutations} permutations of the labels, the same for all filters; filters count as "
        f"significant at a false discovery rate of {significance:g} among the {n_alive} that are not dead (Benjamini "
        "and Hochberg 1995). The p_value of a single entry of the matrix is not corrected for the number of entries."
    )
    fewest = fewest_significant(n_alive, permutations, significance)
    if fewest > 1:
        yield (
            f"{permutations} permutations show significant filters only if there are at least {fewest} with the "
            "smallest possible level; with fewer, significant_filters is blank. --permutations "
            f"{needed_permutations(n_alive, 1, significance)} can show a single one."
        )
