"""CSV, WebDataset and tables of the hub: what their parts mean, and what is said of those that cannot be used."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from csg_analyze.data import load_dataset
from csg_analyze.data.hub import list_hub
from csg_analyze.data.listing import split_named
from csg_analyze.data.webdataset import expanded
from csg_analyze.errors import UsageError
from tests.data.forms_of_data import hub_dataset, hub_rows, write_tar
from tests.data.image_folders import png, write


def said(spec: str, split: Any = "test") -> str:
    with pytest.raises(UsageError) as caught:
        load_dataset(spec, split)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    ("text", "query", "words"),
    [
        ("", "", "is empty"),
        ("path,label\n", "", "has no rows"),
        ("a.png,cat\nb.png,dog\n", "", "has no header"),
        ("path,x\na.png,cat\n", "", "has no label column, of path, x; say which with ?label=NAME"),
        ("path,class,target\na.png,cat,1\n", "", "several columns that may hold the label (class, target)"),
        ("path,label\na.png,cat\n", "?label=lable", "unknown column of"),
        ("path,label\na.png,cat\n", "?lable=label", "unknown option of csv data 'lable'; did you mean 'label'?"),
        ("path,label\na.png\n", "", "line 2 of"),
        ("path,label\na.png,\n", "", "line 2 of"),
        ("path,label\na.png,cat\nb.png,cat\n", "", "only one class, 'cat'"),
        ("path,label\na.png,-1\nb.png,0\n", "", "has a label -1"),
        ("path,label\na.png,cat\na.png,dog\n", "", "gives 'a.png' two labels, 'cat' and 'dog'"),
        ("path,label\na.png,cat\nc.png,dog\n", "", "cannot read"),
        ("path,label,split\na.png,cat,train\nb.png,dog,dev\n", "", "has no split test or val or valid or validation"),
    ],
)
def test_csv_files_that_cannot_be_used(tmp_path: Path, text: str, query: str, words: str) -> None:
    write(tmp_path, {"a.png": png(1), "b.png": png(2), "t.csv": text.encode()})
    assert words in said(f"csv:{tmp_path / 't.csv'}{query}")


def test_csv_columns_are_chosen_and_repeated_rows_counted(tmp_path: Path) -> None:
    text = '\ufeffpath,class,target\na.png,cat,10\nb.png,"dog, big",2\na.png,cat,10\n\n'
    write(tmp_path, {"a.png": png(1), "b.png": png(2), "t.csv": text.encode()})
    dataset = load_dataset(f"csv:{tmp_path / 't.csv'}?label=class")
    assert (dataset.class_names, dataset.labels.tolist()) == (("cat", "dog, big"), [0, 1])
    assert dataset.left_out == ("1 rows that repeat another one",)
    dataset = load_dataset(f"csv:{tmp_path / 't.csv'}?label=target")
    assert (dataset.class_names, dataset.labels.tolist()) == (("2", "10"), [1, 0])  # numbers in their own order
    assert "no_such.csv" in said(f"csv:{tmp_path / 'no_such.csv'}")
    assert "it is no text" in said(f"csv:{tmp_path / 'a.png'}")
    assert "write csv:FILE" in said("csv:")


def test_patterns_of_shards() -> None:
    assert expanded("a-{08..10}.tar") == ["a-08.tar", "a-09.tar", "a-10.tar"]
    assert expanded("{x,y}-{0..1}.tar") == ["x-0.tar", "x-1.tar", "y-0.tar", "y-1.tar"]
    assert expanded("a*.tar") == ["a*.tar"]
    for name, split in (("imagenet-val-000.tar", "test"), ("Train_0.tar", "train"), ("constrained.tar", None)):
        assert split_named(name) == split


def test_shards_are_divided_by_names_of_files_or_folders(tmp_path: Path) -> None:
    def shard(path: str, value: int) -> None:
        labels = {"0.png": png(value), "0.cls": b"0", "1.png": png(value + 1), "1.cls": b"1"}
        write_tar(tmp_path / path, labels)

    shard("a/train/0.tar", 1)
    shard("a/val/1.tar", 5)
    assert int(load_dataset(f"webdataset:{tmp_path / 'a'}").images[:][0, 0, 0, 0]) == 5
    assert int(load_dataset(f"webdataset:{tmp_path / 'a'}", "train").images[:][0, 0, 0, 0]) == 1
    shard("b/part-0.tar", 9)
    shard("b/train-0.tar", 1)
    dataset = load_dataset(f"webdataset:{tmp_path / 'b'}", "train")
    assert dataset.left_out == ("1 shards whose names say no split (part-0.tar)",)
    assert "no split test" in said(f"webdataset:{tmp_path / 'b'}")
    dataset = load_dataset(f"webdataset:{tmp_path / 'b' / 'train-*.tar'}")
    assert "though 'train-0.tar' sounds like the train split" in dataset.notes[0]


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"0.png": png(1)}, "has 1 images, but no labels; expected members such as KEY.jpg with KEY.cls"),
        ({"0.png": png(1), "0.jpg": png(1), "0.cls": b"1"}, "has several images (jpg, png)"),
        ({"0.png": png(1), "0.json": b"{"}, "'0.json' holds no label"),
        ({"0.png": png(1), "0.json": b'{"label": [1, 2]}'}, "has a label [1, 2]"),
        ({"0.png": b"no", "0.cls": b"0", "1.png": png(1), "1.cls": b"1"}, "is broken"),
    ],
)
def test_shards_that_cannot_be_used(tmp_path: Path, members: dict[str, bytes], words: str) -> None:
    assert words in said(f"webdataset:{write_tar(tmp_path / '0.tar', members)}")


def test_what_is_no_shard(tmp_path: Path) -> None:
    write(tmp_path, {"0.tar": b"no tar" * 200, "e/x.txt": b"", "c/0.tar": b"", "c/d/0.tar": b""})
    assert "is no intact .tar" in said(f"webdataset:{tmp_path / '0.tar'}")
    assert "holds no .tar" in said(f"webdataset:{tmp_path / 'e'}")
    assert "several shards '0.tar'" in said(f"webdataset:{tmp_path / 'c'}")
    assert "there is no shard" in said(f"webdataset:{tmp_path / '{1..2}.tar'}")


def test_samples_without_labels_are_counted_and_masks_are_no_images(tmp_path: Path) -> None:
    members = {
        "0.png": png(1),
        "0.cls": b"cat",
        "0.seg.png": png(7),
        "a/1.PNG": png(2),
        "a/1.cls": b"dog",
        "2.png": png(3),
    }
    dataset = load_dataset(f"webdataset:{write_tar(tmp_path / '0.tar', members)}")
    assert dataset.class_names == ("cat", "dog")
    assert dataset.sample_ids == ("0.tar/0.png", "0.tar/a/1.PNG")
    assert dataset.left_out == ("1 images without a label",)
    write(tmp_path, {"classnames.txt": b"x\ny\n"})
    assert "classnames.txt beside" in said(f"webdataset:{tmp_path / '0.tar'}")


def test_hub_columns_and_splits(tmp_path: Path) -> None:
    import datasets

    rows = hub_rows("test")
    features = {"image": datasets.Image(), "fine": datasets.ClassLabel(3), "coarse": datasets.ClassLabel(3)}
    both = {"image": rows["image"], "fine": rows["label"], "coarse": [2] * 9}
    whole = datasets.Dataset.from_dict(both, features=datasets.Features(features))
    hidden = datasets.Dataset.from_dict({**both, "fine": [-1] * 9}, features=datasets.Features(features))
    datasets.DatasetDict({"train": whole, "test": hidden, "validation": whole}).save_to_disk(tmp_path / "a")
    spec = f"hf:{tmp_path / 'a'}"
    assert "several columns that may hold the label (fine, coarse)" in said(spec)
    assert "stand for no class (-1, not public)" in said(f"{spec}?label=fine")
    assert load_dataset(f"{spec}?label=fine", "train").sample_ids[0] == "train-000000"
    assert "unknown column" in said(f"{spec}?label=fin")
    assert "unknown option of hf data" in said(f"{spec}?labl=fine")
    assert "holds {'bytes'" in said(f"{spec}?label=image&image=image")
    datasets.DatasetDict({"train": whole}).save_to_disk(tmp_path / "b")
    assert "has no split test or val" in said(f"hf:{tmp_path / 'b'}?label=fine")
    datasets.Dataset.from_dict({"text": ["a"], "label": [0]}).save_to_disk(tmp_path / "c")
    assert "has no image column, of text, label; say which with ?image=NAME" in said(f"hf:{tmp_path / 'c'}")


def test_images_of_the_hub_may_lie_beside_their_table(tmp_path: Path) -> None:
    import datasets

    write(tmp_path, {"a.png": png(1), "b.png": png(2)})
    for paths in (["a.png", "b.png"], [str(tmp_path / "a.png"), str(tmp_path / "b.png")]):
        table = {"file": paths, "label": ["x", "y"]}
        datasets.Dataset.from_dict(table).to_parquet(tmp_path / "t.parquet")
        dataset = load_dataset(f"hf:{tmp_path / 't.parquet'}")
        assert dataset.images[:][:, 0, 0, 0].tolist() == [1, 2]
    (tmp_path / "b.png").unlink()
    assert "cannot be read: No such file" in said(f"hf:{tmp_path / 't.parquet'}")


def test_what_is_no_table_of_the_hub(tmp_path: Path) -> None:
    write(tmp_path, {"e/x.txt": b"", "p/x.parquet": b"PAR1", "s/state.json": b"{}"})
    assert "no data of the hub in" in said(f"hf:{tmp_path / 'e'}")
    assert "there is nothing at" in said(f"hf:{tmp_path / 'nothing'}")
    assert "is no intact parquet file" in said(f"hf:{tmp_path / 'p'}")
    assert "is not what save_to_disk wrote" in said(f"hf:{tmp_path / 's'}")
    hub_dataset("test").save_to_disk(tmp_path / "cut")  # type: ignore[attr-defined]
    arrow = next((tmp_path / "cut").glob("*.arrow"))
    arrow.write_bytes(arrow.read_bytes()[:100])
    assert "or damaged" in said(f"hf:{tmp_path / 'cut'}")


def test_the_library_is_named_where_it_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(UsageError, match=r'pip install "csg-analyze\[hub\]"'):
        list_hub(str(tmp_path), "test")
