"""Correlation between the filters' weights (Sec. 4.3, Fig. 7 and 8)."""
