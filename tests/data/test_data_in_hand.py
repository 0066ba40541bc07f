from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    IterableDataset,
    RandomSampler,
    Subset,
    TensorDataset,
    WeightedRandomSampler,
)

from csg_analyze.data import DataInHand, load_dataset, memory
from csg_analyze.errors import UsageError

GENERATOR = torch.Generator().manual_seed(0)
IMAGES = torch.randint(0, 256, (12, 3, 8, 10), dtype=torch.uint8, generator=GENERATOR)
LABELS = torch.arange(12) % 3


class Listed:
    """A map-style dataset that is no subclass of torch's, with names for its classes."""

    classes = ("cat", "dog", "eel")

    def __init__(self, items: list[Any]) -> None:
        self.items = items

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, i: int) -> Any:
        return self.items[i]


def as_pictures() -> Listed:
    return Listed([(Image.fromarray(x.permute(1, 2, 0).numpy()), int(y)) for x, y in zip(IMAGES, LABELS, strict=True)])


FORMS: dict[str, Any] = {
    "torch": (IMAGES, LABELS),
    "list": [IMAGES, LABELS.tolist()],
    "numpy": (IMAGES.numpy(), LABELS.numpy().astype(np.uint8)),
    "channels last": (IMAGES.permute(0, 2, 3, 1).contiguous().numpy(), LABELS),
    "floats": (IMAGES.numpy() / np.float32(255), LABELS),
    "doubles, channels last": (IMAGES.permute(0, 2, 3, 1).numpy() / 255, LABELS),
    "halves": ((IMAGES / 255).half(), LABELS),
    "mirrored view": (IMAGES.numpy()[:, :, ::-1].copy()[:, :, ::-1], LABELS),
    "TensorDataset": TensorDataset(IMAGES, LABELS),
    "TensorDataset of floats": TensorDataset(IMAGES / 255, LABELS),
    "pictures": as_pictures(),
    "list of arrays": (list(IMAGES.numpy()), LABELS.tolist()),
    "lists of tensors": (list(IMAGES), list(LABELS)),
    "list of pictures": ([image for image, _ in as_pictures().items], LABELS.tolist()),
    "pairs": as_pictures().items,
    "pairs of tensors": list(zip(IMAGES, LABELS, strict=True)),
    "series": (IMAGES, pd.Series(LABELS.numpy(), [f"row {i}" for i in range(12)])),
    "series that may miss values": (IMAGES, pd.Series(LABELS.numpy(), dtype="Int64")),
    "series of pictures": (pd.Series([image for image, _ in as_pictures().items]), pd.Series(LABELS.numpy())),
    "words": (IMAGES, [("cat", "dog", "eel")[i] for i in LABELS]),
    "words of NumPy": (IMAGES, np.array(["cat", "dog", "eel"])[LABELS]),
    "categories": (IMAGES, pd.Series(np.array(["cat", "dog", "eel"])[LABELS]).astype("category")),
    "loader": DataLoader(TensorDataset(IMAGES / 255, LABELS), batch_size=5),
    "loader of a subset": DataLoader(Subset(TensorDataset(IMAGES, LABELS), range(12)), batch_size=12),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_images_and_fingerprint(form: str) -> None:
    dataset = DataInHand(FORMS[form], ("cat", "dog", "eel")).opened()
    assert torch.equal(dataset.images[0:12], IMAGES)
    assert torch.equal(dataset.images[torch.tensor([3, 1])], IMAGES[[3, 1]])
    assert dataset.images[0:12].is_contiguous()
    assert torch.equal(dataset.labels, LABELS)
    assert (len(dataset), dataset.image_size, dataset.spec, dataset.split) == (12, (8, 10), "data in memory", "")
    assert (dataset.class_names, dataset.notes) == (("cat", "dog", "eel"), ())
    assert dataset.fingerprint == DataInHand(FORMS["torch"]).opened().fingerprint


def test_pictures_of_a_list_may_differ_in_size_and_be_grey() -> None:
    pictures = [Image.new("L", (20 + i, 16), 10 * i) for i in range(6)]
    dataset = DataInHand((pictures, LABELS[:6])).opened(size=8)
    assert torch.equal(dataset.images[0:6][:, :, 4, 4], 10 * torch.arange(6, dtype=torch.uint8)[:, None].expand(-1, 3))
    assert len(DataInHand((pictures, LABELS[:6])).opened(size=8, limit=3)) == 3
    arrays = [np.asarray(picture.convert("RGB")) for picture in pictures]
    assert torch.equal(DataInHand((arrays, LABELS[:6])).opened(size=8).images[0:6], dataset.images[0:6])
    with pytest.raises(UsageError, match="image 0 is 20x16, image 1 21x16; give one size"):
        DataInHand((pictures, LABELS[:6])).opened()


def test_labels_in_words_are_numbered_by_the_names_or_else_by_the_alphabet() -> None:
    words = ["eel", "cat", "eel", "dog"]
    named = DataInHand((IMAGES[:4], words), ("eel", "dog", "cat")).opened()
    assert (named.labels.tolist(), named.notes) == ([0, 2, 0, 1], ())
    data = DataInHand((IMAGES[:4], words)).opened()
    assert (data.labels.tolist(), data.class_names) == ([2, 0, 2, 1], ("cat", "dog", "eel"))
    assert data.notes == (
        "labels in words were numbered in alphabetical order, which must be that of the network's outputs",
    )


def test_the_fingerprint_is_of_pixels_and_labels() -> None:
    changed, relabelled = IMAGES.clone(), LABELS.clone()
    changed[7, 1, 2, 3] ^= 1
    relabelled[5] = 0
    pairs = [(IMAGES, LABELS), (changed, LABELS), (IMAGES, relabelled), (IMAGES[:11], LABELS[:11])]
    assert len({DataInHand(each).opened().fingerprint for each in pairs}) == 4


def test_arrays_are_neither_copied_nor_given_away() -> None:
    array = IMAGES.permute(0, 2, 3, 1).contiguous().numpy()
    dataset = DataInHand((array, LABELS)).opened()
    shown = dataset.images[0:2]
    shown.zero_()
    assert array[0].any()
    array[0] = 7  # the owner's memory is what is read
    assert (dataset.images[0:1] == 7).all()
    array.flags.writeable = False
    assert len(DataInHand((array, LABELS)).opened()) == 12


def test_limits_and_sizes_are_those_of_any_data(tmp_path: Path) -> None:
    for i, (image, label) in enumerate(zip(IMAGES, LABELS.tolist(), strict=True)):
        folder = tmp_path / "test" / ("cat", "dog", "eel")[label]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(folder / f"{i:02}.png")
    files = load_dataset(f"folder:{tmp_path}", size=6, resize=7, limit=7)
    pictures = DataInHand(as_pictures())
    held = pictures.opened(6, 7, 7)
    assert pictures.opened(6, 7, 7) is held  # twins share one dataset
    order = torch.argsort(held.labels, stable=True)
    assert torch.equal(held.images[order], files.images[0:7])
    assert torch.equal(held.labels[order], files.labels)
    arrays = DataInHand((IMAGES, LABELS)).opened(6, 7, 7)
    assert arrays.images.shape == (7, 3, 6, 6)
    items = DataInHand(TensorDataset(IMAGES, LABELS)).opened(6, 7, 7)
    assert torch.equal(arrays.images[0:7], items.images[0:7])


def test_a_limit_reads_no_more_than_it_keeps_where_the_labels_are_known() -> None:
    readings: list[int] = []

    class Targets(Listed):
        targets = LABELS.tolist()

        def __getitem__(self, i: int) -> Any:
            readings.append(i)
            return IMAGES[i], int(LABELS[i])

    data = Targets([None] * 12)
    limited = DataInHand(data).opened(limit=4)
    assert set(readings) == {0, 1, 2, 3}
    assert limited.sample_ids == ("image 0", "image 1", "image 2", "image 3")
    arrays = DataInHand((IMAGES, LABELS), data.classes).opened(limit=4)
    for other in (arrays, DataInHand(as_pictures()).opened(limit=4)):
        assert (other.fingerprint, other.sample_ids, other.notes) == (
            limited.fingerprint,
            limited.sample_ids,
            limited.notes,
        )
    data.targets = [0] * 12  # they are not what the items say: all are read
    assert DataInHand(data).opened(limit=4).fingerprint == limited.fingerprint


def test_what_is_too_large_for_memory_is_read_on_access(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "memory_budget", lambda: 100)
    dataset = DataInHand(as_pictures()).opened(limit=9)
    assert not isinstance(dataset.images, torch.Tensor)
    kept = torch.arange(9)
    assert torch.equal(dataset.images[0:9], IMAGES[kept])
    assert any("read on access" in note for note in dataset.notes)
    with pytest.raises(UsageError, match="too much for this machine"):
        DataInHand(DataLoader(TensorDataset(IMAGES, LABELS)))


class Noisy(Listed):
    """Every reading gives another image."""

    def __getitem__(self, i: int) -> Any:
        return torch.rand(3, 4, 5), 0


def test_random_changes_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    data = Noisy([None] * 3)
    notes = DataInHand(data).opened().notes
    assert any("at random" in note for note in notes)
    assert any("rounded to 256 steps" in note for note in notes)
    monkeypatch.setattr(memory, "memory_budget", lambda: 100)
    with pytest.raises(UsageError, match="differs from one reading to the next"):
        DataInHand(data).opened().images[0:1]


def test_a_loader_is_iterated_once_in_its_own_order() -> None:
    readings: list[int] = []

    class Counted(Listed):
        def __getitem__(self, i: int) -> Any:
            readings.append(i)
            return IMAGES[i], int(LABELS[i])

    loader = DataLoader(Counted([None] * 12), batch_size=5, sampler=[2, 0, 1, 2, 5], drop_last=False)
    data = DataInHand(loader)
    datasets = [data.opened(), data.opened(size=4)]
    assert readings == [2, 0, 1, 2, 5]
    assert torch.equal(datasets[0].images[0:5], IMAGES[readings])
    assert datasets[0].class_names == ("cat", "dog", "eel")
    dropping = DataInHand(DataLoader(TensorDataset(IMAGES, LABELS), batch_size=5, drop_last=True)).opened()
    assert (len(dropping), dropping.left_out) == (10, ("2 images that the DataLoader drops (drop_last)",))


class Stream(IterableDataset[Any]):
    def __iter__(self) -> Iterator[Any]:
        yield from zip(IMAGES, LABELS, strict=True)


def test_a_loader_may_not_know_its_length() -> None:
    assert torch.equal(DataInHand(DataLoader(Stream(), batch_size=5)).opened().images[0:12], IMAGES)
    with pytest.raises(UsageError, match="DataLoader"):
        DataInHand(Stream())


IN_BATCHES = DataLoader(
    TensorDataset(IMAGES, LABELS), batch_sampler=BatchSampler(RandomSampler(range(12)), 4, drop_last=False)
)
SHUFFLED = DataLoader(TensorDataset(IMAGES, LABELS), shuffle=True)
WEIGHTED = DataLoader(TensorDataset(IMAGES, LABELS), sampler=WeightedRandomSampler([1.0] * 12, 12))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (7, r"data may be .*DataLoader; not int"),
        ((IMAGES, LABELS, LABELS), "not tuple"),
        ({"images": IMAGES}, "not dict"),
        (("a", "b"), "no array of numbers"),
        ([], "not list"),
        (pd.DataFrame({"image": [1], "label": [0]}), "not DataFrame"),
        ((as_pictures().items[0][:1], [0, 1]), "1 images, but 2 labels"),
        ((IMAGES[:3], ["cat", "dog", 3]), "a label is 3, which is none of the classes"),
        ((IMAGES[..., :3], LABELS), "channels first or last"),
        ((IMAGES[:, :1], LABELS), r"\(12, 1, 8, 10\).*repeat a grey channel"),
        ((IMAGES[0], LABELS), "give all of them at once"),
        ((IMAGES[:0], LABELS[:0]), "no images"),
        ((IMAGES[:5], LABELS), r"5 images, but labels of shape \(12,\)"),
        ((IMAGES.int(), LABELS), "type int32; give uint8"),
        ((IMAGES.float(), LABELS), r"from 0 to 255, not in \[0, 1\]"),
        ((IMAGES / 127.5 - 1, LABELS), "without normalisation"),
        ((IMAGES * float("nan"), LABELS), r"nan.*not in \[0, 1\]"),
        ((IMAGES, LABELS.float()), "type float32"),
        ((IMAGES, torch.eye(12)), "one class index"),
        ((IMAGES, LABELS - 1), "a label is -1"),
        (SHUFFLED, r"new order each time \(RandomSampler\).*shuffle=False"),
        (IN_BATCHES, "RandomSampler"),
        (WEIGHTED, "WeightedRandomSampler"),
        (Listed([IMAGES[0]]), "item 0 of the data is a Tensor"),
        (Listed([{"image": 1, "label": 2}]), "a dict of image, label"),
        (Listed([]), "no images"),
        (Listed([(IMAGES, 0)]), "an item is one image"),
        (Listed([(IMAGES[0], LABELS)]), "one class index for each image"),
        (Listed([(IMAGES[0], 0), (IMAGES[0, :, :4], 0)]), "image 0 is 10x8, image 1 10x4; give one size"),
        (DataLoader(Listed([(IMAGES[0], 0), (IMAGES[0, :, :4], 0)])), "differ in size: 10x8 and 10x4"),
        (DataLoader(Listed([])), "no images"),
        (DataLoader(Listed([(IMAGES, LABELS)])), "batch 0"),
    ],
)
def test_what_cannot_be_used_is_said_in_one_sentence(data: Any, words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        DataInHand(data).opened()
    assert "\n" not in str(caught.value)


def test_names_are_as_many_as_the_labels_need() -> None:
    with pytest.raises(UsageError, match=r"a label of the data is 2, but there are 2 classes \(a, b\)"):
        DataInHand((IMAGES, LABELS), ("a", "b"))
