"""What a reader is told of the correlation analysis."""

MEASURES = """
The correlation of two filters is the cosine of their weights. The
redundancy r_s is the share of the elements of the correlation matrix that are at least s, its diagonal of ones
included as in the paper; `off_diagonal` leaves the diagonal out, `absolute` takes magnitudes.

C_IC is the mean correlation between filters of the groups of different classes; the group of a class are the filters
with the highest mean activation on its images.
"""
READING = """
A filter of two groups meets itself with a correlation of 1, which `c_ic` contains and `c_ic_off_diagonal` leaves out. A
mean of signed cosines is near 0 also where filters are strongly correlated both ways, so it is no scale to take a half
on; the `absolute` numbers are means of magnitudes. In all C_IC a pair of filters counts once for every two groups that
it joins, as in the paper's sum.

`within_groups` and `between_groups` are mean correlations of different filters that belong to one class, or to two
classes: by the largest gate entry, without a gate by the highest mean activation. A filter belongs to at most one class
here, so every pair counts once, also in `between_groups_absolute`; filters shared by several classes are in neither.
Filters with zero weights are blank.
"""
MATRICES_FIGURE = (
    "Fig. 7: correlation of the filters' weights, filters ordered by the class they belong to, on one colour scale. "
    "Without a gate the class is the one with the filter's highest mean activation. C_IC is the paper's: a signed "
    "mean, in which a filter of two groups meets itself."
)
CURVES_FIGURE = "Fig. 8: share of the elements of the correlation matrix (its diagonal included) that are at least s."
