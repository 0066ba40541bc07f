"""Would another usual preprocessing or order of classes be right more often? Tried on a few labelled images."""

from csg_analyze.alternatives.text import alternatives_table, alternatives_values
from csg_analyze.alternatives.trying import Trial, Trials, try_alternatives

__all__ = ["Trial", "Trials", "alternatives_table", "alternatives_values", "try_alternatives"]
