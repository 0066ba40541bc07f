"""How notes put lists into words."""

from __future__ import annotations

from collections.abc import Sequence

from csg_analyze.report.reduction import shortened


def listed(names: Sequence[str], most: int = 8) -> str:
    """Names with commas between, each on one line; beyond `most` of them only how many more there are."""
    shown = ", ".join(shortened(name, 40) for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
