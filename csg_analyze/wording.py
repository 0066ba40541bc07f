"""Values, names and lists as text, for pages, figures and notes."""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Sequence
from typing import Any
from unicodedata import east_asian_width

import numpy as np
import pandas as pd

DASH = "–"


def cell(value: Any) -> str:
    """One value as shown: four decimals, a dash if missing, a single line."""
    if pd.api.types.is_scalar(value) and bool(pd.isna(value)):
        return DASH
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, float | np.floating):
        number = float(value)
        return f"{number:.4f}" if number == 0 or 1e-3 <= abs(number) < 1e5 else f"{number:.3g}"
    # line breaks would break a table, and escape sequences a terminal
    return "".join(character if character.isprintable() else " " for character in str(value))


def shortened(label: str, length: int = 16) -> str:
    """A label on one line, cut to the width of `length` letters with an ellipsis; Chinese characters count twice."""
    line = "".join(character if character.isprintable() else " " for character in label)
    ends = list(itertools.accumulate(1 + (east_asian_width(character) in "WF") for character in line))
    if not ends or ends[-1] <= length:
        return line
    return line[: bisect.bisect_right(ends, length - 1)].rstrip() + "…"


def listed(names: Sequence[str], most: int = 8) -> str:
    """Names separated by commas, each on one line; after `most` names only the number of the others."""
    first = ", ".join(shortened(name, 40) for name in names[:most])
    return first if len(names) <= most else f"{first} and {len(names) - most} more"
