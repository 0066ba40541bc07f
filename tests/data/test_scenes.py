from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import find_objects
from sklearn.datasets import load_digits

from csg_analyze.data.dataset import Dataset
from csg_analyze.data.scenes import CLASS_NAMES, N_SCENES, SCENE_SIDE, make_scenes, source_digits
from csg_analyze.errors import UsageError


@pytest.fixture(scope="module")
def scenes() -> Dataset:
    return make_scenes("test", n=203)


def sources_of(dataset: Dataset) -> list[int]:
    return [int(name.rsplit("-", 1)[1]) for name in dataset.sample_ids]


def test_the_same_seed_gives_the_same_bits_whatever_was_drawn_before(scenes: Dataset) -> None:
    np.random.seed(5)  # noqa: NPY002
    torch.manual_seed(5)
    make_scenes("train", n=3)
    again = make_scenes("test", n=203)
    assert torch.equal(again.images, scenes.images)  # type: ignore[arg-type]
    assert torch.equal(again.labels, scenes.labels)
    assert again.fingerprint == scenes.fingerprint
    assert again.sample_ids == scenes.sample_ids


def test_seeds_and_splits_differ(scenes: Dataset) -> None:
    others = [make_scenes("test", n=203, seed=1), make_scenes("train", n=203)]
    assert len({scenes.fingerprint, *(other.fingerprint for other in others)}) == 3
    assert others[0].spec == "scenes:1"
    assert scenes.spec == "scenes"


def test_global_generators_are_left_alone() -> None:
    np.random.seed(3)  # noqa: NPY002
    torch.manual_seed(3)
    before = np.random.get_state()[1].copy(), torch.random.get_rng_state()  # type: ignore[index] # noqa: NPY002
    make_scenes("test", n=2)
    assert np.array_equal(before[0], np.random.get_state()[1])  # type: ignore[index] # noqa: NPY002
    assert torch.equal(before[1], torch.random.get_rng_state())


def test_classes_are_even_and_their_order_is_not_periodic(scenes: Dataset) -> None:
    counts = torch.bincount(scenes.labels, minlength=10)
    assert counts.max() - counts.min() == 1  # 203 = 3 * 21 + 7 * 20
    blocks = scenes.labels[:200].view(20, 10).sort(1).values
    assert not (blocks == torch.arange(10)).all(1).any()
    assert scenes.class_names == CLASS_NAMES
    assert scenes.class_names[7] == "seven"


def test_labels_are_those_of_the_named_source_digits(scenes: Dataset) -> None:
    assert np.array_equal(load_digits().target[sources_of(scenes)], scenes.labels.numpy())
    assert scenes.sample_ids[12].startswith("test-0012-digit-")


def test_train_and_test_share_no_source_digit_for_any_seed() -> None:
    (_, _, train), (_, _, test) = source_digits("train"), source_digits("test")
    assert sorted([*train, *test]) == list(range(1797))
    for seed in (0, 7):
        assert set(sources_of(make_scenes("train", n=150, seed=seed))) <= set(train)
        assert set(sources_of(make_scenes("test", n=150, seed=seed))) <= set(test)


def test_every_source_is_used_before_one_repeats() -> None:
    dataset = make_scenes("test")
    assert len(dataset) == N_SCENES["test"] == 1000
    counts = np.unique(sources_of(dataset), return_counts=True)[1]
    assert len(counts) == 540
    assert set(counts) == {1, 2}


def test_shapes_and_types(scenes: Dataset) -> None:
    assert scenes.images.shape == (203, 3, SCENE_SIDE, SCENE_SIDE)
    assert isinstance(scenes.images, torch.Tensor)
    assert scenes.images.dtype == torch.uint8
    assert scenes.images.is_contiguous()
    assert scenes.labels.dtype == torch.int64
    assert scenes.masks is not None
    assert scenes.masks.shape == (203, SCENE_SIDE, SCENE_SIDE)
    assert scenes.masks.dtype == torch.bool


def test_boxes_are_the_tight_boxes_of_the_masks(scenes: Dataset) -> None:
    assert scenes.boxes is not None
    assert scenes.masks is not None
    for box, mask in zip(scenes.boxes[:, 0].tolist(), scenes.masks.numpy(), strict=True):
        rows, columns = find_objects(mask.astype(int))[0]
        assert box == [columns.start, rows.start, columns.stop, rows.stop]


def test_the_mask_is_where_the_ink_is(scenes: Dataset) -> None:
    """Ink has one colour, so that inside the mask pixels vary less around their mean than in the rest of the box."""
    assert scenes.masks is not None
    images = scenes.images[:].float()
    inside, across = [], []
    for image, mask in zip(images, scenes.masks, strict=True):
        ink, ground = image[:, mask].mean(1), image[:, ~mask].mean(1)
        inside.append(image[:, mask].std(1).mean())
        across.append((ink - ground).abs().max())
    assert np.median(across) > 3 * np.median(inside)
    assert all(0.02 < mask.float().mean() < 0.6 for mask in scenes.masks)


def test_sizes_and_places_vary(scenes: Dataset) -> None:
    assert scenes.boxes is not None
    boxes = scenes.boxes[:, 0]
    heights = boxes[:, 3] - boxes[:, 1]
    assert heights.min() < 14
    assert heights.max() > 22
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    assert (centres.std(0) > 2).all()


@pytest.mark.parametrize(("seed", "n"), [(-1, 10), (0, 0)])
def test_impossible_scenes_are_refused(seed: int, n: int) -> None:
    with pytest.raises(UsageError, match="at least"):
        make_scenes("test", seed=seed, n=n)
