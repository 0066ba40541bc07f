"""Ross' estimator (PLoS ONE 9(2), 2014) for one filter against every class at once, compiled.

For a class c, let r_i be the distance of sample i to its k-th neighbour among the samples of its own label (c or not
c), and m_i the number of samples of any label strictly nearer than r_i, including i itself. Then

    MI = psi(N) + mean psi(k_i) - mean psi(n_label(i)) - mean psi(m_i)

In one dimension, neighbours are runs of the sorted samples. For a sample outside c, the k neighbours among **all**
samples are the right ones unless c occurs among them. That happens for at most N k pairs (i, c) over all classes; hence
a row of the matrix costs O(N k), whatever the number of classes.

Every function lies in this one file because numba's cache on disk does not notice a change in another one.
"""

from __future__ import annotations

import numpy as np

from csg_analyze.metrics.arrays import FloatArray, IntArray
from csg_analyze.metrics.compiling import compiled


@compiled
def information_of_filter(
    x: FloatArray, order: IntArray, labelings: IntArray, counts: IntArray, k: int, psi: FloatArray
) -> FloatArray:
    """Mutual information of one filter with every class, in nats, under each of L labelings: (L, C).

    x: (N,), sorted. order: (N,), the order that sorted it. labelings: (L, N), in the samples' original order, all with
    `counts` (C,) samples of the classes. psi: (N + 1,), the digamma function of 0..N.
    """
    information = np.empty((len(labelings), len(counts)))
    labels = np.empty(len(x), labelings.dtype)
    for row in range(len(labelings)):
        for i in range(len(x)):
            labels[i] = labelings[row, order[i]]
        information[row] = information_of_labels(x, labels, counts, k, psi)
    return information


@compiled
def information_of_labels(x: FloatArray, labels: IntArray, counts: IntArray, k: int, psi: FloatArray) -> FloatArray:
    """One row of the matrix, from the sums of psi(m_i); labels with few samples are treated as in scikit-learn."""
    n = len(x)
    information = np.zeros(len(counts))
    positions, offsets = positions_by_class(labels, counts)
    rest_sums = sums_over_rests(x, labels, counts, k, psi)
    for c in range(len(counts)):
        n_class = counts[c]
        n_rest = n - n_class
        if n_class == 0:
            continue  # no information, whatever the ties among the others give
        n_counted, total = n, 0.0
        if n_class == 1:
            n_counted -= 1  # a single sample has no neighbour of its label and is left out
        else:
            own = positions[offsets[c] : offsets[c + 1]]
            k_class = min(k, n_class - 1)
            total += n_class * (psi[k_class] - psi[n_class]) - sum_over_label(x, own, k_class, psi, n_rest == 1)
        if n_rest == 1:
            n_counted -= 1
        elif n_rest > k:
            total += n_rest * (psi[k] - psi[n_rest]) - rest_sums[c]
        elif n_rest > 1:
            own = np.flatnonzero(labels != c)
            total += n_rest * (psi[n_rest - 1] - psi[n_rest])
            total -= sum_over_label(x, own, n_rest - 1, psi, n_class == 1)
        if n_counted > 0:
            information[c] = max(0.0, psi[n_counted] + total / n_counted)
    return information


@compiled
def positions_by_class(labels: IntArray, counts: IntArray) -> tuple[IntArray, IntArray]:
    """The sorted positions of every class, class after class (N,), and where each class starts (C + 1,)."""
    offsets = np.zeros(len(counts) + 1, np.int64)
    for c in range(len(counts)):  # np.cumsum would take a second to compile
        offsets[c + 1] = offsets[c] + counts[c]
    free = offsets.copy()
    positions = np.empty(len(labels), np.int32)
    for i in range(len(labels)):
        positions[free[labels[i]]] = i
        free[labels[i]] += 1
    return positions, offsets


@compiled
def sum_over_label(x: FloatArray, own: IntArray, k: int, psi: FloatArray, other_is_single: bool) -> float:
    """Sum of psi(m_i) over the samples of one label, given by their sorted positions `own`.

    other_is_single: the other label has a single sample, which never counts.
    """
    values = x[own]
    if other_is_single:
        x, own = values, np.arange(len(values)).astype(own.dtype)
    total = 0.0
    start = 0
    for j in range(len(own)):
        start = window_start(values, j, start, k)
        end = start + k
        radius = max(values[j] - values[start], values[end] - values[j])
        # beyond the nearer end of the window, other labels may be within the radius, until the next sample of this one
        first, last = own[start], own[end]
        if values[j] - values[start] < radius:
            low = own[start - 1] + 1 if start > 0 else 0
            while low < first:
                middle = (low + first) // 2
                if x[own[j]] - x[middle] < radius:
                    first = middle
                else:
                    low = middle + 1
        if values[end] - values[j] < radius:
            high = own[end + 1] - 1 if end + 1 < len(own) else len(x) - 1
            while last < high:
                middle = (last + high + 1) // 2
                if x[middle] - x[own[j]] < radius:
                    last = middle
                else:
                    high = middle - 1
        first, last = strictly_nearer(x, own[j], first, last, radius)
        total += psi[last - first + 1]
    return total


@compiled
def sums_over_rests(x: FloatArray, labels: IntArray, counts: IntArray, k: int, psi: FloatArray) -> FloatArray:
    """The sum of psi(m_i) over the samples outside each class, (C,); meaningless if these are k or fewer."""
    n = len(x)
    corrections = np.zeros(len(counts))
    total = 0.0
    occurrences = np.zeros(len(counts), np.int64)  # of every class in the current window
    start = 0
    for i in range(n if n > k else 0):
        start = window_start(x, i, start, k)
        radius = max(x[i] - x[start], x[start + k] - x[i])
        first, last = strictly_nearer(x, i, start, start + k, radius)
        psi_all = psi[last - first + 1]
        # add what holds for classes outside the window to all classes, and correct the classes inside
        total += psi_all
        corrections[labels[i]] -= psi_all
        if radius == 0.0:  # a class of one sample is left out, also a duplicate beyond the window
            for q in range(first, last + 1):
                if counts[labels[q]] == 1 and not start <= q <= start + k:
                    corrections[labels[q]] += psi[last - first] - psi_all
        for q in range(start, start + k + 1):
            occurrences[labels[q]] += 1
        occurrences[labels[i]] = 0
        for q in range(start, start + k + 1):
            c = labels[q]
            missing = occurrences[c]
            if missing == 0:
                continue  # the sample's own class, or done already
            occurrences[c] = 0
            if n - counts[c] > k:
                first, last = nearer_without(x, labels, i, start, start + k, c, missing)
                m = last - first + 1
                if counts[c] == 1 and first <= q <= last:
                    m -= 1  # the class of one sample again
                corrections[c] += psi[m] - psi_all
    return total + corrections


@compiled
def nearer_without(
    x: FloatArray, labels: IntArray, i: int, first: int, last: int, c: int, missing: int
) -> tuple[int, int]:
    """The run of samples nearer than the k-th neighbour of i outside class c.

    first..last: the k neighbours of i, `missing` of them in c. Skipping the runs of c costs N k steps over all samples
    and classes, because only the few samples beside a run skip it.
    """
    left, right, radius = first - 1, last + 1, 0.0
    for _ in range(missing):
        while left >= 0 and labels[left] == c:
            left -= 1
        while right < len(x) and labels[right] == c:
            right += 1
        if right == len(x) or (left >= 0 and x[i] - x[left] <= x[right] - x[i]):
            radius = x[i] - x[left]
            left -= 1
        else:
            radius = x[right] - x[i]
            right += 1
    return strictly_nearer(x, i, left + 1, right - 1, radius)


@compiled
def window_start(x: FloatArray, i: int, start: int, k: int) -> int:
    """The first place of the k + 1 consecutive values with x[i] and its k nearest; start: the first place for i - 1.

    The window only moves to the right, and if one step does not bring it nearer, no further step does.
    """
    while start + k < i or (start + k + 1 < len(x) and x[start + k + 1] - x[i] < x[i] - x[start]):
        start += 1
    return start


@compiled
def strictly_nearer(x: FloatArray, i: int, first: int, last: int, radius: float) -> tuple[int, int]:
    """The samples in first..last strictly nearer to i than the radius; no sample outside first..last is nearer.

    Noise of a few ulps leaves equal distances and exact duplicates. With k duplicates the radius is 0, and all of them
    count, as in scikit-learn.
    """
    if radius == 0.0:
        first = last = i
        while first > 0 and x[first - 1] == x[i]:
            first -= 1
        while last + 1 < len(x) and x[last + 1] == x[i]:
            last += 1
    else:
        while x[i] - x[first] >= radius:
            first += 1
        while x[last] - x[i] >= radius:
            last -= 1
    return first, last
