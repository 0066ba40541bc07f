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
from csg_analyze.data.voc.parts import read_parts
from csg_analyze.data.voc.preparing import Prepared, divided, prepare_voc
from csg_analyze.errors import UsageError
from csg_analyze.progress import untracked
from tests.devkits import PICTURES, SIZE, SPLITS, disc, write_devkit


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


def test_pictures_are_divided_as_the_authors_do() -> None:
    ids = [f"{i:03d}" for i in range(40)]
    random.seed(0)
    expected = ids.copy()
    random.shuffle(expected)
    assert divided(ids[::-1], 0) == {"train": sorted(expected[:28]), "test": sorted(expected[28:])}


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
