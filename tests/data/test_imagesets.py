"""Lists of image ids as they exist."""

from __future__ import annotations

import codecs
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csg_analyze.data import load_dataset
from csg_analyze.data.voc.imagesets import image_ids
from csg_analyze.errors import UsageError
from tests.devkits import Box, write_devkit

BOX: Box = (5, 5, 25, 25)
SPACED = [f"img {i}" for i in range(5)]


@pytest.mark.parametrize(
    ("text", "known", "expected"),
    [
        ("img 0\nimg 1\n", {"img 0", "img 1"}, ["img 0", "img 1"]),
        ("img 0\nimg 1\n", {"img 1"}, ["img 0", "img 1"]),  # one of them has no file
        ("img 0\nimg 1\n", set(), ["img 0", "img 1"]),  # none has
        ("p1  1\np2 -1\np3  0\n", {"p1", "p2", "p3"}, ["p1", "p2", "p3"]),
        ("img 0  1\nimg 1 -1\n", {"img 0", "img 1"}, ["img 0", "img 1"]),  # flags behind ids with spaces
        ("p1  1\np1  1\np2 -1\n", {"p1", "p2"}, ["p1", "p2"]),
        ("a b c\nd\n", {"a b c", "d"}, ["a b c", "d"]),
        ("", {"p"}, []),
    ],
)
def test_ids_with_spaces_and_flags(text: str, known: set[str], expected: list[str]) -> None:
    assert image_ids(text.encode(), known) == expected


@pytest.mark.parametrize("flag", ["", "  1", " -1", "  0"])
@pytest.mark.parametrize("ids", [["2008_000008", "2008_000015"], SPACED])
@pytest.mark.parametrize(
    ("before", "after", "encoding"),
    [
        ("", "\n", "utf-8"),
        ("", "\r\n", "utf-8"),
        ("", "   \t\n\n \n", "utf-8"),
        ("", "\r\n", "utf-8-sig"),
        ("", "\n", "utf-16"),
        ("  ", "\r", "utf-8"),
    ],
)
def test_lines_as_any_program_writes_them(before: str, after: str, encoding: str, ids: list[str], flag: str) -> None:
    text = "".join(f"{before}{image}{flag}{after}" for image in ids)
    assert image_ids(text.encode(encoding), set(ids)) == ids
    assert not text.encode("utf-8").startswith(codecs.BOM_UTF8)


names = st.lists(st.from_regex(r"[a-z]{1,3}( [0-9a-z]{1,2})?", fullmatch=True), min_size=1, max_size=6, unique=True)


@given(names, st.data())
def test_what_was_written_is_read(ids: list[str], data: st.DataObject) -> None:
    assert image_ids("\n".join(ids).encode(), set(ids)) == ids
    flags = data.draw(st.lists(st.sampled_from([" -1", "  0", "  1"]), min_size=len(ids), max_size=len(ids)))
    flagged = [image + flag for image, flag in zip(ids, flags, strict=True)]
    if not set(flagged) & set(ids):
        assert image_ids("\n".join(flagged).encode(), set(ids)) == ids


def test_a_devkit_whose_ids_have_spaces(tmp_path: Path) -> None:
    root = write_devkit(tmp_path, {name: [("cat", BOX)] for name in SPACED}, {"val": SPACED})
    dataset = load_dataset(f"voc:{root}")
    assert dataset.sample_ids == tuple(SPACED)
    assert dataset.left_out == ()


def test_lists_of_single_classes_do_where_there_is_no_other(tmp_path: Path) -> None:
    """VOC's own <class>_val.txt list all pictures of the split, each with a flag."""
    root = write_devkit(tmp_path, {"p1": [("cat", BOX)], "p2": [("dog", BOX)], "p3": [("dog", BOX)]}, {})
    sets = root / "ImageSets" / "Main"
    (sets / "cat_val.txt").write_text("p1  1\np2 -1\n")
    (sets / "dog_val.txt").write_text("p1 -1\np2  1\n")
    (sets / "dog_trainval.txt").write_text("p3  1\n")
    assert load_dataset(f"voc:{root}").sample_ids == ("p1", "p2")


def test_a_devkit_in_which_nothing_is_annotated(tmp_path: Path) -> None:
    root = write_devkit(tmp_path, {}, {"val": ["p1", "p2"]})
    (root / "Annotations" / "q.xml").write_text("<annotation/>")
    words = r"has no image of any class in its test split \(2 images without an annotation \(p1, p2\)\)"
    with pytest.raises(UsageError, match=words):
        load_dataset(f"voc:{root}")
    with pytest.raises(UsageError, match=r"has no image of cat in its test split \(2 images without an annotation"):
        load_dataset(f"voc:{root}?classes=cat")


def test_other_files_beside_the_annotations_and_pictures_are_none(tmp_path: Path) -> None:
    root = write_devkit(tmp_path, {"p": [("cat", BOX)]}, {"val": ["p"]})
    (root / "Annotations" / "p.yaml").write_text("x")
    (root / "JPEGImages" / "p.txt").write_text("0 .5 .5 .1 .1")
    assert load_dataset(f"voc:{root}").sample_ids == ("p",)


@pytest.mark.parametrize("other", ["JPEGImages/p.jpg", "JPEGImages/more/p.png", "Annotations/more/p.xml"])
def test_two_files_of_one_id_are_named(tmp_path: Path, other: str) -> None:
    root = write_devkit(tmp_path, {"p": [("cat", BOX)]}, {"val": ["p"]})
    (root / other).parent.mkdir(exist_ok=True)
    (root / other).write_bytes(b"")
    with pytest.raises(UsageError, match=r"p\.(png|xml)' (and '.*)?have the same image id"):
        load_dataset(f"voc:{root}")
