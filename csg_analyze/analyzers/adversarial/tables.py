"""Attack runs as tables: outcomes, the first successes, one row per attacked image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from csg_analyze.analyzers.adversarial.study import HELD_OUT
from csg_analyze.metrics.adversarial import OUTCOMES, SUCCESS, UNTARGETED, AttackRun
from csg_analyze.metrics.arrays import FloatArray, IntArray
from csg_analyze.result import Pictures, Table


def in_words(runs: Mapping[str, AttackRun]) -> str:
    """Settings and counts of every attack, for a caption."""
    parts = []
    for run in runs.values():
        failures = ", ".join(f"{run.count(outcome)} {outcome}" for outcome in OUTCOMES[1:])
        parts.append(
            f"{run.settings}: {run.count(SUCCESS)} successes of {len(run.sources)} attacked sources ({failures})"
        )
    return "; ".join(parts) + "."


def attack_counts(runs: Mapping[str, AttackRun], used: Mapping[str, int], n_candidates: int, enough: int) -> Table:
    """One row per attack: outcomes of the attacked images, and the size of the successful perturbations."""
    rows = []
    for name, run in runs.items():
        sizes, n_successes = run.l2[run.succeeded], int(run.succeeded.sum())
        rows.append(
            {
                "attack": name,
                "candidates": n_candidates,
                "attacked": len(run.sources),
                **{outcome.replace(" ", "_"): run.count(outcome) for outcome in OUTCOMES},
                "success_rate": n_successes / len(run.sources) if len(run.sources) else float("nan"),
                "used": used.get(name, 0),
                "wanted": enough,
                "shortfall": max(0, enough - n_successes),
                "mean_l2": float(sizes.mean()) if n_successes else float("nan"),
                "median_l2": float(np.median(sizes)) if n_successes else float("nan"),
                "mean_linf": float(run.linf[run.succeeded].mean()) if n_successes else float("nan"),
            }
        )
    settings = "; ".join(run.settings for run in runs.values())
    return Table(pd.DataFrame(rows), f"{settings}. Norms are for pixels in [0, 1].")


def example_table(
    runs: Mapping[str, AttackRun], sample_ids: Sequence[str], labels: IntArray, class_names: Sequence[str]
) -> tuple[pd.DataFrame, Pictures]:
    """The first successes of every attack, and their "clean" and "adversarial" images, float (3, H, W) in [0, 1]."""
    rows, images = [], []
    for name, run in runs.items():
        for place, pair in run.examples.items():
            source, target = int(run.sources[place]), int(run.targets[place])
            rows.append(
                {
                    "attack": name,
                    "sample_id": sample_ids[source],
                    "label": class_names[labels[source]],
                    "target": None if target == UNTARGETED else class_names[target],
                    "prediction": class_names[run.predictions[place]],
                    "l2": run.l2[place],
                    "linf": run.linf[place],
                }
            )
            images.append(pair)
    clean, adversarial = zip(*images, strict=True) if images else ((), ())
    return pd.DataFrame(rows), Pictures({"clean": clean, "adversarial": adversarial})


def attacked_samples(
    runs: Mapping[str, AttackRun],
    scores: Mapping[str, Mapping[str, FloatArray]],
    sample_ids: Sequence[str],
    labels: IntArray,
    class_names: Sequence[str],
) -> pd.DataFrame:
    """One row per attack and attacked source; scores are held-out means over the repeats, blank if never tested."""
    parts = []
    for name, run in runs.items():
        frame = pd.DataFrame(
            {
                "sample_id": [sample_ids[i] for i in run.sources],
                "attack": name,
                "label": [class_names[labels[i]] for i in run.sources],
                "target": [None if t == UNTARGETED else class_names[t] for t in run.targets],
                "prediction": [class_names[p] for p in run.predictions],
                "success": run.succeeded,
                "outcome": run.outcomes.astype(str),
                "l2": run.l2,
                "linf": run.linf,
            }
        )
        for column in HELD_OUT:
            values = np.full(len(frame), np.nan)
            if name in scores:
                held_out = scores[name][column]
                values[np.flatnonzero(run.succeeded)[: len(held_out)]] = held_out
            frame[column] = values
        parts.append(frame)
    return pd.concat(parts, ignore_index=True)
