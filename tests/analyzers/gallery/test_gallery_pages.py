from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest

from csg_analyze.analyzers.gallery.cards import Gallery, decimals
from csg_analyze.analyzers.gallery.pages import SPRITE_BYTES, gallery_pages
from csg_analyze.errors import UsageError
from csg_analyze.metrics.exemplars import Exemplars
from csg_analyze.report.document import ModelReport, Report
from csg_analyze.report.folder import write_report
from csg_analyze.result import Result

NASTY = "<script>alert('1')</script>\" onload=x & é"


def colours(images: np.ndarray) -> np.ndarray:
    """A colour of its own for every number."""
    return np.stack([images * 37 % 251, images * 91 % 241, images % 239], axis=-1).astype(np.uint8)


def example(
    n_filters: int,
    names: Sequence[str],
    owner: Sequence[int],
    *,
    n: int = 3,
    gated: bool = True,
    dead: Sequence[int] = (),
    side: int = 8,
) -> Gallery:
    """Every image is of one colour and every map is positive everywhere, so that a picture is its image."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 500, (n_filters, n))
    union, thumbnail_of = np.unique(images, return_inverse=True)
    alive = ~np.isin(np.arange(n_filters), dead)
    filters = pd.DataFrame(
        {
            "mi": rng.random(n_filters),
            "gate": rng.random(n_filters) if gated else np.full(n_filters, np.nan),
            "mi_margin": rng.uniform(-1, 1, n_filters),
            "exemplar_share": rng.integers(0, n + 1, n_filters) / n,
            "mean_activation": rng.random(n_filters),
            "max_activation": rng.random(n_filters) + 1,
            "active_on_class": pd.Series(rng.random(n_filters) > 0.5, dtype="boolean"),
            "nearest_filter": pd.Series(rng.permutation(n_filters), dtype="Int64"),
            "cosine": rng.uniform(-1, 1, n_filters),
        }
    )
    exemplars = Exemplars(
        images=images,
        activations=rng.random((n_filters, n)),
        maps=np.ones((n_filters, n, 2, 2), np.float32),
        thumbnails=np.broadcast_to(colours(union)[:, None, None], (len(union), side, side, 3)),
        thumbnail_of=thumbnail_of.reshape(images.shape),
    )
    return Gallery(
        class_names=names,
        owner=np.array(owner),
        by="gate" if gated else "mutual information",
        filters=filters,
        information=rng.random((n_filters, len(names))),
        gate=rng.random((len(names), n_filters)) if gated else None,
        exemplars=exemplars,
        captions=[[f"image {i}" for i in row] for row in images],
        own=rng.random(images.shape) > 0.5,
        alive=alive,
    )


class Elements(HTMLParser):
    """Every element of a page: its tag and its attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for found, attributes in self.found if found == tag]


def written(gallery: Gallery, model: str = "csg", **options: int) -> dict[str, bytes]:
    pages = list(gallery_pages(gallery, model, **options))
    assert pages[0][0] == "index.html"
    files = dict(pages)
    assert len(files) == len(pages)
    return files


def pages_of(files: Mapping[str, bytes]) -> dict[str, Elements]:
    return {name: Elements(content.decode()) for name, content in files.items() if name.endswith(".html")}


def decoded(content: bytes) -> np.ndarray:
    return np.asarray(cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR))[..., ::-1]


OWNERS = [0, 2, 2, 0, 2, 3, 4, 4, 0, 2, 2, 0]  # of three classes: nothing for class 1, 3 is shared, 4 has no class


@pytest.mark.parametrize(("per_page", "gated"), [(100, True), (2, True), (100, False)])
def test_every_thumbnail_is_its_image(per_page: int, gated: bool) -> None:
    gallery = example(12, ("a", "b", "c"), OWNERS, gated=gated, dead=[4])
    files = written(gallery, per_page=per_page)
    seen: list[int] = []
    for name, page in pages_of(files).items():
        if name == "index.html":
            continue
        sheet = decoded(files[name.replace(".html", ".png")])
        text = files[name].decode()
        for article in re.findall(r"<article id.*?</article>", text, flags=re.DOTALL):
            elements = Elements(article)
            k = int(elements.named("article")[0]["data-filter"] or "")
            shown = [a for a in elements.named("i") if "--x" in (a["style"] or "")]
            assert [a["title"] for a in shown] == ([] if k == 4 else list(gallery.captions[k]))
            assert [a.get("class") == "own" for a in shown] == ([] if k == 4 else gallery.own[k].tolist())
            for attributes, image in zip(shown, gallery.exemplars.images[k], strict=False):
                x, y = (int(v) for v in re.findall(r"--[xy]:-(\d+)px", attributes["style"] or ""))
                assert (sheet[y : y + 64, x : x + 64] == colours(image)).all()
            seen.append(k)
        assert 1 <= len(page.named("article")) <= per_page
    assert sorted(seen) == list(range(12))


def test_the_overview_lists_the_classes_and_shows_their_strongest_filters() -> None:
    gallery = example(12, ("a", "b", "c"), OWNERS, dead=[4])
    files = written(gallery)
    sheet = decoded(files["overview.png"])
    rows = re.findall(r"<tr data.*?</tr>", files["index.html"].decode(), flags=re.DOTALL)
    groups = [0, 2, 3, 4]
    assert len(rows) == len(groups)
    for group, row in zip(groups, rows, strict=True):
        members = [k for k in range(12) if OWNERS[k] == group]
        elements = Elements(row)
        attributes = elements.named("tr")[0]
        assert int(attributes["data-filters"] or "") == len(members)
        for name, column in {"mi": "mi", "share": "exemplar_share", "mean": "mean_activation"}.items():
            mean = np.mean([gallery.filters[column][k] for k in members])
            assert float(attributes[f"data-{name}"] or "") == pytest.approx(mean, rel=1e-4)
        previews = [a for a in elements.named("a") if "style" in a]
        strongest = sorted((k for k in members if k != 4), key=lambda k: -gallery.filters["mi"][k])
        assert [a["aria-label"] for a in previews] == [f"filter {k}" for k in strongest]
        for preview, k in zip(previews, strongest, strict=True):
            x, y = (int(v) for v in re.findall(r"-(\d+)px", preview["style"] or ""))
            assert (sheet[y : y + 32, x : x + 32] == colours(gallery.exemplars.images[k, 0])).all()


@pytest.mark.parametrize("per_page", [1, 3, 100])
def test_all_links_lead_to_what_exists(per_page: int) -> None:
    files = written(example(12, ("a", "b", "c"), OWNERS), per_page=per_page)
    pages = pages_of(files)
    anchors = {name: {a["id"] for _, a in page.found if "id" in a} for name, page in pages.items()}
    used = set()
    for name, page in pages.items():
        for link in (a["href"] for a in page.named("a")):
            file, _, anchor = str(link).partition("#")
            if file == "../../index.html":
                continue  # the report's own
            assert file in files
            assert not anchor or anchor in anchors[file], f"{name} -> {link}"
            used.add(file)
        sources = [a["href"] for a in page.named("link")] + [a["src"] for a in page.named("script")]
        sources += re.findall(r'url\("(.*?)"\)', files[name].decode())
        assert {str(source) for source in sources} <= set(files)
        used |= {str(source) for source in sources}
    assert used == set(files)  # nothing is written that no page leads to


def test_cards_have_the_numbers_of_their_filter_and_are_sorted_by_mutual_information() -> None:
    gallery = example(12, ("a", "b", "c"), OWNERS)
    for name, page in pages_of(written(gallery)).items():
        cards = page.named("article")
        for card in cards:
            row = gallery.filters.iloc[int(card["data-filter"] or "")]
            for attribute, column in {"mi": "mi", "gate": "gate", "mean": "mean_activation"}.items():
                assert float(card[f"data-{attribute}"] or "") == pytest.approx(row[column], rel=1e-5)
        information = [float(card["data-mi"] or "") for card in cards]
        assert information == sorted(information, reverse=True)
        keys = {a["data-key"] for a in page.named("button")}
        assert keys == ({"order", "filters", "mi", "share", "mean"} if name == "index.html" else
                        {"mi", "gate", "mean", "filter"})  # fmt: skip
    ungated = pages_of(written(example(12, ("a", "b", "c"), OWNERS, gated=False)))
    assert not any("data-gate" in card for page in ungated.values() for card in page.named("article"))


def test_bars_show_information_and_gate_of_every_class() -> None:
    gallery = example(12, ("a", "b", "c"), OWNERS)
    text = written(gallery)["class-2.html"].decode()
    highest = gallery.information.max()
    for article in re.findall(r"<article id.*?</article>", text, flags=re.DOTALL):
        elements = Elements(article)
        k = int(elements.named("article")[0]["data-filter"] or "")
        bars = [a for a in elements.named("i") if "--u" in (a["style"] or "")]
        assert [a.get("class") for a in bars] == [None, None, "own"]
        for c, bar in enumerate(bars):
            up, down = (int(v) for v in re.findall(r"--[ud]:(\d+)", bar["style"] or ""))
            assert up == pytest.approx(100 * gallery.information[k, c] / highest, abs=0.51)
            assert gallery.gate is not None
            assert down == pytest.approx(100 * gallery.gate[c, k], abs=0.51)
            assert bar["title"] == (f"{'abc'[c]}: MI {gallery.information[k, c]:.3f}, gate {gallery.gate[c, k]:.2f}")


def test_of_many_classes_the_strongest_are_shown() -> None:
    names = [f"class {c}" for c in range(1000)]
    gallery = example(3, names, [5, 5, 5])
    information = np.zeros((3, 1000))
    information[:, :30] = np.linspace(0.004, 0.001, 30)
    gallery = replace(gallery, information=information, gate=np.zeros((1000, 3)))
    page = pages_of(written(gallery))["class-005.html"]
    bars = [a["title"] for a in page.named("i") if "--u" in (a["style"] or "")]
    assert bars == 3 * [f"class {c}: MI {information[0, c]:.5f}, gate 0.00" for c in range(20)]


def test_decimals_tell_small_values_apart() -> None:
    assert [decimals(scale) for scale in (2.0, 0.3, 0.1, 0.05, 0.004)] == [3, 3, 3, 4, 5]


def test_names_from_outside_are_text() -> None:
    gallery = example(12, (NASTY, "b\n<b>", "\udcff"), OWNERS)
    gallery = replace(gallery, captions=[[NASTY] * 3] * 12)
    files = written(gallery, model=NASTY)
    for name, page in pages_of(files).items():
        scripts = page.named("script")
        assert scripts == [{"src": "gallery.js"}], name
        assert not page.named("b")
        allowed = (
            "html head meta title link style body script nav a h1 h2 p em button div table thead tbody tr th td br"
        )
        allowed += " span main article dl dt dd i"
        assert {tag for tag, _ in page.found} <= set(allowed.split())
        assert not any(attribute.startswith("on") for _, attributes in page.found for attribute in attributes)
        assert "alert(&#39;1&#39;)" in files[name].decode()
    titles = [a.get("title") for a in pages_of(files)["class-0.html"].named("i")]
    assert NASTY in titles


def test_filters_that_never_change_show_no_pictures() -> None:
    gallery = example(4, ("a", "b"), [0, 3, 3, 0], dead=[1, 2])
    files = written(gallery)
    assert "no-class.png" not in files
    assert files["no-class.html"].decode().count("the same activation on every image") == 2
    assert "class-0.png" in files
    everything = written(example(2, ("a", "b"), [3, 3], dead=[0, 1]))
    assert sorted(everything) == ["gallery.css", "gallery.js", "index.html", "no-class.html"]


def test_a_large_gallery_is_paged_and_stays_small() -> None:
    names = [f"{'a long class name, as in ImageNet'} {c}" for c in range(1000)]
    n_filters, per_page = 500, 100
    gallery = example(n_filters, names, [7] * 250 + list(range(250, 500)), n=9, side=64)
    noise = np.random.default_rng(0).integers(0, 256, gallery.exemplars.thumbnails.shape, dtype=np.uint8)
    files = written(replace(gallery, exemplars=replace(gallery.exemplars, thumbnails=noise)))
    pages = pages_of(files)
    cards = {name: len(page.named("article")) for name, page in pages.items() if name != "index.html"}
    assert Counter(cards.values()) == {100: 2, 50: 1, 1: 250}
    assert [cards[f"class-007{part}.html"] for part in ("", "-2", "-3")] == [per_page, per_page, 50]
    pictures = sum(len(content) for name, content in files.items() if name.endswith((".jpg", ".png")))
    text = sum(map(len, files.values())) - pictures
    assert pictures <= 1.05 * SPRITE_BYTES  # whatever the number of filters
    assert SPRITE_BYTES + text * 2048 / n_filters < 30e6


def report_of(pages: Callable[[str], Iterator[tuple[str, bytes]]] | None, *names: str) -> Report:
    result = Result({"n": 1}, pages=pages)
    models = tuple(
        ModelReport(name, "p", "0", "resnet8", None, 3, 12, results={"filters": result}) for name in names or ("csg",)
    )
    return Report("title", models, (), {"created": "2020-02-02"}, data={"spec": "scenes", "split": "test", "n": 12})


def test_the_report_holds_and_links_the_pages(tmp_path: Path) -> None:
    gallery = example(12, ("a", "b", "c"), OWNERS)
    report = report_of(lambda model: gallery_pages(gallery, model), "csg", "../../up", "../../Up")
    write_report(report, tmp_path / "r")
    write_report(report, tmp_path / "r", force=True)
    assert [path.name for path in tmp_path.iterdir()] == ["r"]
    folders = sorted(path.name for path in (tmp_path / "r/pages").iterdir())
    assert len(folders) == 3
    assert "filters-csg" in folders
    links = [a["href"] for a in Elements((tmp_path / "r/index.html").read_text()).named("a")]
    for folder in folders:
        assert f"pages/{folder}/index.html" in links
        assert f"(pages/{folder}/index.html)" in (tmp_path / "r/report.md").read_text()
        here = tmp_path / "r/pages" / folder
        assert (here / "../../index.html").resolve() == tmp_path / "r/index.html"
    expected = written(gallery)
    assert {path.name: path.read_bytes() for path in (tmp_path / "r/pages/filters-csg").iterdir()} == expected


@pytest.mark.parametrize("name", ["../x.html", "/etc/x", "a/b.html", "", ".hidden", "a\\b", "x\n", "INDEX.html", "ü"])
def test_pages_with_unsafe_or_equal_names_are_refused_and_leave_nothing(name: str, tmp_path: Path) -> None:
    def pages(_model: str) -> Iterator[tuple[str, bytes]]:
        yield "index.html", b""
        yield name, b""

    with pytest.raises(UsageError, match="distinct and consist of"):
        write_report(report_of(pages), tmp_path / "r")
    assert list(tmp_path.iterdir()) == []


def test_without_pages_there_is_neither_folder_nor_link(tmp_path: Path) -> None:
    for pages in (None, lambda _model: iter(())):
        write_report(report_of(pages), tmp_path / "r", force=True)
        assert not (tmp_path / "r/pages").exists()
        assert "pages/" not in (tmp_path / "r/index.html").read_text()


def test_numbers_that_are_missing_show_as_a_dash() -> None:
    gallery = example(4, ("a", "b"), [0, 0, 1, 1])
    blank: dict[str, Any] = {"gate": math.nan, "mi_margin": math.nan, "exemplar_share": math.nan, "cosine": math.nan}
    filters = gallery.filters.assign(**blank, nearest_filter=pd.Series([pd.NA] * 4, dtype="Int64"))
    files = written(replace(gallery, filters=filters))
    text = files["class-0.html"].decode()
    assert text.count("<dd>–</dd>") == 4  # margin and gate of two filters
    assert text.count("<dd>–/3</dd>") == 2
    assert "nearest" not in text
    assert not any("data-gate" in card for card in pages_of(files)["class-0.html"].named("article"))
