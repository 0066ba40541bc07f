"""Similarity of the classes' mean features and gate rows (Sec. 4.2, Fig. 6)."""
