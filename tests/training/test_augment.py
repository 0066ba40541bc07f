from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from csg_analyze.data import Dataset
from training.augment import batches, mixed_seed, moved, n_batches, plan_epoch, seeded

CPU = torch.device("cpu")


@settings(max_examples=30)
@given(st.integers(0, 3), st.booleans(), st.integers(0, 1000), st.sampled_from(["reflect", "black"]))
def test_every_image_moves_on_its_own_as_a_loop_would(shift: int, flip: bool, seed: int, fill: str) -> None:
    images = torch.from_numpy(np.random.default_rng(seed).integers(0, 256, (5, 3, 6, 7), np.uint8))
    plan = plan_epoch(5, seed=seed, epoch=1, shift=shift, flip=flip)
    out = moved(images, plan.shifts, plan.flips, fill)  # type: ignore[arg-type]
    for i in range(5):
        mode = {"mode": "reflect"} if fill == "reflect" else {"mode": "constant"}
        padded = np.pad(images[i].numpy(), ((0, 0), (shift, shift), (shift, shift)), **mode)  # type: ignore[call-overload]
        down, right = plan.shifts[i].tolist()
        crop = padded[:, shift - down : shift - down + 6, shift - right : shift - right + 7]
        expected = crop[:, :, ::-1] if plan.flips[i] else crop
        np.testing.assert_array_equal(out[i].numpy(), expected)


def test_plan_depends_on_seed_and_epoch_and_uses_the_whole_range() -> None:
    plan = plan_epoch(400, seed=1, epoch=2, shift=4, flip=True)
    again = plan_epoch(400, seed=1, epoch=2, shift=4, flip=True)
    assert torch.equal(plan.order, again.order)
    assert torch.equal(plan.shifts, again.shifts)
    assert torch.equal(plan.flips, again.flips)
    assert torch.equal(plan.order.sort().values, torch.arange(400))
    for column in plan.shifts.unbind(1):
        assert set(column.tolist()) == set(range(-4, 5))
    assert 0.4 < plan.flips.float().mean() < 0.6
    for seed, epoch in ((2, 2), (1, 3), (2, 1)):
        other = plan_epoch(400, seed=seed, epoch=epoch, shift=4, flip=True)
        assert not torch.equal(plan.order, other.order)
        assert not torch.equal(plan.shifts, other.shifts)


def test_planning_leaves_the_global_generator_alone() -> None:
    before = torch.get_rng_state()
    plan_epoch(10, seed=0, epoch=0, shift=1, flip=True)
    with seeded(7, CPU):
        drawn = torch.rand(3)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(drawn, torch.rand(3, generator=torch.Generator().manual_seed(7)))


def test_mixed_seeds_differ() -> None:
    seen = {mixed_seed(seed, epoch, use) for seed in range(10) for epoch in range(10) for use in range(3)}
    assert len(seen) == 300


@pytest.mark.parametrize("batch_size", [1, 7, 16, 44, 45, 100])
def test_batches_pass_every_image_once_in_order(data: tuple[Dataset, Dataset], batch_size: int) -> None:
    train, _ = data
    plan = plan_epoch(len(train), seed=0, epoch=0, shift=0, flip=False)
    seen = list(batches(train, plan, batch_size, CPU))
    sizes = [len(labels) for _, labels in seen]
    assert len(seen) == n_batches(len(train), batch_size)
    assert max(sizes) <= batch_size
    assert max(sizes) - min(sizes) <= 1
    assert torch.equal(torch.cat([labels for _, labels in seen]), train.labels[plan.order])
    pixels = torch.cat([images for images, _ in seen])
    torch.testing.assert_close(pixels, torch.as_tensor(train.images[plan.order]).float() / 255)
