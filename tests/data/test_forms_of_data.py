"""The same images and labels give the same dataset, in whatever form they are on disk."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from csg_analyze.data import load_dataset
from csg_analyze.data.listing import read_listing
from csg_analyze.data.specs import DATA_KINDS
from tests.data.forms_of_data import CLASSES, FORMS, Form, write_folder

TABLE = Path(__file__).parents[2] / "docs" / "data.md"


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_every_form_gives_the_dataset_of_the_folder(tmp_path: Path, form: Form) -> None:
    expected = write_folder(tmp_path / "expected")
    (tmp_path / "form").mkdir()
    spec = form.write(tmp_path / "form")
    ids = set()
    for split in ("test",) if form.one_split else ("train", "test"):
        dataset, same = (load_dataset(each, split, size=8, resize=9) for each in (spec, f"folder:{expected}"))
        assert torch.equal(dataset.images[:], same.images[:])
        assert torch.equal(dataset.labels, same.labels)
        assert dataset.labels.dtype == torch.int64
        assert dataset.class_names == (tuple("012") if form.indices else CLASSES)
        assert (dataset.spec, dataset.split) == (spec, split)
        assert form.says in "; ".join(dataset.notes)
        assert len(dataset.sample_ids) == len(dataset)
        assert ids.isdisjoint(dataset.sample_ids)
        ids |= set(dataset.sample_ids)
        assert dataset.left_out == ()
    few = load_dataset(spec, size=8, resize=9, limit=4)
    assert torch.equal(few.images[:], load_dataset(f"folder:{expected}", size=8, resize=9, limit=4).images[:])
    assert few.fingerprint != dataset.fingerprint
    assert load_dataset(spec, size=8, resize=9).fingerprint == dataset.fingerprint
    if form.one_split:
        train = load_dataset(spec, "train", size=8)
        assert train.sample_ids == dataset.sample_ids  # by which training knows them to be the same
        assert "as the train split" in "; ".join(train.notes)


@pytest.mark.parametrize("form", [form for form in FORMS if "torchvision" not in form.name], ids=lambda form: form.name)
def test_images_that_do_not_fit_in_memory_are_decoded_on_access(
    tmp_path: Path, form: Form, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = form.write(tmp_path)
    whole = load_dataset(spec)

    def tiny(*arguments: object, **options: object) -> object:
        return read_listing(*arguments, **{**options, "memory_budget": 100})  # type: ignore[arg-type]

    monkeypatch.setattr("csg_analyze.data.specs.read_listing", tiny)
    monkeypatch.setattr("csg_analyze.data.folders.read_listing", tiny)
    dataset = load_dataset(spec)
    assert not isinstance(dataset.images, torch.Tensor)
    assert torch.equal(dataset.images[torch.tensor([8, 0, 3])], whole.images[torch.tensor([8, 0, 3])])
    assert dataset.fingerprint == whole.fingerprint


def test_the_table_of_the_documentation_is_what_is_tested() -> None:
    text = TABLE.read_text(encoding="utf-8")
    rows = [line for line in text.partition("| form |")[2].splitlines() if line.startswith("| `")]
    assert rows == [form.row for form in FORMS]
    assert all(f"`{kind}" in text for kind in DATA_KINDS)
