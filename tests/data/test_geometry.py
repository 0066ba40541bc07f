from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torchvision.transforms import CenterCrop, Compose, PILToTensor, Resize

from csg_analyze.data import geometry
from csg_analyze.data.dataset import Dataset
from csg_analyze.data.decoding import decode
from csg_analyze.data.geometry import place_boxes, place_masks, placement, resized, tight_boxes
from csg_analyze.data.scenes import make_scenes
from csg_analyze.errors import UsageError

SIDES = st.integers(8, 60)


@st.composite
def sizes(draw: st.DrawFn) -> tuple[int | None, int | None]:
    resize = draw(st.none() | SIDES)
    return draw(st.none() | st.integers(4, resize or 60)), resize


@given(SIDES, SIDES, sizes())
def test_placement_is_what_torchvision_does(height: int, width: int, wanted: tuple[int | None, int | None]) -> None:
    size, resize = wanted
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3)).astype(np.uint8)
    steps = [Resize(resize or size)] if resize or size else []
    expected = Compose([*steps, *([CenterCrop(size)] if size else []), PILToTensor()])(Image.fromarray(noise))
    ours = decode(encoded(noise), "noise", size, resize)
    assert np.array_equal(ours, expected.numpy())


def encoded(pixels: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "png")
    return stream.getvalue()


@given(st.data(), SIDES, SIDES, sizes())
def test_a_placed_box_is_the_box_of_the_placed_mask(
    data: st.DataObject, height: int, width: int, wanted: tuple[int | None, int | None]
) -> None:
    x0, y0 = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    x1, y1 = data.draw(st.integers(x0 + 1, width)), data.draw(st.integers(y0 + 1, height))
    mask = torch.zeros(1, height, width, dtype=torch.bool)
    mask[0, y0:y1, x0:x1] = True
    place = placement(height, width, *wanted)
    placed = place_masks(mask, place)[0]
    left, top, right, bottom = place_boxes(torch.tensor([[x0, y0, x1, y1]]).float(), place)[0].tolist()
    assert placed.shape == (place.height, place.width)
    assert 0 <= left <= right <= place.width
    assert 0 <= top <= bottom <= place.height
    # a pixel is in the mask where its centre is in the box: no edge is off by more than half a pixel
    rows, columns = torch.nonzero(placed.any(1)).flatten(), torch.nonzero(placed.any(0)).flatten()
    if len(rows):
        assert abs(left - int(columns[0])) <= 0.5 + 1e-4
        assert abs(right - int(columns[-1]) - 1) <= 0.5 + 1e-4
        assert abs(top - int(rows[0])) <= 0.5 + 1e-4
        assert abs(bottom - int(rows[-1]) - 1) <= 0.5 + 1e-4
    else:
        assert min(right - left, bottom - top) <= 1 + 1e-4


@pytest.fixture(scope="module")
def scenes() -> Dataset:
    return make_scenes("test", n=12)


def test_resizing_to_the_same_size_changes_nothing(scenes: Dataset) -> None:
    assert resized(scenes, None) is scenes
    assert resized(scenes, 32) is scenes
    assert resized(scenes, 32, 32) is scenes


def test_resized_images_are_near_pil(scenes: Dataset) -> None:
    larger = resized(scenes, 40, 48)
    assert larger.image_size == (40, 40)
    for i in range(len(scenes)):
        image = Image.fromarray(scenes.images[:][i].permute(1, 2, 0).numpy())
        expected = CenterCrop(40)(Resize(48)(image))
        difference = larger.images[:][i].permute(1, 2, 0).int().numpy() - np.asarray(expected).astype(int)
        assert abs(difference).max() <= 1


def test_resizing_keeps_what_it_does_not_touch_and_says_so(scenes: Dataset) -> None:
    calls: list[tuple[int, int]] = []
    smaller = resized(scenes, 16, progress=lambda done, total: calls.append((done, total)))
    assert smaller.fingerprint not in (scenes.fingerprint, resized(scenes, 8, 16).fingerprint)
    assert smaller.fingerprint == resized(scenes, 16, 16).fingerprint
    assert smaller.sample_ids == scenes.sample_ids
    assert smaller.notes == ("resized from 32x32 to 16x16 pixels",)
    assert smaller.boxes is not None
    assert scenes.boxes is not None
    assert torch.allclose(smaller.boxes, scenes.boxes / 2)
    assert calls == [(12, 12)]


def test_several_boxes_none_and_ignored_pixels_are_placed_alike(scenes: Dataset) -> None:
    assert scenes.boxes is not None
    assert scenes.masks is not None
    several = torch.cat([scenes.boxes, scenes.boxes + 3, torch.full_like(scenes.boxes, torch.nan)], dim=1)
    placed = resized(replace(scenes, boxes=several, ignored=~scenes.masks), 16)
    assert placed.boxes is not None
    assert torch.allclose(placed.boxes[:, 0], scenes.boxes[:, 0] / 2)
    assert torch.allclose(placed.boxes[:, 1], ((scenes.boxes[:, 0] + 3) / 2).clamp(max=16))
    assert placed.boxes[:, 2].isnan().all()
    assert placed.masks is not None
    assert torch.equal(placed.ignored, ~placed.masks)  # type: ignore[arg-type]


def test_an_empty_mask_has_no_box() -> None:
    masks = np.zeros((2, 5, 6), bool)
    masks[1, 2:4, 1] = True
    boxes = tight_boxes(masks)
    assert np.isnan(boxes[0]).all()
    assert boxes[1].tolist() == [1, 2, 2, 4]


def test_batches_do_not_show(scenes: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = resized(scenes, 20)
    monkeypatch.setattr(geometry, "BATCH", 5)
    assert torch.equal(resized(scenes, 20).images[:], whole.images[:])


@pytest.mark.parametrize(("size", "resize", "match"), [(0, None, "not 0"), (8, -2, "not -2"), (40, 32, "40 pixels")])
def test_impossible_sizes_are_refused(scenes: Dataset, size: int, resize: int | None, match: str) -> None:
    with pytest.raises(UsageError, match=match):
        resized(scenes, size, resize)


def test_images_that_do_not_fit_in_memory_are_refused(scenes: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(geometry, "memory_budget", lambda: 1000)
    with pytest.raises(UsageError, match=r"12 images of 64x64 take 0\.1 MB"):
        resized(scenes, 64)
