"""Mutual information between filters and classes, and its score MIS."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np
import pandas as pd

from csg_analyze.about import Claim, Headline, about
from csg_analyze.analyzers.mis.estimation import Estimator, estimate
from csg_analyze.analyzers.mis.figures import draw_matrices
from csg_analyze.analyzers.mis.notes import chance_note, notes_on_filters, significance_notes
from csg_analyze.analyzers.mis.permutations import adjusted_p_values, fewest_significant, needed_permutations
from csg_analyze.analyzers.mis.specificity import (
    class_selectivity,
    normalised_information,
    overlap_with_gate,
    rank_correlation,
)
from csg_analyze.errors import UsageError
from csg_analyze.metrics.arrays import FloatArray, IntArray
from csg_analyze.metrics.filters import class_means, dead_filters
from csg_analyze.metrics.keeping import NOTHING_KEPT, Keep
from csg_analyze.metrics.mutual_information import mutual_information_score
from csg_analyze.metrics.statistics import share_with_interval
from csg_analyze.result import Drawing, Matrix, Number, Result, Table

FIGURE = "Fig. 4: the gate, the mutual information of every model on one scale, and the overlap of both."


@about(
    "Mutual information of filters and classes",
    "How much every filter tells about every class.",
    measures="""
    M is the mutual information, in nats, of a filter's averaged activation and whether the image is of the class, for
    every filter and every class. The score MIS is the mean over the filters of their largest entry.
    """,
    reading="""
    The estimate is above 0 even without any information. `mis_chance` is the MIS of the same filters under permuted
    labels, and `mis_above_chance` the difference to it. The chance level falls with the number of images, so scores
    from different numbers of images cannot be compared. Dead filters have the same activation on every image and no
    information, but the estimate for them is not 0; `mis_without_dead` leaves them out.

    Two other measures are the class selectivity index (Morcos et al. 2018), and mutual information as a share of the
    entropy of the class; `shares_above_1` counts the entries whose estimate exceeds the entropy. With `--permutations`
    every entry has a significance level, and `significant_filters` is the share of filters whose largest entry is
    significantly above chance, corrected for the number of filters (Benjamini and Hochberg 1995).

    Accuracy stands beside MIS: where it is near chance, class order or preprocessing is probably wrong, and MIS says
    nothing about the network.
    """,
    caption="mutual information score MIS and its chance level, the MIS under permuted labels",
    headlines=(
        Headline("mis", "MIS", best="highest", claim=Claim("MIS", better="higher", ratio=True)),
        Headline("mis_chance", "Chance"),
        Headline("accuracy", "Accuracy", ("accuracy_low", "accuracy_high"), best="highest"),
    ),
)
def mis(
    activations: FloatArray,
    labels: IntArray,
    class_names: Sequence[str],
    gate: FloatArray | None,
    predictions: IntArray | None = None,
    cache: Keep = NOTHING_KEPT,
    *,
    estimator: Annotated[Estimator, "the fast exact estimator, or scikit-learn's own"] = "exact",
    n_neighbors: Annotated[int, "neighbours k of the estimator (Ross 2014)"] = 3,
    permutations: Annotated[
        int, "permutations of the labels for significance levels; one significant filter needs 20 per filter; 0: none"
    ] = 0,
    significance: Annotated[float, "false discovery rate at which the best MI of a filter is significant"] = 0.05,
    seed: Annotated[int, "seed of the noise that breaks ties, as in scikit-learn, and of the permutations"] = 0,
) -> Result:
    """Mutual information of every filter with every class, and its score MIS (Sec. 4.1, Fig. 4).

    activations: (N, K), averaged maps. M[k, c] = MI(a_k, 1[y = c]) in nats; MIS = mean_k max_c M[k, c].
    gate: (C, K) for Fig. 4c, the overlap of both matrices; None leaves it out. predictions: (N,), for the accuracy
    beside MIS. The significance of a filter's best
    entry accounts for the choice of the class.

    Raises UsageError for unusable options.
    """
    _check(n_neighbors, permutations, significance, estimator)
    n_classes = len(class_names)
    matrix, chance, test = estimate(activations, labels, estimator, n_classes, n_neighbors, permutations, seed, cache)
    normalised = normalised_information(matrix, labels)
    selectivity = class_selectivity(class_means(activations, labels, n_classes))
    alive = ~dead_filters(activations)
    best = matrix.argmax(axis=1)
    filters = pd.DataFrame(
        {
            "filter": np.arange(len(matrix)),
            "class": [class_names[c] if live else None for c, live in zip(best, alive, strict=True)],
            "mi": matrix.max(axis=1),
            "normalised_mi": np.nanmax(normalised, axis=1, initial=0),
            "selectivity": selectivity,
            "dead": ~alive,
        }
    )
    by_cell = {"mi": matrix, "normalised_mi": normalised}
    summary = _summary(matrix, float(chance.mean()), normalised, filters, len(labels))
    if gate is not None:
        by_cell["gate"] = gate.T
        summary["gate_overlap"] = overlap_with_gate(matrix[alive], gate[:, alive]) if alive.any() else None
    if test is not None:
        by_cell["p_value"] = test.p_values
        filters["best_p_value"] = test.best_p_values
        filters["adjusted_p_value"] = adjusted_p_values(test.best_p_values, alive)
        filters["chance_mi"] = chance
        # rounding may put an adjusted value that equals the rate above it
        significant = filters["adjusted_p_value"] <= significance * (1 + 1e-9)
        possible = significant.any() or fewest_significant(int(alive.sum()), permutations, significance) == 1
        summary["significant_filters"] = float(significant.mean()) if possible else None  # None: too few permutations
        summary["permutations"] = permutations
    per_class = pd.DataFrame(
        {
            "class": list(class_names),
            "n": np.bincount(labels, minlength=n_classes),
            "mean_mi": matrix.mean(axis=0),
            "max_mi": matrix.max(axis=0),
            "n_filters": np.bincount(best[alive], minlength=n_classes),
        }
    )
    if predictions is not None:
        right = predictions == labels
        share, low, high = share_with_interval(int(right.sum()), len(labels))
        summary |= {"accuracy": share, "accuracy_low": low, "accuracy_high": high}
        with np.errstate(invalid="ignore"):  # a class without images has no recall
            per_class["recall"] = np.bincount(labels, right, minlength=n_classes) / per_class["n"]
    return Result(
        summary=summary,
        tables={"per_class": Table(per_class), "filters": Table(filters)},
        matrices={"matrix": Matrix({"filter": range(len(matrix)), "class": class_names}, by_cell)},
        figures={"matrices": Drawing(draw_matrices, FIGURE)},
        sample_sizes={"MIS": len(labels)},
        notes=(
            *notes_on_filters(per_class, filters, normalised),
            chance_note(permutations, len(matrix), estimator),
            *significance_notes(permutations, int(alive.sum()), significance),
        ),
    )


def _summary(
    matrix: FloatArray, chance: float, normalised: FloatArray, filters: pd.DataFrame, n: int
) -> dict[str, Number]:
    alive, best, share = ~filters["dead"].to_numpy(), matrix.max(axis=1), filters["normalised_mi"].to_numpy()
    selectivity = filters["selectivity"].to_numpy()
    score = mutual_information_score(matrix)
    return {
        "mis": score,
        "mis_chance": chance,
        "mis_above_chance": score - chance,
        "n": n,
        "n_filters": len(filters),
        "dead_filters": int((~alive).sum()),
        "mis_without_dead": mutual_information_score(matrix[alive]) if alive.any() else None,
        "normalised_mis": float(share.mean()),
        "shares_above_1": int((normalised > 1).sum()),
        "mean_selectivity": _mean(selectivity),
        "rank_correlation_selectivity": rank_correlation(best, selectivity),
        "rank_correlation_normalised": rank_correlation(best, share),
    }


def _check(n_neighbors: int, permutations: int, significance: float, estimator: Estimator) -> None:
    if n_neighbors < 1 or permutations < 0 or not 0 < significance < 1:
        raise UsageError("--n-neighbors must be at least 1, --permutations at least 0, --significance between 0 and 1.")
    if permutations and estimator != "exact":
        raise UsageError("--permutations needs --estimator exact; scikit-learn's estimator would take hours.")
    if permutations and permutations < needed_permutations(1, 1, significance):
        raise UsageError(
            f"with --permutations {permutations} no filter can be significant at --significance {significance:g}; "
            f"give at least {needed_permutations(1, 1, significance)}, or 0 for no significance."
        )


def _mean(values: FloatArray) -> float | None:
    return float(np.nanmean(values)) if np.isfinite(values).any() else None
