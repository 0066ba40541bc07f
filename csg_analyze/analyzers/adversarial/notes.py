"""Notes on the detection for the reader of a report."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from csg_analyze.analyzers.adversarial.study import Study
from csg_analyze.metrics.adversarial import NOT_MOVED, AttackRun, Attacks

FEWEST = 50
"""Fewest adversarial samples of an attack for which detectors are trained."""


def why_too_few(runs: Mapping[str, AttackRun], n_candidates: int) -> str:
    """A sentence on how many attacks succeeded, and on remedies."""
    successes = ", ".join(
        f"{int(run.succeeded.sum())} of {len(run.sources)} by {name}"
        + (f", which moved {run.count(NOT_MOVED)} of them by no step" if run.count(NOT_MOVED) else "")
        for name, run in runs.items()
    )
    return (
        f"too few adversarial samples to train a detector ({successes or 'none was tried'}): at least {FEWEST} are "
        f"needed, and {n_candidates} images are classified correctly by every compared model; raise --limit or --eps, "
        "or choose another attack."
    )


def notes_on(
    runs: Mapping[str, AttackRun],
    counts: pd.DataFrame,
    studies: Mapping[str, Study],
    targeted: bool,
    attacks: Attacks,
    transfer: bool,
    adaptive: bool,
) -> tuple[str, ...]:
    """Shortfalls, images that no step moved, attacks that cannot be aimed, limits that were not studied."""
    notes = []
    for row in counts[counts["shortfall"] > 0].to_dict("records"):
        n_samples = row["wanted"] - row["shortfall"]
        notes.append(
            f"{row['attack']}: {n_samples} adversarial samples instead of the {row['wanted']} that the sizes require; "
            + (
                "training and test sets are smaller, see n_train and n_test."
                if row["attack"] in studies
                else f"with fewer than {FEWEST} no detector is trained."
            )
        )
    for name, run in runs.items():
        if run.count(NOT_MOVED):
            notes.append(
                f"{name}: no step moved {run.count(NOT_MOVED)} of {len(run.sources)} attacked sources (the gradient "
                "that the attack follows is exactly 0, or leads out of the range of pixels)."
            )
    aimless = [name for name in runs if targeted and not attacks.aims(name)]
    if aimless:
        notes.append(f"{', '.join(aimless)} cannot be aimed at a class and ran untargeted.")
    if transfer and len(studies) < 2:
        notes.append("no transfer matrix: only one attack has enough adversarial samples.")
    if not adaptive:
        notes.append(
            "the attacks do not know the detector. --adaptive shows how much worse detection becomes if an attack "
            "does; without that, a detection rate is no evidence of robustness."
        )
    return tuple(notes)
