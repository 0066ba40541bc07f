"""Localization of objects by filters and class maps (Sec. 5.1, Table 2, Fig. 9)."""
