from __future__ import annotations

import io
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from csg_analyze.data import load_dataset
from csg_analyze.data.voc.division import as_the_authors, seeded
from csg_analyze.data.voc.parts import read_parts
from csg_analyze.data.voc.preparing import Prepared, prepare_voc
from csg_analyze.errors import UsageError
from csg_analyze.progress import untracked
from tests.devkits import (
    PICTURES,
    SIZE,
    SPLITS,
    disc,
    object_entry,
    write_annotation,
    write_devkit,
    write_oriented,
)


def write_parts(root: Path, picture: str, objects: list[dict[str, Any]]) -> None:
    """One file of Pascal-Part, in the nesting of the original ones."""
    root.mkdir(parents=True, exist_ok=True)
    record = np.array([tuple(o.values()) for o in objects], dtype=[(name, object) for name in objects[0]])
    savemat(root / f"{picture}.mat", {"anno": {"imname": picture, "objects": record.reshape(1, -1)}})


@pytest.fixture
def devkit(tmp_path: Path) -> Path:
    root = write_devkit(tmp_path / "VOC2010", PICTURES, SPLITS)
    for picture, entries in PICTURES.items():
        objects = []
        for class_name, (x0, y0, x1, y1) in entries:
            head = disc((x0, y0, (x0 + x1) // 2, y1), SIZE)
            part = np.array([("head", head.astype(np.uint8))], dtype=[("part_name", object), ("mask", object)])
            mask = disc((x0, y0, x1, y1), SIZE).astype(np.uint8)
            # an object without parts holds an empty array
            parts = part.reshape(1, 1) if class_name == "cat" else np.zeros((0, 0))
            objects.append({"class": class_name, "class_ind": 1, "mask": mask, "parts": parts})
        write_parts(root / "Annotations_Part", picture, objects)
    return root


def prepare(root: Path, out: Path, **settings: Any) -> Prepared:
    settings = {"classes": ("cat", "dog"), "crop_size": 16, "track": untracked, **settings}
    return prepare_voc(str(root), out, **settings)


def test_the_authors_folders(devkit: Path, tmp_path: Path) -> None:
    done = prepare(devkit, tmp_path / "processed")
    assert done.instances == {"cat": 4, "dog": 3}
    assert done.pictures == {"train": 4, "test": 1}
    folder = tmp_path / "processed" / "16x16"
    names = {"cat-1-p1", "cat-2-p1", "dog-1-p2", "dog-1-p3", "cat-2-p3", "dog-1-p4", "cat-1-p5"}
    assert {path.stem for path in (folder / "obj_img").iterdir()} == names
    assert {path.name for path in (folder / "obj_mask").iterdir()} == {f"{name}.mask.bmp" for name in names}
    assert {path.name for path in (folder / "part_mask").iterdir()} == {n for n in names if n.startswith("cat")}
    # cut out by hand: the disc of p5 spans 30 x 20 pixels from (10, 4), so its square starts at (10, -1)
    masks = {"obj_mask/cat-1-p5.mask.bmp": (10, 4, 40, 24), "part_mask/cat-1-p5/head.bmp": (10, 4, 25, 24)}
    for file, mask in masks.items():
        expected = Image.fromarray(disc(mask, SIZE).astype(np.uint8) * 255).crop((10, -1, 40, 29))
        resized = expected.resize((16, 16), Image.Resampling.NEAREST)
        assert np.array_equal(np.asarray(Image.open(folder / file)), np.asarray(resized))
    stream = io.BytesIO()
    picture = Image.open(devkit / "JPEGImages" / "p5.png").crop((10, -1, 40, 29))
    picture.resize((16, 16), Image.Resampling.LANCZOS).save(stream, "jpeg", quality=95)
    assert (folder / "obj_img" / "cat-1-p5.jpg").read_bytes() == stream.getvalue()


def test_what_was_prepared_is_voc_data(devkit: Path, tmp_path: Path) -> None:
    out = tmp_path / "processed"
    prepare(devkit, out)
    train, test = (load_dataset(f"voc:{out}", split) for split in ("train", "test"))
    assert train.class_names == test.class_names == ("cat", "dog")
    assert len(train) + len(test) == 7
    assert not set(train.sources or ()) & set(test.sources or ())
    assert train.masks is not None
    assert train.boxes is not None
    assert train.ignored is None
    index = train.sample_ids.index("cat-2-p1")
    assert train.masks[index].sum() > 100
    assert train.boxes[index, 0].tolist() == [0, 0, 16, 16]
    # the folder of one size does as well, and so does a class of it
    assert load_dataset(f"voc:{out / '16x16'}", "train").fingerprint == train.fingerprint
    assert load_dataset(f"voc:{out / '16x16' / 'obj_img'}", "train").fingerprint == train.fingerprint
    assert set(load_dataset(f"voc:{out}?classes=dog", "train").labels.tolist()) == {0}
    (out / "16x16" / "obj_mask" / "cat-2-p1.mask.bmp").unlink()
    (out / "16x16" / "obj_img" / "stray.jpg").write_bytes(b"")
    fewer = load_dataset(f"voc:{out}", "train")
    assert set(fewer.left_out) == {
        "1 image without a mask in obj_mask/ (cat-2-p1)",
        "1 file of obj_img/ not named <class>-<n>-<image id> (stray)",
    }
    (out / "metadata" / "val.txt").unlink()
    with pytest.raises(UsageError, match=r"has no val\.txt in metadata/"):
        load_dataset(f"voc:{out}")


def test_an_interrupted_call_goes_on(devkit: Path, tmp_path: Path) -> None:
    prepare(devkit, tmp_path / "whole")

    def interrupted(pictures: Iterable[str], _what: str, _total: int) -> Iterable[str]:
        for count, picture in enumerate(pictures):
            if count == 3:
                raise KeyboardInterrupt
            yield picture

    out = tmp_path / "begun"
    with pytest.raises(KeyboardInterrupt):
        prepare(devkit, out, track=interrupted)
    assert not (out / "metadata" / "train.txt").exists()
    kept = out / "16x16" / "obj_img" / "dog-1-p2.jpg"
    before = kept.stat().st_mtime_ns
    prepare(devkit, out)
    assert kept.stat().st_mtime_ns == before
    files = {path.relative_to(out): path.read_bytes() for path in out.rglob("*") if path.is_file()}
    assert files == {
        path.relative_to(tmp_path / "whole"): path.read_bytes()
        for path in (tmp_path / "whole").rglob("*")
        if path.is_file()
    }
    with pytest.raises(UsageError, match="begun with other settings"):
        prepare(devkit, out, crop_size=20)


def test_pictures_are_divided_by_a_seed() -> None:
    ids = [f"{i:03d}" for i in range(40)]
    random.seed(0)
    expected = ids.copy()
    random.shuffle(expected)
    assert seeded(ids[::-1], 0) == {"train": sorted(expected[:28]), "test": sorted(expected[28:])}


def by_the_authors_script(trainval: Path) -> dict[str, list[str]]:
    """Line by line what their VOC/preprocess.py does, names apart."""
    with trainval.open() as file:
        all_names = list(filter(lambda name: name != "", file.read().split("\n")))
    random.seed(0)
    train = sorted(random.sample(all_names, int(len(all_names) * 0.7)))
    return {"train": train, "test": sorted(set(all_names).difference(set(train)))}


@pytest.mark.parametrize("n", [1, 2, 10, 40, 90, 10_103])
def test_the_authors_division(tmp_path: Path, n: int) -> None:
    ids = [f"2008_{i:06d}" for i in range(n)][::-1]
    (tmp_path / "trainval.txt").write_text("".join(f"{image}\n" for image in ids))
    assert as_the_authors(ids) == by_the_authors_script(tmp_path / "trainval.txt")


def test_the_authors_division_stays_what_it_is() -> None:
    """Python's generator is not to change it: these are the test pictures of the ids 0 ... 19, drawn by Python 3.7."""
    assert as_the_authors([str(i) for i in range(20)])["test"] == ["0", "10", "14", "16", "17", "18"]
    parts = as_the_authors([str(i) for i in range(10_103)])
    assert (len(parts["train"]), len(parts["test"])) == (7072, 3031)  # as the authors count them


def test_prepared_as_the_authors_divide(devkit: Path, tmp_path: Path) -> None:
    listed = ["p5", "x1", "p3", "p2", "x2", "p1", "x3", "x4", "p4", "x5"]  # x: pictures without a part
    trainval = devkit / "ImageSets" / "Main" / "trainval.txt"
    trainval.write_text("".join(f"{image}\n" for image in listed))
    expected = by_the_authors_script(trainval)
    out = tmp_path / "processed"
    done = prepare(devkit, out, split="authors")
    for split, file in (("train", "train.txt"), ("test", "val.txt")):
        assert (out / "metadata" / file).read_text().splitlines() == expected[split]
        used = {image for image in expected[split] if image in PICTURES}
        assert set(load_dataset(f"voc:{out}", split).sources or ()) == used  # type: ignore[arg-type]
        assert done.pictures[split] == len(used)
    with pytest.raises(UsageError, match="begun with other settings"):
        prepare(devkit, out)
    trainval.write_text("".join(f"{image}\n" for image in listed if image != "p5"))
    fewer = prepare(devkit, tmp_path / "fewer", split="authors")
    assert "1 picture that trainval.txt does not list: cut, in neither split (p5)" in fewer.left_out.phrases()
    with pytest.raises(UsageError, match="drawn with their seed, 0, not with 1"):
        prepare(devkit, tmp_path / "other", split="authors", seed=1)
    trainval.unlink()
    with pytest.raises(UsageError, match=r"has no trainval\.txt in ImageSets/Main/, which the authors divide"):
        prepare(devkit, tmp_path / "other", split="authors")
    assert not (tmp_path / "other").exists()


def test_ids_with_spaces_are_prepared_and_found(tmp_path: Path) -> None:
    pictures = {f"img {i}": [("cat", (5, 5, 25, 35))] for i in range(5)}
    root = write_devkit(tmp_path / "spaced", pictures, {"val": list(pictures)}, masks=True)
    prepare(root, tmp_path / "out", classes=("cat",))
    sources = [load_dataset(f"voc:{tmp_path / 'out'}", split).sources for split in ("train", "test")]
    assert sorted(name for names in sources for name in names or ()) == sorted(pictures)


@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_a_picture_is_cut_as_its_mask_was_drawn(tmp_path: Path, orientation: int) -> None:
    root = write_devkit(tmp_path / "turned", {"p": [("cat", (5, 8, 25, 30))]}, {"val": ["p"]}, masks=True)
    seen = np.where(disc((5, 8, 25, 30), SIZE)[..., None], 255, 0).astype(np.uint8).repeat(3, axis=2)
    write_oriented(root / "JPEGImages" / "p.png", seen, orientation)
    done = prepare(root, tmp_path / "out", classes=("cat",), crop_size=32)
    folder = tmp_path / "out" / "32x32"
    mask = np.asarray(Image.open(folder / "obj_mask" / "cat-1-p.mask.bmp")) > 0
    assert np.asarray(Image.open(folder / "obj_img" / "cat-1-p.jpg"))[..., 0][mask].mean() > 240
    assert len(done.account.notes.phrases()) == (orientation > 1)


def test_what_a_prepared_folder_cannot_tell(devkit: Path, tmp_path: Path) -> None:
    root = write_devkit(tmp_path / "marked", {"p": [("cat", (5, 8, 25, 30))]}, {"val": ["p"]}, masks=True)
    write_annotation(root, "p", object_entry("cat", (5, 8, 25, 30), difficult=True))
    Image.new("L", (60, 40)).save(root / "SegmentationObject" / "alone.png")
    done = prepare(root, tmp_path / "out", classes=("cat",))
    assert done.account.notes.phrases() == ("1 object marked difficult and cut out like any other (cat-1-p)",)
    assert done.left_out.phrases() == ("1 mask without an annotation (alone)",)
    with pytest.raises(UsageError, match="does not say which of them are difficult; give the devkit"):
        load_dataset(f"voc:{tmp_path / 'out'}?difficult=skip")


def test_masks_of_objects_will_do_and_boxes_alone_will_not(tmp_path: Path) -> None:
    root = write_devkit(tmp_path / "masks", PICTURES, SPLITS, masks=True)
    assert prepare(root, tmp_path / "out").instances == {"cat": 4, "dog": 3}
    assert set(prepare(root, tmp_path / "all", classes=None).instances) == {"cat", "dog", "person"}
    boxes = write_devkit(tmp_path / "boxes", PICTURES, SPLITS)
    with pytest.raises(UsageError, match="has no masks to cut objects out by"):
        prepare(boxes, tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_parts_that_lie_elsewhere(devkit: Path, tmp_path: Path) -> None:
    elsewhere = (devkit / "Annotations_Part").rename(tmp_path / "elsewhere")
    (devkit / "JPEGImages" / "p3.png").unlink()
    done = prepare(devkit, tmp_path / "out", parts=elsewhere)
    assert done.instances == {"cat": 3, "dog": 2}
    assert done.left_out.phrases() == ("1 annotated image without a file in JPEGImages/ (p3)",)
    with pytest.raises(UsageError, match=r"no \.mat file in"):
        prepare(devkit, tmp_path / "other", parts=tmp_path / "out")


def test_bad_input(devkit: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="at least 8 pixels, not 4"):
        prepare(devkit, tmp_path / "out", crop_size=4)
    with pytest.raises(UsageError, match="unknown class 'cta'"):
        prepare(devkit, tmp_path / "out", classes=("cta",))
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError, match="holds other things"):
        prepare(devkit, tmp_path / "full")
    with pytest.raises(UsageError, match=r"'x\.mat' is no annotation of Pascal-Part"):
        read_parts(b"no mat file", "x.mat")
    out = tmp_path / "out"
    prepare(devkit, out)
    with pytest.raises(UsageError, match="was prepared already"):
        prepare(out, tmp_path / "again")
    stream = io.BytesIO()
    Image.new("RGB", (9, 9)).save(stream, "png")
    (devkit / "JPEGImages" / "p5.png").write_bytes(stream.getvalue())
    with pytest.raises(UsageError, match=r"mask of 'JPEGImages/p5\.png' is 60x40, the image 9x9"):
        prepare(devkit, tmp_path / "another")
