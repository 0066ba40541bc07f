from __future__ import annotations

import numpy as np
import pytest
import torch

from csg_analyze.inputs.blocks import block_size, blocks, filled, to_pixels
from csg_analyze.progress import untracked
from tests.examples import random_dataset

CPU = torch.device("cpu")


def test_blocks_are_fixed_by_device_and_image_size() -> None:
    assert [block_size(CPU, side, side) for side in (32, 64, 224)] == [32, 8, 8]
    assert block_size(torch.device("cuda"), 32, 32) == 2048


@pytest.mark.parametrize("images_at_once", [1, 31, 32, 64, 256])
@pytest.mark.parametrize("n", [1, 32, 70])
def test_every_image_comes_once_in_order_in_blocks_of_one_size(n: int, images_at_once: int) -> None:
    data = random_dataset(n)
    for chosen in (None, np.arange(n)[::-2]):
        wanted = data.images[:] if chosen is None else data.images[torch.from_numpy(chosen.copy())]
        parts = list(blocks(data, CPU, images_at_once, untracked, "", chosen))
        assert torch.equal(torch.cat([block.images for block in parts]), wanted)
        assert [i for block in parts for i in range(block.places.start, block.places.stop)] == list(range(len(wanted)))
        for block in parts:
            assert block.pixels.shape == (32, 3, 32, 32)
            assert torch.equal(block.pixels[: len(block)], to_pixels(block.images, CPU))


def test_images_are_brought_in_whole_blocks() -> None:
    steps: list[range] = []

    def track(each: range, description: str, total: int) -> range:
        assert (description, total) == ("words", len(each))
        steps.append(each)
        return each

    for images_at_once in (1, 100, 256):
        list(blocks(random_dataset(200), CPU, images_at_once, track, "words"))  # type: ignore[arg-type]
    assert [each.step for each in steps] == [32, 96, 256]


def test_blocks_are_filled_with_their_own_images() -> None:
    assert filled(torch.tensor([1, 2, 3]), 8).tolist() == [1, 2, 3, 1, 2, 3, 1, 2]
    assert filled(torch.arange(8), 4).tolist() == list(range(8))
