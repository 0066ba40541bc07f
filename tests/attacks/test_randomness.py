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


@given(st.integers(1, 12), st.integers(0, 11), st.integers(0, 11), st.integers(0, 100))
def test_targets_are_neither_the_label_nor_the_prediction(
    n_classes: int, label: int, prediction: int, seed: int
) -> None:
    label, prediction = label % n_classes, prediction % n_classes
    target = random_class(seed, "a", label, prediction, n_classes)
    allowed = set(range(n_classes)) - {label, prediction}
    assert target in allowed if allowed else target == -1


@given(st.integers(3, 12), st.integers(0, 100), st.integers(0, 11), st.integers(0, 11))
def test_networks_share_a_target_unless_one_already_sees_it(n_classes: int, seed: int, first: int, second: int) -> None:
    first, second = first % n_classes, second % n_classes
    right = random_class(seed, "a", 0, 0, n_classes)  # of a network that classifies the image correctly
    mine, theirs = (random_class(seed, "a", 0, prediction, n_classes) for prediction in (first, second))
    assert mine == (right if first != right else mine)
    if right not in (first, second):
        assert mine == theirs == right


def test_every_allowed_class_comes_up_alike() -> None:
    for label, prediction in ((2, 2), (2, 4)):
        counts = np.bincount([random_class(0, f"image-{i}", label, prediction, 5) for i in range(4000)], minlength=5)
        allowed = sorted({0, 1, 2, 3, 4} - {label, prediction})
        assert counts.sum() == counts[allowed].sum()
        assert (np.abs(counts[allowed] - 4000 / len(allowed)) < 5 * np.sqrt(4000 / len(allowed))).all()


def test_the_order_of_some_images_is_that_of_all() -> None:
    ids = [f"image-{i}" for i in range(50)]
    order = [ids[i] for i in shuffled(3, ids, "order")]
    assert sorted(order) == sorted(ids)
    assert order != ids
    some = ids[::3]
    assert [some[i] for i in shuffled(3, some, "order")] == [name for name in order if name in some]
