"""Which output a class is: names, WordNet ids, indices, order, maps, and what is not told."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from csg_analyze.classes import class_map_of, matched
from csg_analyze.classes.names import imagenet, imagenet_index, plain
from csg_analyze.errors import UsageError

IDS = ("n01440764", "n02102040", "n02979186", "n03000684")  # tench, English springer, cassette player, chain saw
PLACES = (0, 217, 482, 491)


def test_the_shipped_index_is_timms_and_torchvisions() -> None:
    from torchvision.models._meta import _IMAGENET_CATEGORIES

    timm = find_spec("timm")  # its import takes seconds
    if timm is not None and timm.origin is not None:
        listed = Path(timm.origin).parent / "data" / "_info" / "imagenet_synsets.txt"
        assert [each.wordnet_id for each in imagenet()] == listed.read_text().split()
    assert [each.category for each in imagenet()] == _IMAGENET_CATEGORIES
    assert [each.wordnet_id for each in imagenet()] == sorted(each.wordnet_id for each in imagenet())


def test_every_name_of_torchvisions_means_its_own_class() -> None:
    found = [imagenet_index(each.category) for each in imagenet()]
    assert [index for index, place in enumerate(found) if place != index] == [517, 638]  # crane, maillot
    assert imagenet_index("tench, Tinca tinca") == imagenet_index("Tinca_Tinca") == 0
    assert imagenet_index("crane") is None  # a bird and a machine
    assert imagenet_index("zebra, crane") is imagenet_index("my cat") is imagenet_index("") is None
    assert plain("  Polar__Bear-1 ") == "polar bear 1"


@pytest.mark.parametrize(
    ("data", "model", "n_outputs", "outputs", "how"),
    [
        (("cat", "dog"), ("cat", "dog"), 2, (0, 1), "same"),
        (("cat", "dog"), ("dog", "owl", "cat"), 3, (2, 0), "names"),
        (("Polar_bear", "CAT"), ("cat", "polar-bear"), 2, (1, 0), "names"),
        (("Cat", "cat"), ("cat", "Cat", "dog"), 3, (1, 0), "names"),
        (("tench", "goldfish"), ("goldfish, Carassius auratus", "x", "tench, Tinca tinca"), 3, (2, 0), "names"),
        (IDS[:2], ("English springer", "tench", "x"), 3, (1, 0), "ids"),
        (("tench", "chain saw"), IDS, 4, (0, 3), "names"),
        (IDS, None, 1000, PLACES, "ids"),
        (("chain_saw", "Tench"), None, 1000, (491, 0), "names"),
        (IDS, tuple(", ".join(each.names) for each in imagenet()), 1000, PLACES, "ids"),
        (("n02012849", "n03126707"), tuple(", ".join(each.names) for each in imagenet()), 1000, (134, 517), "ids"),
        (("3", "1"), None, 10, (3, 1), "index"),
        (tuple("0123"), tuple("abcd"), 4, (0, 1, 2, 3), "index"),
        (("00", "01", "02"), None, 3, (0, 1, 2), "index"),
        (tuple("123"), None, 3, (0, 1, 2), "order"),
        (("one", "two"), None, 2, (0, 1), "order"),
        (("cat", "hound"), ("cat", "dog"), 2, (0, 1), "order"),
    ],
)
def test_what_tells(
    data: tuple[str, ...], model: tuple[str, ...] | None, n_outputs: int, outputs: tuple[int, ...], how: str
) -> None:
    match = matched(data, model, n_outputs)
    assert (match.outputs, match.how) == (outputs, how)


@pytest.mark.parametrize(
    ("data", "model", "n_outputs", "words"),
    [
        (("cat", "dog", "owl"), ("cat", "cat", "dog"), 3, "'dog' has another place"),
        (("cat", "hound"), ("dog", "cat"), 2, "'cat' has another place"),
        (tuple(sorted(map(str, range(12)))), None, 12, "--class-map index or --class-map order"),
        (("1", "12"), None, 12, "has 2 (1, 12), and the model's have no names"),
        (("cat", "dog", "yak"), ("cat", "dog", "owl", "ant"), 4, "of which yak have no name in common"),
        (("1", "01"), None, 4, "the same index"),
        (("cat", "dog"), None, 1000, "the model has 1000 classes, but 'the data' has 2 (cat, dog)"),
    ],
)
def test_what_does_not_tell_is_refused_with_the_way_out(
    data: tuple[str, ...], model: tuple[str, ...] | None, n_outputs: int, words: str
) -> None:
    with pytest.raises(UsageError) as caught:
        matched(data, model, n_outputs)
    assert words in str(caught.value)
    assert "--class-map FILE" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_rules_instead_of_a_file() -> None:
    names = tuple(sorted(map(str, range(12))))
    assert matched(names, None, 12, "order").outputs == tuple(range(12))
    assert matched(names, None, 12, "index").outputs == tuple(map(int, names))
    with pytest.raises(UsageError, match="as many classes as outputs, not 2 and 3"):
        matched("ab", None, 3, "order")
    with pytest.raises(UsageError, match="from 0 to 2, the data has 'b'"):
        matched(("1", "b"), None, 3, "index")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("map.csv", "data class,model class\ntabby,cat\nhound,1\n\n"),
        ("map.csv", "tabby;cat\nhound;dog\n"),
        ("map.tsv", "tabby\tcat\nhound\tdog\n"),
        ("map.json", '{"tabby": "cat", "hound": 1}'),
        ("map.json", '\ufeff{"Tabby": 0, "HOUND": "Dog"}'),
    ],
)
def test_maps_in_files(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    match = matched(("hound", "tabby"), ("cat", "dog", "owl"), 3, class_map_of(tmp_path / name))
    assert (match.outputs, match.how) == ((1, 0), "map")
    assert class_map_of(str(tmp_path / name)) == class_map_of(tmp_path / name)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("{", "is no JSON"),
        ('["cat"]', "no pair of classes"),
        ('{"a": [1]}', "no pair of classes"),
        ('{"a": true}', "no pair of classes"),
        ("tabby,cat,1", "has a line 'tabby,cat,1'"),
        ("tabby,cat\ntabby,dog", "maps 'tabby' to 'cat' and to 'dog'"),
    ],
)
def test_files_that_are_no_maps(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "map").write_text(text, encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        class_map_of(tmp_path / "map")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_maps_that_do_not_fit() -> None:
    for given, words in (
        ({"tabby": "cat"}, "no line for hound"),
        ({"tabby": "catt", "hound": 1}, "did you mean 'cat'"),
        ({"tabby": 7, "hound": 1}, "names output 7, but the model has 0 to 2"),
    ):
        with pytest.raises(UsageError, match=words):
            matched(("hound", "tabby"), ("cat", "dog", "owl"), 3, class_map_of(given))
    with pytest.raises(UsageError, match="this model's classes have no names"):
        matched(("hound", "tabby"), None, 3, class_map_of({"tabby": "cat", "hound": 1}))
    with pytest.raises(UsageError, match="not list"):
        class_map_of(["cat"])
    with pytest.raises(UsageError, match="cannot read the class map 'indx'"):
        class_map_of("indx")
    with pytest.raises(UsageError, match="unknown rule"):
        matched("ab", None, 3, "indx")
