"""Mutual information of filters with classes (Sec. 4.1, Table 1, Fig. 4)."""
