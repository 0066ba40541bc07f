"""Boxes, masks and pixels of a devkit that do not agree with each other."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from csg_analyze.data import load_dataset
from csg_analyze.data.dataset import Dataset
from csg_analyze.data.voc import VocSpec, load_voc
from csg_analyze.errors import UsageError
from tests.devkits import Box, disc, label_map, object_entry, write_annotation, write_devkit, write_oriented

SEEN = (40, 60)  # height and width of the pictures as they are seen
BOX: Box = (5, 8, 25, 30)
ORIENTATIONS = range(1, 9)


def with_object(fill: int = 255) -> np.ndarray:
    """A picture, uint8 (H, W, 3), that is black but for its object, which fills BOX."""
    pixels = np.zeros((*SEEN, 3), np.uint8)
    x0, y0, x1, y1 = BOX
    pixels[y0:y1, x0:x1] = fill
    return pixels


def oriented_devkit(root: Path, orientation: int, size: tuple[int, int] | None, *, box: Box = BOX) -> Path:
    write_devkit(root, {"p": [("cat", box)]}, {"val": ["p"]})
    write_oriented(root / "JPEGImages" / "p.png", with_object(), orientation)
    write_annotation(root, "p", object_entry("cat", box), size)
    return root


def share_on_object(dataset: Dataset) -> float:
    """The share of the first image's first box that is object."""
    assert dataset.boxes is not None
    x0, y0, x1, y1 = (int(v) for v in dataset.boxes[0, 0].tolist())
    return float((dataset.images[:][0, 0, y0:y1, x0:x1] > 127).float().mean())


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("size", [SEEN, None])
def test_a_box_lies_on_the_object_that_its_annotator_saw(
    tmp_path: Path, orientation: int, size: tuple[int, int] | None
) -> None:
    root = oriented_devkit(tmp_path, orientation, size)
    dataset = load_dataset(f"voc:{root}")
    assert dataset.image_size == SEEN
    assert share_on_object(dataset) == 1
    assert share_on_object(load_dataset(f"voc:{root}?instances=crop&crop_size=22")) == 1
    told = size is not None and orientation >= 5
    expected = {
        "1 image turned upright as its EXIF says, in which dimensions it is annotated (p)": told,
        "1 image turned upright as its EXIF says; whether its annotator saw it so, the annotation does not tell (p)": (
            orientation > 1 and not told
        ),
        "1 image whose annotation has no <size> to compare with its file's (p)": size is None,
    }
    assert {note for note, there in expected.items() if there} == set(dataset.notes)
    lazy = load_voc(VocSpec(str(root)), memory_budget=10)
    assert torch.equal(lazy.images[:], dataset.images[:])
    assert lazy.fingerprint == dataset.fingerprint


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_a_picture_annotated_as_it_is_stored_is_not_turned(tmp_path: Path, orientation: int) -> None:
    root = oriented_devkit(tmp_path, orientation, SEEN[::-1])
    stored = np.asarray(Image.open(root / "JPEGImages" / "p.png"))
    rows, columns = np.nonzero(stored[..., 0])
    box = (int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1)
    write_annotation(root, "p", object_entry("cat", box), SEEN[::-1])
    dataset = load_dataset(f"voc:{root}")
    assert dataset.image_size == SEEN[::-1]
    assert share_on_object(dataset) == 1
    assert dataset.notes == ("1 image not turned as its EXIF says, in which dimensions it is annotated (p)",)


def test_a_mask_tells_how_a_picture_was_seen_where_its_annotation_does_not(tmp_path: Path) -> None:
    root = oriented_devkit(tmp_path, 6, None)
    (root / "SegmentationObject").mkdir()
    label_map([BOX], SEEN).save(root / "SegmentationObject" / "p.png")
    dataset = load_dataset(f"voc:{root}")
    assert dataset.masks is not None
    assert dataset.images[:][0, 0][dataset.masks[0]].float().mean() > 250
    # a mask of the stored picture
    label_map([(0, 0, 20, 20)], SEEN[::-1]).save(root / "SegmentationObject" / "p.png")
    assert load_dataset(f"voc:{root}").image_size == SEEN[::-1]


def test_an_annotation_of_other_dimensions_is_left_out(tmp_path: Path) -> None:
    root = write_devkit(tmp_path, {"p": [("cat", BOX)], "q": [("dog", BOX)]}, {"val": ["p", "q"]})
    write_annotation(root, "p", object_entry("cat", BOX), (120, 160))
    for instances in ("image", "crop"):
        dataset = load_dataset(f"voc:{root}?instances={instances}")
        assert dataset.sources in (None, ("q",))
        assert dataset.labels.tolist() == [1]
        assert dataset.left_out == (
            "1 image annotated in other dimensions than its file has (p: 160x120 for a file of 60x40)",
        )
    # turned sides are other dimensions too, where no EXIF explains them
    write_annotation(root, "q", object_entry("dog", BOX), SEEN[::-1])
    with pytest.raises(UsageError, match=r"no image of cat, dog .*2 images annotated in other dimensions"):
        load_dataset(f"voc:{root}")


@pytest.mark.parametrize(("width", "height"), [("0", "0"), ("", "40"), ("sixty", "forty"), ("inf", "nan")])
def test_a_size_that_says_nothing_is_none(tmp_path: Path, width: str, height: str) -> None:
    root = write_devkit(tmp_path, {"p": [("cat", BOX)]}, {"val": ["p"]})
    size = f"<size><width>{width}</width><height>{height}</height></size>"
    write_annotation(root, "p", size + object_entry("cat", BOX), None)
    dataset = load_dataset(f"voc:{root}")
    assert dataset.notes == ("1 image whose annotation has no <size> to compare with its file's (p)",)


@pytest.mark.parametrize("instances", ["image", "crop"])
def test_masks_that_differ_in_size_are_named(tmp_path: Path, instances: str) -> None:
    root = write_devkit(tmp_path, {"p": [("cat", BOX)]}, {"val": ["p"]}, masks=True)
    (root / "SegmentationClass").mkdir()
    Image.new("L", (30, 20), 8).save(root / "SegmentationClass" / "p.png")
    words = "masks of 'p' differ in size: 60x40 in SegmentationObject, 30x20 in SegmentationClass"
    with pytest.raises(UsageError, match=words):
        load_dataset(f"voc:{root}?instances={instances}")
    shutil.rmtree(root / "SegmentationClass")
    label_map([(0, 0, 9, 9)], (20, 30)).save(root / "SegmentationObject" / "p.png")
    with pytest.raises(UsageError, match="mask of 'p' is 30x20, its image 60x40"):
        load_dataset(f"voc:{root}?instances={instances}")


POLYGON = (
    "<object><name>cat</name><polygon><x1>3</x1><y1>4</y1><x2>9</x2><y2>8</y2><x3>3</x3><y3>9</y3></polygon></object>"
)
TURNED = (25, 8, 5, 30)  # xmin 26, xmax 5


@pytest.mark.parametrize(
    ("flawed", "flaw"),
    [(POLYGON, "without a box"), (object_entry("cat", TURNED), "with xmin > xmax or ymin > ymax")],
)
def test_objects_without_a_usable_box(tmp_path: Path, flawed: str, flaw: str) -> None:
    root = write_devkit(tmp_path, {"p": [("cat", BOX)], "q": [("cat", BOX)]}, {"val": ["p", "q"]})
    write_annotation(root, "p", object_entry("cat", BOX) + flawed)
    dataset = load_dataset(f"voc:{root}")
    assert dataset.boxes is not None
    assert dataset.boxes[0].isnan().all()  # the other object's box would be half the truth
    assert dataset.boxes[1, 0].tolist() == list(BOX)
    assert dataset.left_out == (f"1 object {flaw}: its image counts as one without boxes (p cat 2)",)
    assert dataset.notes == ()
    crops = load_dataset(f"voc:{root}?instances=crop")
    assert crops.sample_ids == ("cat-1-p", "cat-1-q")
    assert crops.left_out == (f"1 object {flaw} (cat-2-p)",)
    # with masks, an object needs no box to be cut out
    (root / "SegmentationObject").mkdir()
    label_map([BOX, (30, 5, 50, 25)], SEEN).save(root / "SegmentationObject" / "p.png")
    masked = load_dataset(f"voc:{root}?instances=crop")
    assert masked.sample_ids == ("cat-1-p", "cat-2-p", "cat-1-q")
    assert masked.left_out == (f"1 object {flaw}: cut out by its mask, its image has no box (cat-2-p)",)
    assert masked.boxes is not None
    assert masked.boxes[:, 0, 0].isnan().tolist() == [False, True, False]


def test_a_box_side_that_is_no_number_is_named(tmp_path: Path) -> None:
    root = write_devkit(tmp_path, {"p": [("cat", BOX)]}, {"val": ["p"]})
    for value in ("left", "", "nan"):
        write_annotation(root, "p", object_entry("cat", BOX).replace("<xmin>6<", f"<xmin>{value}<"))
        with pytest.raises(
            UsageError, match=rf"'Annotations/p\.xml' cannot be read \(the xmin of object 1 is '{value}'"
        ):
            load_dataset(f"voc:{root}")


def test_boxes_outside_their_image_end_nothing(tmp_path: Path) -> None:
    pictures = {"p": [("cat", (100, 100, 120, 120)), ("cat", BOX)], "q": [("cat", (5, 5, 5, 9))], "r": [("cat", BOX)]}
    root = write_devkit(tmp_path, pictures, {"val": list(pictures)})
    crops = load_dataset(f"voc:{root}?instances=crop")
    assert crops.sample_ids == ("cat-2-p", "cat-1-r")
    assert crops.left_out == (
        "1 object with a box outside its image (cat-1-p)",
        "1 object with xmin > xmax or ymin > ymax (cat-1-q)",
    )
    whole = load_dataset(f"voc:{root}")
    assert whole.sample_ids == ("p", "q", "r")
    assert whole.notes == ("boxes outside their image or what is left of it: 1",)


def test_a_crop_shows_what_its_image_holds_of_a_box(tmp_path: Path) -> None:
    root = write_devkit(tmp_path, {"p": [("cat", (50, 5, 80, 20))]}, {"val": ["p"]})
    crops = load_dataset(f"voc:{root}?instances=crop&crop_size=30")
    expected = Image.open(root / "JPEGImages" / "p.png").crop((48, 5, 63, 20))  # around 50..60, 5..20
    resized = np.asarray(expected.resize((30, 30), Image.Resampling.LANCZOS)).transpose(2, 0, 1)
    assert np.array_equal(crops.images[:][0].numpy(), resized)
    assert crops.boxes is not None
    assert crops.boxes[0, 0].tolist() == [4, 0, 24, 30]
    assert "boxes that reach beyond their image, cut at its edge: 1" in crops.notes


def test_a_border_around_a_mask_is_no_box_beyond_the_image(tmp_path: Path) -> None:
    """Boxes are drawn around the 255 along an object's edge, crops are cut inside it."""
    root = write_devkit(tmp_path, {"p": [("cat", BOX)]}, {"val": ["p"]}, masks=True)
    labels = np.full(SEEN, 255, np.uint8)
    x0, y0, x1, y1 = BOX
    labels[:] = 0
    labels[y0:y1, x0:x1] = 255
    labels[y0 + 4 : y1 - 4, x0 + 4 : x1 - 4] = 1
    Image.fromarray(labels).save(root / "SegmentationObject" / "p.png")
    dataset = load_dataset(f"voc:{root}?instances=crop&crop_size=16")
    assert dataset.notes == ("objects cut out as squares of 16x16 pixels, black outside their picture",)


def difficult_devkit(root: Path, *, masks: bool) -> Path:
    pictures = {
        "p": [("cat", (0, 0, 20, 20)), ("cat", (30, 5, 50, 25))],
        "q": [("dog", (10, 10, 30, 30))],
        "r": [("dog", (10, 10, 30, 30)), ("cat", (40, 20, 60, 40))],
    }
    write_devkit(root, pictures, {"val": list(pictures)}, masks=masks)
    for name, marks in {"p": (False, True), "q": (True,), "r": (False, True)}.items():
        entries = [object_entry(*o, difficult=mark) for o, mark in zip(pictures[name], marks, strict=True)]
        write_annotation(root, name, "".join(entries))
    return root


def test_difficult_objects_are_kept_and_counted(tmp_path: Path) -> None:
    root = difficult_devkit(tmp_path, masks=True)
    assert load_dataset(f"voc:{root}").sample_ids == ("p", "q")
    crops = load_dataset(f"voc:{root}?instances=crop&difficult=keep")
    assert len(crops) == 5
    words = "3 objects marked difficult and kept (difficult=skip leaves such out) (p cat 2, q dog 1, r cat 2)"
    assert words in crops.notes


def test_difficult_objects_are_skipped_where_that_is_asked_for(tmp_path: Path) -> None:
    root = difficult_devkit(tmp_path, masks=True)
    left_out = "3 objects marked difficult (p cat 2, q dog 1, r cat 2)"
    crops = load_dataset(f"voc:{root}?instances=crop&difficult=skip")
    assert crops.sample_ids == ("cat-1-p", "dog-1-r")
    assert crops.left_out == (left_out, "1 image with difficult objects alone (q)")
    whole = load_dataset(f"voc:{root}?difficult=skip")
    assert whole.sample_ids == ("p", "r")  # of r, only the dog counts
    assert whole.labels.tolist() == [0, 1]
    assert whole.left_out == crops.left_out
    assert not any("difficult" in note for note in whole.notes)
    assert whole.boxes is not None
    assert whole.boxes[:, 0].tolist() == [[0, 0, 20, 20], [10, 10, 30, 30]]
    # where a skipped object of the class is, a map is neither right nor wrong
    assert whole.masks is not None
    assert whole.ignored is not None
    skipped = torch.from_numpy(disc((30, 5, 50, 25), SEEN))
    assert not whole.masks[0][skipped].any()
    assert whole.ignored[0][skipped].all()
    # an object of another class is background
    assert not whole.ignored[1][torch.from_numpy(disc((43, 23, 57, 37), SEEN))].any()
    alone = load_dataset(f"voc:{difficult_devkit(tmp_path / 'boxes', masks=False)}?difficult=skip")
    assert alone.sample_ids == ("p", "r")


def test_what_an_annotation_says_of_its_file_is_no_matter(tmp_path: Path) -> None:
    root = write_devkit(tmp_path, {"p": [("cat", BOX), ("cat", (30, 5, 50, 25))]}, {"val": ["p"]})
    floats = object_entry("cat", BOX).replace(">6<", ">6.0<").replace(">25<", ">24.5<")
    write_annotation(root, "p", "<folder>elsewhere</folder><filename>other.jpg</filename>" + floats)
    dataset = load_dataset(f"voc:{root}")
    assert dataset.boxes is not None
    assert dataset.boxes[0].tolist() == [[5, 8, 24.5, 30]]
    assert (dataset.notes, dataset.left_out) == ((), ())


def test_a_box_of_one_pixel_counts_both_ends(tmp_path: Path) -> None:
    root = write_devkit(tmp_path, {"p": [("cat", (5, 8, 6, 9))]}, {"val": ["p"]})
    assert "<xmin>6</xmin>" in (root / "Annotations" / "p.xml").read_text()
    assert "<xmax>6</xmax>" in (root / "Annotations" / "p.xml").read_text()
    dataset = load_dataset(f"voc:{root}")
    assert dataset.boxes is not None
    assert dataset.boxes[0, 0].tolist() == [5, 8, 6, 9]
