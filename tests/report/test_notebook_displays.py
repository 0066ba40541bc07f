"""What a notebook shows of results, reports, networks and data: short, as tables and figures, and safe to look at."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from PIL import Image

from csg_analyze.checkpoints import Classifier
from csg_analyze.data import Dataset
from csg_analyze.errors import UsageError
from csg_analyze.report.document import ModelReport, Report
from csg_analyze.result import Drawing, Matrix, Pictures, Result, Table
from tests.examples import random_classifier, random_dataset, random_gate

HOSTILE = "<script>alert(1)</script>\" onerror='alert(2)'\x1b[31m\u202e" + "x" * 300
ALLOWED = {
    "div": set(), "b": set(), "p": set(), "ul": set(), "li": set(), "table": set(), "thead": set(), "tbody": set(),
    "tr": set(), "th": {"style"}, "td": {"style"}, "details": {"open"}, "summary": set(), "span": {"title"},
    "figure": {"style"}, "figcaption": set(), "img": {"src", "alt", "width"},
}  # fmt: skip


class Page(HTMLParser):
    """What a browser would make of it: elements, texts and pictures. Fails for any element that is not expected."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.elements: list[str] = []
        self.pictures: list[Image.Image] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in ALLOWED, tag
        assert {name for name, _ in attrs} <= ALLOWED[tag], attrs
        self.elements.append(tag)
        for name, value in attrs:
            if name == "src":
                assert value is not None
                head, _, data = value.partition(",")
                assert head == "data:image/png;base64"
                self.pictures.append(Image.open(io.BytesIO(base64.b64decode(data))))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def text(self) -> str:
        return "|".join(self.texts)


def draw(models: Mapping[str, Result]) -> Figure:
    figure = Figure(figsize=(3, 2))
    figure.add_subplot().plot([len(models), 2], label="_")
    return figure


def fail(_models: Mapping[str, Result]) -> Figure:
    raise RuntimeError("no such class")


def result(name: str = "hits", **changes: Any) -> Result:
    frame = pd.DataFrame({name: ["a", "b"] * 20, "value": np.arange(40.0)})
    parts: dict[str, Any] = {
        "summary": {name: 0.25, "n": 40, "missing": None},
        "tables": {name: Table(frame, f"About {name}.")},
        "matrices": {name: Matrix({"filter": range(30), name: [name] * 12}, {name: np.eye(30, 12)})},
        "pictures": {name: Pictures({"image": [np.zeros((2, 2, 3))]})},
        "figures": {name: Drawing(draw, "A line."), "third": fail, "fourth": draw},
        "notes": (f"Left out: {name}.",),
    }
    return Result(**{**parts, **changes})


def model(name: str = "std", analysis: str = "mis", **changes: Any) -> ModelReport:
    parts: dict[str, Any] = {
        "path": f"{name}.pt", "sha256": "0" * 64, "architecture": name, "training": "STD", "n_classes": 2,
        "n_filters": 30, "results": {analysis: result(name)}, "skipped": {"gate": f"no gate in {name}"},
        "class_names": (name, "other"),
    }  # fmt: skip
    return ModelReport(name=name, **{**parts, **changes})


def hostile_dataset() -> Dataset:
    dataset = random_dataset(24)
    return replace(dataset, spec=HOSTILE, class_names=(HOSTILE,) * 10, notes=(HOSTILE,), left_out=(HOSTILE,))


def hostile_classifier() -> Classifier:
    classifier = random_classifier(gate=random_gate(10, 64))
    names = (HOSTILE,) * 10
    return replace(classifier, name=HOSTILE, architecture=HOSTILE, class_names=names, data=HOSTILE, notes=(HOSTILE,))


SHOWN: dict[str, Any] = {
    "table": Table(pd.DataFrame({HOSTILE: [HOSTILE] * 30}), HOSTILE * 3),
    "matrix": result(HOSTILE).matrices[HOSTILE],
    "pictures": result(HOSTILE).pictures[HOSTILE],
    "drawing": result(HOSTILE).figures[HOSTILE],
    "drawn": Result({}, figures={HOSTILE: Drawing(draw, HOSTILE)}).drawn(HOSTILE)[HOSTILE],
    "result": result(HOSTILE),
    "model": model(HOSTILE, HOSTILE),
    "report": Report(HOSTILE, (model(HOSTILE), model("other")), (), notes=(HOSTILE,)),
    "dataset": hostile_dataset(),
    "classifier": hostile_classifier(),
}


@pytest.mark.parametrize("kind", SHOWN)
def test_names_from_outside_are_only_text_and_cut(kind: str) -> None:
    text = repr(SHOWN[kind])
    assert len(text) < 1000
    assert text.isprintable()
    html = SHOWN[kind]._repr_html_() if hasattr(SHOWN[kind], "_repr_html_") else ""
    page = Page(html)
    assert not any(character in html for character in "\x1b\u202e")
    whole = [text for text in page.texts if len(text) > 101]
    assert len(whole) <= 2  # a note, and a caption once it is unfolded
    assert len(html) - sum(len(part) for part in html.split('"') if part.startswith("data:")) < 60_000


def test_a_dataset_shows_an_image_of_each_class() -> None:
    dataset = random_dataset(1000)
    assert repr(dataset) == "Dataset('noise test': 1000 images of 32x32, 10 named classes)"
    page = Page(dataset._repr_html_())
    assert [picture.size for picture in page.pictures] == [(64, 64)] * 10
    first = np.asarray(page.pictures[3])[::2, ::2]
    np.testing.assert_array_equal(first, dataset.images[3].permute(1, 2, 0))  # labels come in turn
    assert "1,000 of 32x32 pixels" in page.text
    assert "|d|" in page.text
    assert "class 3" in Page(replace(dataset, class_names=())._repr_html_()).text
    empty = dataset.subset(dataset.labels[:0], note="none left")
    assert Page(empty._repr_html_()).pictures == []


def test_images_that_cannot_be_read_any_more_are_said() -> None:
    class Gone:
        shape = (4, 3, 8, 8)

        def __getitem__(self, _index: object) -> Any:
            raise UsageError("'a.png' is gone.")

    page = Page(replace(random_dataset(4), images=Gone())._repr_html_())
    assert "'a.png' is gone." in page.text


def test_a_classifier_is_a_few_lines() -> None:
    plain, gated = random_classifier(), random_classifier(gate=random_gate(10, 64))
    assert repr(plain) == "Classifier('random': 'resnet8', 10 classes, 64 filters of 'layer3', STD)"
    assert repr(gated).endswith("'layer3', CSG, with a gate)")
    assert "L1-density" in Page(gated._repr_html_()).text
    assert "gate" not in Page(plain._repr_html_()).text


def test_a_result_shows_numbers_first_then_figures_and_tables() -> None:
    page = Page(result()._repr_html_())
    assert page.text.index("hits|0.2500|n|40|missing|–") < page.text.index("hits (40 rows)")
    assert [picture.size for picture in page.pictures] == [(480, 320)]
    assert "third cannot be drawn: RuntimeError: no such class" in page.text
    assert "further figures, in drawn(): fourth" in page.text
    assert "the first 10 of 40 rows" in page.text
    assert "the first 8 of 30 rows" in page.text
    assert "Left out: hits." in page.text
    assert repr(result()).startswith("Result(hits=0.2500, n=40, missing=–; tables: 'hits';")


def test_the_best_of_a_table_is_bold_and_a_named_index_is_a_column() -> None:
    frame = pd.DataFrame({"mis": [0.1, 0.2]})
    page = Page(Table(frame, best=frame == 0.2)._repr_html_())
    assert page.elements.count("b") == 1
    assert "mis|0.1000|0.2000" in page.text
    assert "class|mis|a|0.1000" in Page(Table(frame.set_index(pd.Index(["a", "b"], name="class")))._repr_html_()).text


def test_a_matrix_of_three_axes_says_what_it_holds() -> None:
    matrix = Matrix({"removal": "ab", "true": "cd", "predicted": "cd"}, {"count": np.zeros((2, 2, 2))})
    assert repr(matrix) == "Matrix(2 removal x 2 true x 2 predicted: 'count')"
    assert "removal|2: a, b|" in Page(matrix._repr_html_()).text


def test_figures_are_pictures_and_figures_of_matplotlib() -> None:
    report = Report("both", (model("std"), model("csg", class_names=("std", "other"))), ())
    both = report.drawn("mis")["third"]
    assert set(both.results) == {"std", "csg"}
    alone = report.models[0].results["mis"].drawn("std")["std"]
    assert alone._repr_png_() == alone._repr_png_()
    assert Image.open(io.BytesIO(alone._repr_png_())).size == (480, 320)
    assert isinstance(alone.figure(), Figure)


def test_models_of_other_classes_have_figures_of_their_own() -> None:
    report = Report("apart", (model("std"), model("csg", results={"mis": result("std")})), ())
    assert list(report.drawn("mis")) == ["std", "std: csg", "third", "third: csg", "fourth", "fourth: csg"]
    assert report.drawn("gate") == {}
    with pytest.raises(UsageError, match="unknown analysis 'miss'; did you mean 'mis'"):
        report.drawn("miss")


def test_a_report_shows_its_first_table_and_what_was_analysed() -> None:
    page = Page(Report("The report", (model("std"),), (), notes=("A note.",))._repr_html_())
    assert page.texts[0] == "The report"
    assert "mis: std|0.2500" in page.text  # nothing declares a headline: all numbers
    assert "no gate in std" in page.text
    assert "A note." in page.text
    page = Page(model("std")._repr_html_())
    assert "std 0.2500, n 40, missing –" in page.text
    assert "skipped: no gate in std" in page.text
