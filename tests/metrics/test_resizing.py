from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from csg_analyze.metrics.resizing import upsampled

RNG = np.random.default_rng(0)


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 30), st.integers(1, 30))
def test_upsampling_is_torchs(h: int, w: int, height: int, width: int) -> None:
    maps = RNG.normal(size=(2, 3, h, w)).astype(np.float32)
    large = F.interpolate(torch.from_numpy(maps), size=(height, width), mode="bilinear", align_corners=False)
    assert np.allclose(upsampled(maps, height, width), large.numpy(), atol=1e-5)


sizes = st.tuples(st.integers(1, 32), st.integers(1, 32), st.integers(1, 100), st.integers(1, 100))


@given(sizes, st.floats(-1e6, 1e6, width=32))
def test_a_flat_map_stays_flat_to_the_last_bit(sizes: tuple[int, int, int, int], value: float) -> None:
    """OpenCV's resizing fails here for one map in twenty."""
    h, w, height, width = sizes
    flat = np.full((h, w), value, np.float32)
    np.testing.assert_array_equal(upsampled(flat, height, width), flat[0, 0])


@given(sizes)
def test_a_map_does_not_depend_on_the_others_in_the_batch(sizes: tuple[int, int, int, int]) -> None:
    h, w, height, width = sizes
    maps = RNG.normal(size=(3, h, w)).astype(np.float32)
    together = upsampled(maps, height, width)
    for map_, large in zip(maps, together, strict=True):
        np.testing.assert_array_equal(upsampled(map_, height, width), large)
