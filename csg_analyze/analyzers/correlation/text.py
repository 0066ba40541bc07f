"""Texts on the correlation for the reader of a report."""

MEASURES = """
The correlation of two filters is the cosine of their weights. The
redundancy r_s is the share of the elements of the correlation matrix that are at least s, its diagonal of ones
included as in the paper; `off_diagonal` leaves the diagonal out, `absolute` takes magnitudes.

C_IC is the mean correlation between filters in the groups of different classes; the group of a class has the filters
with the highest mean activation on its images.
"""
READING = """
`c_ic` pairs a filter of two groups with itself, which gives a correlation of 1; `c_ic_off_diagonal` leaves these pairs
out. A mean of signed cosines is near 0 also if filters are strongly correlated in both directions, so that half of it
means little; the `absolute` numbers are means of magnitudes. In every C_IC, a pair of filters counts once for every two
groups that it connects, as in the paper's sum.

`within_groups` and `between_groups` are mean correlations of different filters that belong to one class, or to two
classes: by the largest gate entry, or without a gate by the highest mean activation. Here a filter belongs to at most
one class, so that every pair counts once, also in `between_groups_absolute`; shared filters are in neither number.
Filters with zero weights are blank.
"""
MATRICES_FIGURE = (
    "Fig. 7: correlation of the filters' weights on one colour scale, filters ordered by their class. Without a gate, "
    "the class is the one with the filter's highest mean activation. C_IC is the paper's: a signed mean that pairs a "
    "filter of two groups with itself."
)
CURVES_FIGURE = "Fig. 8: share of the elements of the correlation matrix (its diagonal included) that are at least s."
