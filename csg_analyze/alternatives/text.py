"""The alternatives as a table for people, and as plain values for JSON."""

from __future__ import annotations

import json
from typing import Any

from csg_analyze.alternatives.trying import Trial, Trials
from csg_analyze.checkpoints.description import preprocessing_values

SHOWN = 10
"""Largest number of alternatives in the table."""
MOST_MAPPED = 200
"""Classes up to which the table's text holds the class map; JSON always does."""


def alternatives_table(trials: Trials) -> str:
    """The best alternatives and the current setting, one a line, and what follows from them."""
    shown = list(trials.trials[:SHOWN])
    if trials.current not in shown:
        shown.append(trials.current)
    rows = [("alternative", "accuracy", "95 % interval", "beyond noise", "flags"), *map(_row, shown)]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = [
        "  " + "  ".join([*(cell.ljust(width) for cell, width in zip(row[:4], widths, strict=True)), row[4]]).rstrip()
        for row in rows
    ]
    more = len(trials.trials) - len(shown)
    title = f"usual alternatives, on {trials.n_images} images"
    left_out = [f"  not tried: {reason}" for reason in trials.left_out]
    rest = [f"  and {more} more that are right no more often"] if more else []
    return "\n".join([title, *lines, *rest, *left_out, *(f"  {line}" for line in _conclusion(trials))])


def _row(trial: Trial) -> tuple[str, str, str, str, str]:
    differs = "" if trial.p_value is None else "yes" if trial.differs else "no"
    interval = f"[{trial.low:.4f}, {trial.high:.4f}]"
    name = ", ".join(trial.changes) or "as it is now"
    return name, f"{trial.accuracy:.4f}", interval, differs, " ".join(trial.flags)


def _conclusion(trials: Trials) -> list[str]:
    best, test = trials.better, f"McNemar's test, corrected for {len(trials.trials) - 1} alternatives"
    lines = []
    if best is None:
        lines.append(f"No alternative is better than the current setting beyond noise ({test}).")
    else:
        lines.append(f"Better beyond noise ({test}): {', '.join(best.changes)}; give {' '.join(best.flags)}")
        if best.class_map is not None and len(best.class_map) <= MOST_MAPPED:
            lines.append(f"FILE holds the output of every class: {json.dumps(dict(best.class_map))}")
        elif best.class_map is not None:
            lines.append("FILE holds the output of every class: --json prints it as class_map.")
    if trials.trials[0].near_chance:
        lines.append(
            "Even the best is near chance: the weights, the network or the data may be others than this file was "
            "trained with."
        )
    return lines


def alternatives_values(trials: Trials) -> dict[str, Any]:
    """All alternatives as plain values, best first; names keep their meaning within description's SCHEMA."""
    return {
        "n_images": trials.n_images,
        "better": None if trials.better is None else list(trials.better.changes),
        "left_out": list(trials.left_out),
        "tried": [
            {
                "changes": list(trial.changes),
                "accuracy": trial.accuracy,
                "low": trial.low,
                "high": trial.high,
                "near_chance": trial.near_chance,
                "p_value": trial.p_value,
                "flags": " ".join(trial.flags),
                "class_map": None if trial.class_map is None else dict(trial.class_map),
                "preprocessing": {
                    name: value
                    for name, value in preprocessing_values(trial.preprocessing).items()
                    if name not in ("origins", "assumed")
                },
            }
            for trial in trials.trials
        ],
    }
