from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from csg_analyze.data.dataset import Dataset, balanced_choice
from csg_analyze.errors import UsageError
from tests.examples import random_dataset


@pytest.fixture
def dataset() -> Dataset:
    images = torch.arange(6, dtype=torch.uint8)[:, None, None, None].expand(6, 3, 4, 4)
    ids = tuple("abcdef")
    return Dataset("some", "test", images, torch.tensor([0, 1, 2, 0, 1, 0]), ("cat", "dog", "owl"), ids, "f00")


@given(st.lists(st.integers(0, 4), min_size=1, max_size=40), st.integers(1, 45))
def test_a_balanced_choice_takes_the_first_of_every_class_then_the_second(labels: list[int], limit: int) -> None:
    chosen = balanced_choice(torch.tensor(labels), limit)
    if limit >= len(labels):
        assert chosen is None
        return
    rounds = sorted(range(len(labels)), key=lambda i: (labels[:i].count(labels[i]), i))
    assert chosen is not None
    assert chosen.tolist() == sorted(rounds[:limit])


def test_limited_is_the_choice_with_a_note(dataset: Dataset) -> None:
    limited = dataset.limited(4)
    assert limited.sample_ids == ("a", "b", "c", "d")
    assert limited.notes == ("4 of 6 images, classes balanced (--limit)",)
    assert dataset.limited(6) is dataset
    assert dataset.limited(None) is dataset
    with pytest.raises(UsageError, match="--limit must be at least 1, not 0"):
        dataset.limited(0)


class Encoded:
    """Images that count how many were decoded."""

    def __init__(self, values: torch.Tensor) -> None:
        self.values, self.decoded = values, 0

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.values.shape)

    def __getitem__(self, index: slice | torch.Tensor) -> torch.Tensor:
        self.decoded += len(self.values[index])
        return self.values[index]

    def subset(self, index: torch.Tensor) -> Encoded:
        return Encoded(self.values[index])


def test_a_subset_of_encoded_images_is_not_decoded(dataset: Dataset) -> None:
    encoded = Encoded(dataset.images[:])
    limited = replace(dataset, images=encoded).limited(3)
    assert isinstance(limited.images, Encoded)
    assert encoded.decoded == limited.images.decoded == 0
    assert torch.equal(torch.cat(list(limited.batches(2))), dataset.limited(3).images[:])


def test_a_subset_takes_boxes_masks_and_sources_along(dataset: Dataset) -> None:
    boxes, masks = torch.arange(48.0).reshape(6, 2, 4), torch.arange(96).reshape(6, 4, 4) % 5 == 0
    whole = replace(dataset, boxes=boxes, masks=masks, ignored=~masks, sources=tuple("uvwxyz"), left_out=("2 images",))
    part = whole.subset(torch.tensor([4, 1]), note="")
    assert torch.equal(part.boxes, boxes[[4, 1]])  # type: ignore[arg-type]
    assert torch.equal(part.masks, masks[[4, 1]])  # type: ignore[arg-type]
    assert torch.equal(part.ignored, ~masks[[4, 1]])  # type: ignore[arg-type]
    assert part.sources == ("y", "v")
    assert part.left_out == ("2 images",)


def test_names_that_are_no_text_are_spelled() -> None:
    data = random_dataset(3)
    names = tuple(f"{i}\udcff" for i in range(3))
    odd = replace(data, sample_ids=names, class_names=("a\udc80", *data.class_names[1:]))
    assert odd.sample_ids == ("0\\udcff", "1\\udcff", "2\\udcff")
    assert odd.class_names[0] == "a\\udc80"
    assert replace(data, sample_ids=("é", "名", "x")).sample_ids == ("é", "名", "x")
