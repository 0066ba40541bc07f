"""What images score, by class and in total, with intervals; and what is chosen before."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from csg_analyze.analyzers.localize.gathering import curve_levels, gather, region_ious
from csg_analyze.analyzers.localize.map_scores import MapScores
from csg_analyze.analyzers.localize.scores import (
    BOX_DELTAS,
    ImageScores,
    best_levels,
    evaluate,
    metric_names,
    pixel_average_precision,
)
from csg_analyze.analyzers.localize.selection import classes_of_filters, first_half, most_active_filters
from csg_analyze.metrics.statistics import intervals, resampled_groups

N, C, L, DELTAS = 24, 4, 6, (0.2, 0.3)
RNG = np.random.default_rng(1)
LABELS = np.arange(N) % 3  # the last class has no image
SCORED = np.sort(RNG.permutation(N)[:17])


def map_scores(n: int, n_maps: int) -> MapScores:
    boxes = (np.sort(RNG.random((n, n_maps, L)), axis=-1) for _ in range(2))
    counts = (RNG.integers(0, 9, (n, n_maps, L + 1)).astype(float) for _ in range(2))
    return MapScores(*(RNG.random((n, n_maps)) for _ in range(3)), *boxes, *counts)


MAPS = map_scores(N, 5)
SCORES = gather(N, L, DELTAS, [(np.arange(N), MAPS)])


def test_images_score_the_means_of_their_maps() -> None:
    for i in range(N):
        assert SCORES.iou[i] == pytest.approx(np.mean(MAPS.iou[i]))
        assert SCORES.pointing[i] == pytest.approx(np.mean(MAPS.pointing[i]))
        assert SCORES.energy[i] == pytest.approx(np.mean(MAPS.energy[i]))
        for delta in DELTAS:
            assert SCORES.rates[delta][i] == pytest.approx(np.mean(MAPS.iou[i] > delta))
        for level in range(L):
            for row, delta in enumerate(BOX_DELTAS):
                assert SCORES.box_hits[i, row, level] == pytest.approx(np.mean(MAPS.best_box[i, :, level] >= delta))
            assert SCORES.largest_hits[i, level] == pytest.approx(np.mean(MAPS.largest_box[i, :, level] >= 0.5))
            on, off = MAPS.on[i, :, level:].sum(axis=1), MAPS.off[i, :, level:].sum(axis=1)
            assert SCORES.curve[i, level] == pytest.approx(np.mean(on / (off + MAPS.on[i].sum(axis=1))))


def test_a_rate_may_ask_for_the_mean_of_an_images_maps() -> None:
    scores = gather(N, L, DELTAS, [(np.arange(N), MAPS)], rate_of_mean=True)
    for i in range(N):
        for delta in DELTAS:
            assert scores.rates[delta][i] == float(np.mean(MAPS.iou[i]) >= delta)


def test_images_in_no_piece_score_nothing() -> None:
    scores = gather(N, L, DELTAS, [(np.array([3, 5]), map_scores(2, 1))])
    assert np.flatnonzero(~np.isnan(scores.iou)).tolist() == [3, 5]
    assert np.isnan(scores.curve[0]).all()


def plain(scores: ImageScores, images: list[int], levels: list[int] | None) -> list[float]:
    """Every metric over some images (with repetitions), by loops alone."""
    images = [i for i in images if not np.isnan(scores.iou[i])]
    if not images:
        return [np.nan] * len(metric_names(DELTAS))
    mean = lambda values: float(np.mean([values[i] for i in images]))  # noqa: E731
    largest = [mean(scores.largest_hits[:, level]) for level in range(L)]
    boxes = [[mean(scores.box_hits[:, row, level]) for level in range(L)] for row in range(3)]
    chosen = levels or [int(np.argmax(largest)), *(int(np.argmax(curve)) for curve in boxes)]
    precision, recall = [], []
    for level in range(L + 1):
        on = sum(scores.on[i, level:].sum() for i in images)
        off = sum(scores.off[i, level:].sum() for i in images)
        precision.append(on / (on + off) if on + off else 0.0)
        recall.append(on / sum(scores.on[i].sum() for i in images))
    gains = [recall[level] - (recall[level + 1] if level < L else 0.0) for level in range(L + 1)]
    return [
        mean(scores.iou),
        *(mean(rate) for rate in scores.rates.values()),
        largest[chosen[0]],
        float(np.mean([curve[level] for curve, level in zip(boxes, chosen[1:], strict=True)])),
        sum(p * gain for p, gain in zip(precision, gains, strict=True)),
        mean(scores.pointing),
        mean(scores.energy),
    ]


@pytest.mark.parametrize("chosen_elsewhere", [False, True])
def test_every_number_by_loops(chosen_elsewhere: bool) -> None:
    levels = np.array([1, 4, 2, 0]) if chosen_elsewhere else None
    numbers = evaluate(SCORES, LABELS, SCORED, C, levels=levels)
    assert numbers.shape == (len(metric_names(DELTAS)), C + 1)
    total = plain(SCORES, SCORED.tolist(), None if levels is None else levels.tolist())
    assert numbers[:, C] == pytest.approx(total)
    # the classes are read off at the same thresholds as the total: one for the whole set
    at = best_levels(SCORES, LABELS, SCORED, C) if levels is None else levels
    for c in range(C):
        members = [i for i in SCORED.tolist() if LABELS[i] == c]
        assert numbers[:, c] == pytest.approx(plain(SCORES, members, at.tolist()), nan_ok=True)


def test_the_best_thresholds_are_those_of_the_total() -> None:
    largest = [SCORES.largest_hits[SCORED, level].mean() for level in range(L)]
    boxes = [[SCORES.box_hits[SCORED, row, level].mean() for level in range(L)] for row in range(3)]
    expected = [int(np.argmax(curve)) for curve in (largest, *boxes)]
    assert best_levels(SCORES, LABELS, SCORED, C).tolist() == expected


def test_a_total_may_weigh_classes_otherwise() -> None:
    weighted = replace(SCORES, class_weights=np.array([5.0, 0.0, 2.0, 3.0]))
    numbers = evaluate(weighted, LABELS, SCORED, C, levels=np.zeros(4, int))
    # the fourth class has weight but no image, and drops out
    assert numbers[0, C] == pytest.approx((5 * numbers[0, 0] + 2 * numbers[0, 2]) / 7)


def test_resampled_numbers_are_those_of_the_drawn_images() -> None:
    groups = np.arange(N) // 2
    draws = resampled_groups(groups[SCORED], resamples=7, seed=3)
    numbers = evaluate(SCORES, LABELS, SCORED, C, multiplicities=draws)
    for b in range(7):
        images = [i for i, times in zip(SCORED.tolist(), draws[b], strict=True) for _ in range(int(times))]
        assert numbers[b, :, C] == pytest.approx(plain(SCORES, images, None))


def test_an_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    held = 0
    for run in range(60):
        rng = np.random.default_rng(run)
        values = rng.random(80)
        names = ("pointing", "energy", "curve", "box_hits", "largest_hits", "on", "off")
        others = {name: np.resize(getattr(SCORES, name), (80, *getattr(SCORES, name).shape[1:])) for name in names}
        scores = replace(SCORES, iou=values, rates={}, **others)
        draws = resampled_groups(np.arange(80), resamples=200, seed=run)
        numbers = evaluate(scores, np.zeros(80, int), np.arange(80), 1, multiplicities=draws)
        low, high = intervals(numbers[:, 0, -1][:, None])
        held += bool(low[0] <= 0.5 <= high[0])
    assert held >= 50


def test_what_is_kept_does_not_grow_with_the_thresholds() -> None:
    boxes = np.zeros((3, 2, 1000))
    counts = RNG.integers(0, 9, (3, 2, 1001)).astype(float)
    maps = MapScores(*(np.full((3, 2), 0.5) for _ in range(3)), boxes, boxes, counts, counts)
    scores = gather(3, 1000, DELTAS, [(np.arange(3), maps)])
    assert scores.curve.shape == (3, 100)
    assert curve_levels(1000).tolist() == list(range(0, 1000, 10))
    assert curve_levels(150).tolist() == list(range(0, 150, 2))
    assert curve_levels(7).tolist() == list(range(7))
    for place, level in enumerate(curve_levels(1000).tolist()):
        on, off = counts[..., level:].sum(axis=-1), counts[..., level:].sum(axis=-1)
        assert scores.curve[:, place] == pytest.approx(np.mean(on / (off + counts.sum(axis=-1)), axis=1), rel=1e-6)
    # three boxes, the largest one, pixels on and off: what is left is thrown away once the numbers are there
    assert sum(part.nbytes for part in vars(scores).values() if isinstance(part, np.ndarray)) < 3 * 1001 * 4 * 6 + 3000
    slim = scores.without_thresholds()
    assert sum(part.nbytes for part in vars(slim).values() if isinstance(part, np.ndarray)) < 3000
    assert np.array_equal(slim.iou, scores.iou)


def test_perfect_pixels() -> None:
    on, off = np.array([0, 0, 3.0]), np.array([5.0, 2, 0])
    assert pixel_average_precision(on, off) == 1
    assert region_ious(on, off).tolist() == [3 / 10, 3 / 5, 1]
    assert np.isnan(pixel_average_precision(np.zeros(3), off))


@given(st.integers(0, 2**32), st.integers(1, 60))
def test_halves_divide_classes_and_keep_pictures_together(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    groups = rng.integers(0, max(1, n // 2), n)
    labels = groups % 3  # images of one picture are of one class here
    first = first_half(labels, groups, seed % 1000)
    for group in np.unique(groups):
        assert len(set(first[groups == group].tolist())) == 1
    for c in np.unique(labels):
        pictures = np.unique(groups[labels == c])
        in_first = sum(bool(first[groups == group][0]) for group in pictures)
        assert in_first == (len(pictures) + 1) // 2
    assert np.array_equal(first, first_half(labels, groups, seed % 1000))


def test_the_most_active_filters_of_every_class() -> None:
    activations = RNG.random((30, 8)).astype(np.float32)
    labels = np.arange(30) % 3
    chosen = np.arange(5, 25)
    filters = most_active_filters(activations, labels, chosen, 4, 3)
    for c in range(3):
        means = [np.mean([activations[i, k] for i in chosen if labels[i] == c]) for k in range(8)]
        assert filters[c].tolist() == sorted(range(8), key=lambda k: -means[k])[:3]
    assert (filters[3] == -1).all()


def test_a_filter_belongs_to_the_class_it_hits_most_often() -> None:
    ious = RNG.random((40, 6)) * 0.6
    ious[:, 4] = 0.1  # never hits: by the mean, which is alike, so the first class
    ious[:, 5] = np.where(np.arange(40) % 3 == 2, 0.29, 0.1)  # never hits, but the third class nearly
    labels = np.arange(40) % 3
    assert classes_of_filters(ious, labels, 4, 0.3, first_of_ties=True)[4:].tolist() == [0, 0]  # as in the scripts
    no_first = classes_of_filters(ious[labels > 0], labels[labels > 0], 4, 0.3, first_of_ties=True)
    assert no_first[4:].tolist() == [1, 1]  # the first class that has images
    classes = classes_of_filters(ious, labels, 4, 0.3)
    for k in range(4):
        rates = [np.mean(ious[labels == c, k] > 0.3) for c in range(3)]
        assert rates[classes[k]] == max(rates)
    assert classes[4:].tolist() == [0, 2]
