"""Regions and boxes of maps, each beside the plainest way to the same number."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter1d, label
from sklearn.metrics import average_precision_score
from torchvision.transforms.functional import gaussian_blur

from csg_analyze.analyzers.localize.baselines import BASELINES, baseline_maps
from csg_analyze.analyzers.localize.filter_regions import filter_ious
from csg_analyze.analyzers.localize.gradients import blur_weights, smooth_gradients
from csg_analyze.analyzers.localize.map_scores import MapScores, score_maps
from csg_analyze.analyzers.localize.thresholds import activation_thresholds, top_pixels
from csg_analyze.metrics.resizing import upsampled

RNG = np.random.default_rng(0)


def interpolated(maps: np.ndarray, height: int, width: int) -> np.ndarray:
    """torch's own bilinear interpolation, in the maps' precision."""
    tensor = torch.from_numpy(maps).reshape(-1, 1, *maps.shape[-2:])
    large = F.interpolate(tensor, size=(height, width), mode="bilinear", align_corners=False)
    return large.reshape(*maps.shape[:-2], height, width).numpy()


@st.composite
def scenes(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Maps with many equal values, thresholds, regions and pixels that count."""
    h, w, height, width = (draw(st.integers(1, n)) for n in (6, 6, 25, 25))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    maps = rng.normal(size=(2, 3, h, w)).astype(np.float32)
    if draw(st.booleans()):
        maps = np.maximum(np.round(maps), 0)
    counted = rng.random((2, height, width)) < draw(st.sampled_from([0.0, 0.7, 1.0]))
    return maps, rng.choice([-0.5, 0.0, 0.3, 1.0], 3), rng.random((2, height, width)) < 0.4, counted


@given(scenes())
@settings(max_examples=200)
def test_ious_of_filters_are_those_of_interpolated_maps(scene: tuple[np.ndarray, ...]) -> None:
    maps, thresholds, region, counted = scene
    large = interpolated(maps.astype(np.float64), *region.shape[1:])
    # a value that equals the threshold but for rounding may be on either side of it
    clear = (np.abs(large - thresholds[:, None, None]) > 1e-12).all(axis=(2, 3))
    ious, expected = filter_ious(*scene), plain_ious(large, thresholds, region, counted)
    assert np.allclose(ious[clear], expected[clear], rtol=0, atol=1e-12, equal_nan=True)


@given(st.integers(1, 6), st.integers(1, 6), st.sampled_from([1, 2, 4, 8]), st.integers(0, 2**32))
def test_a_pixel_equal_to_its_threshold_is_in_the_region(h: int, w: int, larger: int, seed: int) -> None:
    """Whole numbers, and sizes at which every step of the interpolation is exact: ties are ties."""
    rng = np.random.default_rng(seed)
    maps, thresholds = rng.integers(0, 3, (2, 3, h, w)).astype(np.float32), np.array([0.5, 1.0, 2.0])
    region, counted = rng.random((2, 2, h * larger, w * larger)) < 0.6
    large = interpolated(maps.astype(np.float64), h * larger, w * larger)
    ious = filter_ious(maps, thresholds, region, counted)
    assert np.allclose(ious, plain_ious(large, thresholds, region, counted), rtol=0, atol=1e-12, equal_nan=True)


def plain_ious(large: np.ndarray, thresholds: np.ndarray, region: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """(n, K): by definition, from maps (n, K, H, W) at the image's size."""
    mine, own = (large >= thresholds[:, None, None]) & counted[:, None], (region & counted)[:, None]
    with np.errstate(invalid="ignore"):
        return (mine & own).sum(axis=(2, 3)) / (mine | own).sum(axis=(2, 3))


def test_iou_of_a_mask_with_itself_is_one() -> None:
    mask = RNG.random((3, 9, 12)) < 0.5
    counted = np.ones_like(mask)
    as_maps = mask[:, None].astype(np.float32)
    assert np.allclose(filter_ious(as_maps, np.array([0.5]), mask, counted), 1)
    boxes = np.full((3, 1, 4), np.nan)
    assert np.allclose(score_maps(as_maps, np.full((3, 1), 0.5), mask, counted, boxes, 4).iou, 1)


def test_activation_thresholds_are_quantiles_of_all_positions_of_the_chosen_images() -> None:
    maps = RNG.normal(size=(7, 5, 3, 4)).astype(np.float32)
    chosen = np.array([0, 2, 5])
    thresholds = activation_thresholds(maps, chosen)
    for k in range(5):
        values = sorted(value for i in chosen for value in maps[i, k].ravel().tolist())
        assert thresholds[k] == values[-int(0.3 * 36)]
        assert sum(value >= thresholds[k] for value in values) == 10  # of 10.8


def test_the_top_pixels_of_a_map() -> None:
    maps = RNG.normal(size=(4, 10, 20)).astype(np.float32)
    regions = maps >= top_pixels(maps)[:, None, None]
    assert (regions.sum(axis=(1, 2)) == 60).all()


@pytest.mark.parametrize(("side", "n"), [(64, 1228), (128, 4915), (224, 15052), (7, 14), (2, 1), (1, 0)])
def test_the_share_is_cut_down_so_that_an_object_as_large_as_the_image_is_no_hit(side: int, n: int) -> None:
    maps = RNG.permutation(side * side).reshape(1, side, side).astype(np.float32)
    region = maps >= top_pixels(maps)[0]
    assert region.sum() == n
    assert n == 1 or not region.mean() > 0.3


@given(st.integers(0, 2**32), st.integers(1, 12), st.integers(1, 12), st.floats(0, 1), st.sampled_from([0.0, -3.0]))
def test_what_is_lowest_is_in_no_region(seed: int, height: int, width: int, share: float, lowest: float) -> None:
    """Grad-CAM with few positive pixels, or none: the region is what is positive, never the whole image."""
    rng = np.random.default_rng(seed)
    values = np.where(rng.random((height, width)) < share, rng.random((height, width)) + 0.1, 0)
    values = (values + lowest).astype(np.float32)
    region = values >= top_pixels(values)
    rising = values > values.min()
    assert not (region & ~rising).any()
    n = max(1, int(0.3 * values.size))
    if rising.sum() <= n:
        assert np.array_equal(region, rising)
    else:
        cut = np.sort(values.ravel())[-n]
        assert np.array_equal(region, values >= cut)  # all that tie with the last one


@pytest.mark.parametrize("value", [0.0, 1.0, -2.5])
def test_a_map_that_is_the_same_everywhere_has_no_region(value: float) -> None:
    flat = np.full((1, 6, 8), value, np.float32)
    assert not (flat >= top_pixels(flat)[0]).any()
    rounded = flat + RNG.normal(size=flat.shape).astype(np.float32) * np.float32(1e-8 * abs(value))
    assert not (rounded >= top_pixels(rounded)[0]).any()
    # upsampling adds no differences of its own: what is left of a flat map is flat
    assert (upsampled(np.full((1, 3, 5), np.float32(0.1 + value)), 17, 31) == np.float32(0.1 + value)).all()


def plain_scores(
    values: np.ndarray, threshold: float, region: np.ndarray, counted: np.ndarray, boxes: np.ndarray, n_levels: int
) -> dict[str, object]:
    """One map, by definitions alone: every threshold on its own, regions by scipy."""
    low, high = float(values.min()), float(values.max())
    scaled = (values.astype(np.float64) - low) / (high - low) if high > low else np.zeros(values.shape)
    best, largest, on, off = [], [], [], []
    for level in range(n_levels):
        mask = scaled >= level / n_levels
        regions, n = label(mask, structure=np.ones((3, 3)))
        overlaps, areas = [], []
        for r in range(1, n + 1):
            rows, columns = np.nonzero(regions == r)
            areas.append(len(rows))
            x0, y0, x1, y1 = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
            overlaps.append(max(_box_iou((x0, y0, x1, y1), box) for box in boxes))
        best.append(max(overlaps, default=0.0))
        largest.append(overlaps[int(np.argmax(areas))] if areas else 0.0)
    for level in range(n_levels + 1):
        reached = (scaled >= level / n_levels) & ~(scaled >= (level + 1) / n_levels)
        on.append((reached & region & counted).sum())
        off.append((reached & ~region & counted).sum())
    mine, own = (values >= threshold) & counted, region & counted
    top = (values == values[counted].max()) & counted
    weight = scaled if high > low else np.ones(values.shape)
    return {
        "iou": (mine & own).sum() / (mine | own).sum(),
        "pointing": (top & own).sum() / top.sum(),
        "energy": weight[own].sum() / weight[counted].sum(),
        "best_box": best,
        "largest_box": largest,
        "on": on,
        "off": off,
    }


def _box_iou(a: tuple[float, ...], b: np.ndarray) -> float:
    if np.isnan(b).any():
        return 0.0
    across, down = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    if across <= 0 or down <= 0:
        return 0.0
    areas = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])
    return float(across * down / (areas - across * down))


@given(
    st.integers(0, 2**32), st.integers(2, 12), st.integers(2, 12), st.sampled_from(["noise", "smooth", "steps", "flat"])
)
def test_scores_of_a_map_by_definitions_alone(seed: int, height: int, width: int, kind: str) -> None:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(height, width)).astype(np.float32)
    if kind == "smooth":
        values = gaussian_filter1d(gaussian_filter1d(values, 1.5, axis=0), 1.5, axis=1)
    elif kind == "steps":
        values = np.round(values * 2)
    elif kind == "flat":
        values = np.full_like(values, rng.normal())
    region = rng.random((height, width)) < 0.4
    counted = rng.random((height, width)) < 0.9
    if not (region & counted).any():
        region[0, 0] = counted[0, 0] = True
    corners = np.sort(rng.uniform(0, 12, (3, 2, 2)), axis=1).reshape(3, 4)
    corners[2] = np.nan
    threshold = float(np.median(values))
    scores = score_maps(values[None, None], np.array([[threshold]]), region[None], counted[None], corners[None], 10)
    for name, expected in plain_scores(values, threshold, region, counted, corners, 10).items():
        own = pytest.approx(np.asarray(expected, float), abs=1e-12, nan_ok=True)
        assert getattr(scores, name)[0, 0] == own, name


def test_thresholds_that_rounding_would_miss() -> None:
    # 0.29 * 100 is 28.999999999999996 in floating point, yet 0.29 reaches the threshold 29 / 100
    values = np.array([[0.0, 0.25, 1.0, 0.5]], np.float32)
    scores: MapScores = score_maps(
        values[None, None],
        np.zeros((1, 1)),
        np.ones((1, 1, 4), bool),
        np.ones((1, 1, 4), bool),
        np.zeros((1, 1, 4)),
        100,
    )
    assert np.flatnonzero(scores.on[0, 0]).tolist() == [0, 25, 50, 100]


def test_pixel_average_precision_is_scikit_learns_where_every_value_has_its_threshold() -> None:
    from csg_analyze.analyzers.localize.scores import pixel_average_precision

    values = (RNG.permutation(64).reshape(1, 1, 8, 8) / 63).astype(np.float32)
    region = RNG.random((1, 8, 8)) < 0.3
    scores = score_maps(values, np.zeros((1, 1)), region, np.ones_like(region), np.full((1, 1, 4), np.nan), 2000)
    expected = average_precision_score(region.ravel(), values.ravel())
    assert pixel_average_precision(scores.on, scores.off)[0, 0] == pytest.approx(expected)


def test_the_blur_is_torchvisions_at_the_papers_size() -> None:
    magnitudes = RNG.random((2, 128, 128)).astype(np.float32)
    rms = np.sqrt((magnitudes.astype(np.float64) ** 2).mean(axis=(1, 2)))[:, None, None]
    expected = gaussian_blur(torch.from_numpy((magnitudes / rms).astype(np.float32))[None], [61, 61], [30.0, 30.0])[0]
    assert np.allclose(smooth_gradients(magnitudes), expected.numpy(), atol=1e-5)
    assert not smooth_gradients(np.zeros((1, 9, 7), np.float32)).any()


@given(st.integers(1, 20), st.floats(0.3, 9))
def test_a_blur_keeps_what_is_constant(n: int, sigma: float) -> None:
    weights = blur_weights(n, sigma, max(1, round(sigma)))
    assert np.allclose(weights.sum(axis=1), 1, atol=1e-5)


def test_baselines_know_nothing_of_the_image() -> None:
    disk = baseline_maps("centred-disk", np.arange(2), 30, 40, 0)
    region = disk[0] >= top_pixels(disk)[0]
    rows, columns = np.nonzero(region)
    assert abs(region.mean() - 0.3) < 0.01
    assert rows.mean() == pytest.approx(14.5)
    assert columns.mean() == pytest.approx(19.5)
    assert np.hypot(rows - 14.5, columns - 19.5).max() <= np.sqrt(0.3 * 1200 / np.pi) + 1
    noise = baseline_maps("smooth-noise", np.arange(5), 30, 40, 0)
    assert np.array_equal(noise[3], baseline_maps("smooth-noise", np.array([3]), 30, 40, 0)[0])
    assert not np.array_equal(noise[3], noise[4])
    assert not np.array_equal(noise[3], baseline_maps("smooth-noise", np.array([3]), 30, 40, 1)[0])
    rough = RNG.standard_normal((30, 40))
    assert np.abs(np.diff(noise[0] / noise[0].std(), axis=1)).mean() < 0.3 * np.abs(np.diff(rough, axis=1)).mean()
    assert set(BASELINES) == {"all-ones", "centred-disk", "smooth-noise"}
    assert (baseline_maps("all-ones", np.arange(2), 3, 4, 0) == 1).all()
