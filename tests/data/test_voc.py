from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from csg_analyze.data import load_dataset
from csg_analyze.data.voc.instances import cut_box, cut_image, cut_mask, window_around
from csg_analyze.data.voc.spec import VocSpec, refined
from csg_analyze.errors import UsageError
from tests.devkits import PICTURES, SIZE, SPLITS, disc, write_devkit


@pytest.fixture(scope="module")
def devkit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_devkit(tmp_path_factory.mktemp("devkit") / "VOCdevkit" / "VOC2010", PICTURES, SPLITS, masks=True)


@pytest.fixture(scope="module")
def boxes_only(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_devkit(tmp_path_factory.mktemp("boxes") / "VOC2007", PICTURES, SPLITS)


def test_whole_images_with_all_objects_of_their_class(devkit: Path) -> None:
    dataset = load_dataset(f"voc:{devkit}?classes=cat,dog", "train")
    assert dataset.class_names == ("cat", "dog")
    assert dataset.sample_ids == ("p1", "p2")
    assert dataset.labels.tolist() == [0, 1]
    assert dataset.images.shape == (2, 3, *SIZE)
    assert dataset.boxes is not None
    assert dataset.boxes[0].tolist() == [[5, 5, 25, 35], [30, 10, 50, 30]]
    assert dataset.boxes[1, 0].tolist() == [0, 0, 60, 40]
    assert dataset.boxes[1, 1].isnan().all()
    assert dataset.masks is not None
    assert dataset.ignored is not None
    first = disc((5, 5, 25, 35), SIZE) | disc((30, 10, 50, 30), SIZE)
    assert np.array_equal(dataset.masks[0].numpy(), first)
    ring = disc((5, 5, 25, 35), SIZE, 1.5) | disc((30, 10, 50, 30), SIZE, 1.5)
    assert np.array_equal(dataset.ignored[0].numpy(), ring & ~first)
    assert dataset.sources is None


def test_what_cannot_be_taken_over_is_counted(devkit: Path, tmp_path: Path) -> None:
    root = shutil.copytree(devkit, tmp_path / "devkit")
    (root / "Annotations" / "p5.xml").unlink()
    (root / "JPEGImages" / "p4.png").unlink()
    with pytest.raises(UsageError, match=r"no image of cat, dog in its test split \(1 image with several"):
        load_dataset(f"voc:{root}?classes=cat,dog")
    (root / "ImageSets" / "Main" / "val.txt").write_text("p2 1\np3 -1\np4 1\np5 1\n")
    dataset = load_dataset(f"voc:{root}?classes=cat,dog")
    assert dataset.sample_ids == ("p2",)
    assert dataset.left_out == (
        "1 image with several of the classes (p3)",
        "1 annotated image without a file in JPEGImages/ (p4)",
        "1 image without an annotation (p5)",
    )
    assert dataset.notes == ("no image of 'cat' in the test split",)


def test_objects_cut_out(devkit: Path) -> None:
    dataset = load_dataset(f"voc:{devkit}?classes=cat,dog&instances=crop&crop_size=32")
    assert dataset.sample_ids == ("dog-1-p3", "cat-2-p3", "dog-1-p4", "cat-1-p5")
    assert dataset.sources == ("p3", "p3", "p4", "p5")
    assert dataset.labels.tolist() == [1, 0, 1, 0]
    assert dataset.images.shape == (4, 3, 32, 32)
    picture = Image.open(devkit / "JPEGImages" / "p4.png")
    expected = np.asarray(picture.crop((5, 10, 25, 30)).resize((32, 32), Image.Resampling.LANCZOS))
    assert np.array_equal(dataset.images[:][2].permute(1, 2, 0).numpy(), expected)
    assert dataset.boxes is not None
    assert dataset.boxes[2, 0].tolist() == [8, 0, 24, 32]  # 10 of the 20 pixels of the square, at 32 / 20
    assert dataset.masks is not None
    mask = Image.fromarray(disc((10, 10, 20, 30), SIZE).astype(np.uint8)).crop((5, 10, 25, 30))
    assert np.array_equal(dataset.masks[2].numpy(), np.asarray(mask.resize((32, 32), Image.Resampling.NEAREST)) > 0)


def test_boxes_alone_are_cut_by_their_boxes(boxes_only: Path) -> None:
    dataset = load_dataset(f"voc:{boxes_only}?classes=cat,dog&instances=crop&crop_size=40")
    assert dataset.masks is None
    assert dataset.boxes is not None
    expected = [[0, 0, 40, 40], [0, 0, 40, 40], [10, 0, 30, 40], [0, 20 / 3, 40, 100 / 3]]
    assert torch.allclose(dataset.boxes[:, 0], torch.tensor(expected))


@st.composite
def box(draw: st.DrawFn) -> tuple[int, int, int, int]:
    x0, y0 = draw(st.integers(0, SIZE[1] - 2)), draw(st.integers(0, SIZE[0] - 2))
    return x0, y0, draw(st.integers(x0 + 1, SIZE[1])), draw(st.integers(y0 + 1, SIZE[0]))


@given(box(), st.integers(8, 80))
def test_a_cut_out_box_is_the_box_of_the_cut_out_mask(box: tuple[int, int, int, int], size: int) -> None:
    mask = np.zeros(SIZE, np.bool_)
    mask[box[1] : box[3], box[0] : box[2]] = True
    window = window_around(*box)
    cut = cut_mask(mask, window, size)
    x0, y0, x1, y1 = cut_box(box, window, size)
    assert max(x1 - x0, y1 - y0) == pytest.approx(size)
    assert window.side == max(box[2] - box[0], box[3] - box[1])
    assert np.array_equal(cut, cut.any(axis=1)[:, None] & cut.any(axis=0)[None])
    if min(x1 - x0, y1 - y0) < 1:  # thinner than a pixel: the nearest one may miss it
        return
    # a pixel is on the mask where its centre is in the box
    centres = np.arange(size) + 0.5
    for side, low, high in ((1, y0, y1), (0, x0, x1)):
        expected = (centres >= low) & (centres < high)
        assert (cut.any(axis=side) != expected).sum() <= 2  # centres that fall on an edge round either way
    image = Image.fromarray(np.full((*SIZE, 3), 255, np.uint8))
    assert np.asarray(cut_image(image, window, size)).shape == (size, size, 3)


def test_resized_boxes_and_masks_follow_the_image(devkit: Path) -> None:
    dataset = load_dataset(f"voc:{devkit}?classes=cat,dog", "train", size=20, resize=20)
    assert dataset.images.shape == (2, 3, 20, 20)
    # 60x40 becomes 30x20, of which the middle 20 columns stay
    assert dataset.boxes is not None
    assert dataset.boxes[0].tolist() == [[0, 2.5, 7.5, 17.5], [10, 5, 20, 15]]
    assert dataset.masks is not None
    assert dataset.masks.shape == (2, 20, 20)
    assert "images resized and cropped to 20x20 pixels" in dataset.notes


def test_a_box_outside_what_is_left_of_the_image_is_none(boxes_only: Path) -> None:
    dataset = load_dataset(f"voc:{boxes_only}?classes=person,cat", size=8, resize=40)
    assert dataset.boxes is not None
    assert dataset.boxes[dataset.sample_ids.index("p3")].isnan().all()
    assert "boxes outside their image or what is left of it: 1" in dataset.notes


def test_boxes_that_reach_beyond_their_image_are_cut_and_counted(tmp_path: Path) -> None:
    pictures = {"p": [("cat", (50, 5, 70, 20))], "q": [("cat", (5, 5, 61, 20))], "r": [("cat", (70, 5, 80, 9))]}
    dataset = load_dataset(f"voc:{write_devkit(tmp_path, pictures, {'val': list(pictures)})}")
    assert dataset.boxes is not None
    assert dataset.boxes[0, 0].tolist() == [50, 5, 60, 20]
    assert dataset.boxes[1, 0].tolist() == [5, 5, 60, 20]  # off by one, as hand-drawn boxes are
    assert dataset.boxes[2, 0].isnan().all()
    assert dataset.notes == (
        "boxes that reach beyond their image, cut at its edge: 1",
        "boxes outside their image or what is left of it: 1",
    )


@pytest.mark.parametrize("down", ["", "..", "../..", "JPEGImages", "ImageSets/Main"])
def test_a_root_too_high_or_too_low_is_found(devkit: Path, down: str) -> None:
    expected = load_dataset(f"voc:{devkit}?classes=cat,dog")
    dataset = load_dataset(f"voc:{(devkit / down).resolve()}?classes=cat,dog")
    assert dataset.fingerprint == expected.fingerprint


def test_an_archive_is_the_folder(devkit: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "voc.zip", "w") as archive:
        for file in sorted(devkit.parent.rglob("*")):
            archive.write(file, f"TrainVal/{file.relative_to(devkit.parent.parent).as_posix()}")
    folder, zipped = (load_dataset(f"voc:{path}?classes=cat,dog") for path in (devkit, tmp_path / "voc.zip"))
    assert folder.fingerprint == zipped.fingerprint


def test_roots_that_are_none_or_several(devkit: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no VOC devkit at .* neither there, nor up to 3 folders below or above"):
        load_dataset(f"voc:{tmp_path}")
    for year in ("VOC2007", "VOC2012"):
        shutil.copytree(devkit, tmp_path / year)
    with pytest.raises(UsageError, match=r"several VOC devkits \(VOC2007, VOC2012\); name one"):
        load_dataset(f"voc:{tmp_path}")


def test_classes_default_to_the_six_animals_where_all_are_there(tmp_path: Path) -> None:
    names = ("sheep", "horse", "cow", "dog", "cat", "bird", "person")
    pictures = {f"p{i}": [(name, (0, 0, 20, 20))] for i, name in enumerate(names)}
    root = write_devkit(tmp_path / "six", pictures, {"val": list(pictures)})
    assert load_dataset(f"voc:{root}").class_names == ("bird", "cat", "dog", "cow", "horse", "sheep")
    del pictures["p0"]
    root = write_devkit(tmp_path / "five", pictures, {"val": list(pictures)})
    assert load_dataset(f"voc:{root}").class_names == ("bird", "cat", "cow", "dog", "horse", "person")


def test_a_challenges_test_set_without_answers_is_passed_over(devkit: Path, tmp_path: Path) -> None:
    root = shutil.copytree(devkit, tmp_path / "devkit")
    (root / "ImageSets" / "Main" / "test.txt").write_text("secret1\nsecret2\n")
    assert load_dataset(f"voc:{root}?classes=cat,dog").sample_ids == ("p4", "p5")
    (root / "ImageSets" / "Main" / "test.txt").write_text("p1\n")
    assert load_dataset(f"voc:{root}?classes=cat,dog").sample_ids == ("p1",)


def test_images_without_a_mask_among_others_are_ignored_altogether(devkit: Path, tmp_path: Path) -> None:
    root = shutil.copytree(devkit, tmp_path / "devkit")
    (root / "SegmentationObject" / "p5.png").unlink()
    dataset = load_dataset(f"voc:{root}?classes=cat,dog")
    assert dataset.masks is not None
    assert dataset.ignored is not None
    assert dataset.ignored.flatten(1).all(1).tolist() == [False, True]
    assert "1 of 2 images have no mask" in dataset.notes


def test_masks_of_classes_check_those_of_objects_or_stand_for_them(devkit: Path, tmp_path: Path) -> None:
    root = shutil.copytree(devkit, tmp_path / "devkit")
    (root / "SegmentationClass").mkdir()
    for name, value in (("p4", 12), ("p5", 9)):  # dog, rightly; chair
        labels = np.asarray(Image.open(root / "SegmentationObject" / f"{name}.png")).copy()
        labels[labels == 1] = value
        Image.fromarray(labels).save(root / "SegmentationClass" / f"{name}.png")
    dataset = load_dataset(f"voc:{root}?classes=cat,dog")
    assert dataset.ignored is not None
    assert dataset.ignored.flatten(1).all(1).tolist() == [False, True]
    shutil.rmtree(root / "SegmentationObject")
    alone = load_dataset(f"voc:{root}?classes=cat,dog")
    assert alone.masks is not None
    assert np.array_equal(alone.masks[0].numpy(), disc((10, 10, 20, 30), SIZE))


def test_broken_files_are_named(devkit: Path, tmp_path: Path) -> None:
    root = shutil.copytree(devkit, tmp_path / "devkit")
    mask = root / "SegmentationObject" / "p5.png"
    Image.new("L", (8, 8)).save(mask)
    with pytest.raises(UsageError, match="mask of 'p5' is 8x8, its image 60x40"):
        load_dataset(f"voc:{root}?classes=cat,dog")
    Image.new("RGB", (60, 40)).save(mask)
    with pytest.raises(UsageError, match="has colours instead of one number per pixel"):
        load_dataset(f"voc:{root}?classes=cat,dog")
    mask.write_bytes(b"no image")
    with pytest.raises(UsageError, match=r"mask 'SegmentationObject/p5\.png' is broken"):
        load_dataset(f"voc:{root}?classes=cat,dog")
    annotation = root / "Annotations" / "p5.xml"
    for text in ("<annotation>", "<annotation><object><bndbox/></object></annotation>"):
        annotation.write_text(text)
        with pytest.raises(UsageError, match=r"annotation 'Annotations/p5\.xml' cannot be read"):
            load_dataset(f"voc:{root}?classes=cat,dog")
    (root / "ImageSets" / "Main" / "val.txt").unlink()
    with pytest.raises(UsageError, match=r"no test\.txt or val\.txt in ImageSets/Main/, only train"):
        load_dataset(f"voc:{root}")


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("x?class=cat", "unknown option of voc data 'class'; did you mean 'classes'"),
        ("x?instances=crops", "unknown value of instances 'crops'; did you mean 'crop'"),
        ("x?difficult=drop", "unknown value of difficult 'drop'; known: keep, skip"),
        ("x?crop_size=4", "at least 8 pixels, not '4'"),
        ("x?classes=,", "list of classes is empty"),
    ],
)
def test_options_that_do_not_fit(argument: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        VocSpec.parsed(argument)


def test_a_class_that_does_not_exist(devkit: Path) -> None:
    with pytest.raises(UsageError, match="unknown class 'cta'; did you mean 'cat'"):
        load_dataset(f"voc:{devkit}?classes=cta")


def test_specs_are_written_as_they_are_read() -> None:
    for spec in (
        "voc:a/b?c",
        "voc:x?classes=b,a&instances=crop&crop_size=64&difficult=skip",
        "voc:what?is=it?classes=a",
    ):
        assert VocSpec.parsed(spec.removeprefix("voc:")).text == spec
    assert refined("voc:x?classes=a", {"classes": "b", "instances": "crop"}) == "voc:x?classes=b&instances=crop"
    assert refined("voc:x?instances=crop", {"instances": "image"}) == "voc:x"
    with pytest.raises(UsageError, match="--crop-size can only be given for voc data, not for 'scenes'"):
        refined("scenes", {"crop_size": "9"})


def test_limit_and_budget(devkit: Path) -> None:
    dataset = load_dataset(f"voc:{devkit}?classes=cat,dog&instances=crop", limit=2)
    assert dataset.labels.tolist() == [1, 0]
    from csg_analyze.data.voc import load_voc

    lazy = load_voc(VocSpec(str(devkit), ("cat", "dog"), "crop"), memory_budget=10)
    now = load_voc(VocSpec(str(devkit), ("cat", "dog"), "crop"))
    assert not isinstance(lazy.images, torch.Tensor)
    assert torch.equal(lazy.images[:], now.images[:])
    assert lazy.fingerprint == now.fingerprint


@pytest.mark.real_data
def test_the_tiny_animals(real_data: Path) -> None:
    path = real_data / "animals-voc.zip"
    if not path.is_file():
        pytest.skip(f"no {path.name} in {real_data} (set CSG_DATA)")
    dataset = load_dataset(f"voc:{path}")
    assert dataset.class_names == ("bird", "cat", "cow", "dog", "elephant", "sheep")
    assert len(dataset) == 850
    assert dataset.images.shape[1:] == (3, 64, 64)
    assert dataset.boxes is not None
    assert dataset.masks is None
    assert not dataset.boxes.isnan().any()
    assert ((dataset.boxes >= 0) & (dataset.boxes <= 64)).all()
    assert dataset.left_out == ()
