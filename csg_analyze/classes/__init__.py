"""Classes of a model and of a dataset matched: by name, WordNet id, index, order, or a map of the user's own."""

from csg_analyze.classes.fitting import fitted
from csg_analyze.classes.maps import ClassMap, class_map_of
from csg_analyze.classes.matching import Match, matched

__all__ = ["ClassMap", "Match", "class_map_of", "fitted", "matched"]
