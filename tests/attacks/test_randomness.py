from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from csg_analyze.attacks.randomness import normal_noise, random_class, seed_of, shuffled


def test_numbers_depend_on_seed_image_and_purpose_alone() -> None:
    assert seed_of(0, "a", "target") == seed_of(0, "a", "target")
    assert len({seed_of(s, i, p) for s in (0, 1) for i in ("a", "b", "a\udcff") for p in ("target", "start pgd")}) == 12
    assert np.array_equal(normal_noise(0, "a", "noise", (3, 4)), normal_noise(0, "a", "noise", (3, 4)))
    assert normal_noise(0, "a", "noise", (3, 4)).dtype == np.float32


@given(st.integers(1, 12), st.sets(st.integers(0, 12)), st.integers(0, 100))
def test_targets_are_never_forbidden(n_classes: int, forbidden: set[int], seed: int) -> None:
    found = random_class(seed, "a", forbidden, n_classes)
    if set(range(n_classes)) <= forbidden:
        assert found == -1
    else:
        assert found in set(range(n_classes)) - forbidden


def test_every_allowed_class_comes_up_alike() -> None:
    counts = np.bincount([random_class(0, f"image-{i}", {2}, 5) for i in range(4000)], minlength=5)
    assert counts[2] == 0
    assert (np.abs(counts[[0, 1, 3, 4]] - 1000) < 5 * np.sqrt(1000)).all()


def test_the_order_of_some_images_is_that_of_all() -> None:
    ids = [f"image-{i}" for i in range(50)]
    order = [ids[i] for i in shuffled(3, ids, "order")]
    assert sorted(order) == sorted(ids)
    assert order != ids
    some = ids[::3]
    assert [some[i] for i in shuffled(3, some, "order")] == [name for name in order if name in some]
