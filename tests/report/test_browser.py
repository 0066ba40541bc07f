"""A report's page and the gallery's in a browser, wide and narrow, light and dark.

Of the report named by CSG_REPORT, or else of one made here.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from csg_analyze.analyzers.gallery.pages import gallery_pages
from csg_analyze.report.document import Report, Section
from csg_analyze.report.folder import write_report
from csg_analyze.result import Result
from tests.analyzers.gallery.test_gallery_pages import example
from tests.browser import Browser, Keys, browser
from tests.report.conftest import MIS, model_report
from tests.report.test_answers import ACCURACY
from tests.report.test_seeds import CSG, STD, model

WAYS = [(width, dark) for width in (1440, 390) for dark in (False, True)]
FOLDED = "details.block"


@pytest.fixture(scope="module")
def window() -> Iterator[Browser]:
    with browser() as each:
        yield each


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four networks of two trainings, with figures, short and folded tables, and a gallery."""
    if named := os.environ.get("CSG_REPORT"):
        return Path(named).resolve()
    gallery = example(12, ["cat", "dog"], [0, 1] * 6)
    models = []
    for training in (STD, CSG):
        for seed in (0, 1):
            bare, full = model(training, seed), model_report(f"{training}, seed {seed}", training, 0.9, 0.1 + seed / 9)
            filters = Result({"share": 0.5}, pages=lambda name: gallery_pages(gallery, name))
            accuracy = Result(bare.results["accuracy"].summary, tables=full.results["accuracy"].tables)
            results = {**full.results, "accuracy": accuracy, "filters": filters}
            models.append(replace(full, results=results, origin=bare.origin))
    sections = (Section("accuracy", ACCURACY), Section("mis", MIS))
    data = {"spec": "scenes", "split": "test", "n": 12}
    written = tmp_path_factory.mktemp("page") / "report"
    write_report(Report("Four networks", tuple(models), sections, {"created": "2024"}, data=data), written)
    return written


def pages(folder: Path, *, galleries: bool) -> list[Path]:
    """The report's page, and two of the first gallery's."""
    gallery = next((folder / "pages").iterdir())
    return [folder / "index.html", *([gallery / "index.html", gallery / "class-0.html"] if galleries else [])]


@pytest.mark.parametrize(("width", "dark"), WAYS)
def test_pages_are_for_everyone_complain_of_nothing_and_load_nothing(
    window: Browser, folder: Path, width: int, dark: bool
) -> None:
    for page in pages(folder, galleries=dark is (width < 1000)):
        window.open(page, width=width, dark=dark)
        assert window.logged("browser") == []
        asked = window.requests()
        assert all(url.startswith(page.parent.as_uri()) for url in asked)
        assert len(asked) == 1 or page != folder / "index.html"
        assert window.run("return document.documentElement.scrollWidth") <= width
        assert window.violations() == []


@pytest.mark.parametrize("width", [1440, 390])
def test_a_table_is_sorted_and_filtered(window: Browser, folder: Path, width: int) -> None:
    window.open(folder / "index.html", width=width, dark=False)
    window.run(
        "const box = [...document.querySelectorAll('.filter + .scroll')].find(box => box.querySelector('[data-v]'));"
        "box.closest('details')?.setAttribute('open', ''); box.id = 'chosen'; box.previousElementSibling.id = 'box';"
        "const column = box.querySelector('[data-v]').cellIndex;"
        "box.querySelectorAll('thead button')[column].id = 'head';"
        "box.querySelectorAll('tbody tr').forEach(row => row.cells[column].classList.add('sorted'));"
    )
    numbers = "return [...document.querySelectorAll('.sorted[data-v]')].map(cell => Number(cell.dataset.v))"
    before = window.run(numbers)
    window.press("#head", Keys.ENTER)
    assert window.run(numbers) == sorted(before, reverse=True)
    window.press_here(Keys.SPACE)
    assert window.run(numbers) == sorted(before)
    known = window.run("return [...document.querySelectorAll('.sorted')].map(cell => 'v' in cell.dataset)")
    assert known == sorted(known, reverse=True), "what is missing comes last"
    word = window.texts("#chosen tbody td")[0].split()[0]
    rows = len(window.texts("#chosen tbody tr"))
    window.press("#box", word)
    shown = window.texts("#chosen tbody tr:not([hidden])")
    assert 0 < len(shown) <= rows
    assert all(word in text for text in shown)
    window.press_here("nowhere")
    assert window.texts("#chosen tbody tr:not([hidden])") == []


def test_an_address_unfolds_its_table_and_the_contents_stay_in_reach(window: Browser, folder: Path) -> None:
    window.open(folder / "index.html", width=1440, dark=False)
    anchor = window.run(f"return document.querySelector('{FOLDED} .caption').id")
    for way in ("link", "load"):
        if way == "link":
            window.run("location.hash = arguments[0]", anchor)
        else:
            window.open(folder / "index.html", width=1440, dark=False, anchor=f"#{anchor}")
        window.wait(f"return document.getElementById('{anchor}').closest('details').open")
        contents, table = window.run(
            "return [document.querySelector('nav'), document.getElementById(arguments[0])]"
            ".map(each => each.getBoundingClientRect()).map(box => [box.top, box.bottom])",
            anchor,
        )
        assert contents[0] == 0
        assert contents[1] <= table[0] < 900


def test_a_figure_opens_large_by_keyboard(window: Browser, folder: Path) -> None:
    window.open(folder / "index.html", width=1440, dark=False)
    small = window.run("return document.querySelector('figure img').width")
    window.press("figure button", Keys.ENTER)
    assert window.run("return document.querySelector('dialog').open")
    assert window.run("return document.querySelector('dialog img').width") > small
    window.press_here(Keys.ESCAPE)
    assert not window.run("return document.querySelector('dialog').open")
    assert window.run("return document.activeElement === document.querySelector('figure button')")


def test_a_heat_map_says_its_cells_by_pointer_and_by_keyboard(window: Browser, folder: Path) -> None:
    window.open(folder / "index.html", width=1440, dark=False)
    cells = "figure:has(.cells)"
    panel = window.run(f"return JSON.parse(document.querySelector('{cells} .cells').textContent)[0]")
    window.press(f"{cells} button", Keys.ARROW_DOWN, Keys.ARROW_DOWN, Keys.ARROW_RIGHT)
    (said,) = window.texts(f"{cells}:first-of-type output")[:1]
    value = panel["values"][1][1] / 10 ** panel["decimals"]
    assert said == f"{panel['title']}: {panel['rows'][1]}, {panel['columns'][1]}: {value:.{panel['decimals']}f}"
    assert window.run(f"return document.querySelector('{cells} output').getAttribute('role')") is None  # live by itself
    left, top, width, height = panel["box"]
    down = 0.5 / len(panel["rows"])
    window.point(f"{cells} img", left + width * 0.999, top + height * down)
    (said,) = window.texts(f"{cells} output")[:1]
    assert f": {panel['rows'][0]}, {panel['columns'][-1]}: " in said


def test_a_dark_page_darkens_charts_but_no_photographs(window: Browser, folder: Path) -> None:
    look = "return getComputedStyle(document.querySelector('figure img')).filter"
    window.open(folder / "index.html", width=1440, dark=False)
    assert window.run(look) == "none"
    window.open(folder / "index.html", width=1440, dark=True)
    assert "invert" in window.run(look)
    window.run("document.querySelector('figure').className = 'photographs'")
    assert window.run(look) == "none"


def test_folded_tables_print(window: Browser, folder: Path) -> None:
    window.open(folder / "index.html", width=1440, dark=True)
    window.run("dispatchEvent(new Event('beforeprint'))")
    assert window.run("return document.querySelectorAll('details:not([open])').length") == 0
    window.run("dispatchEvent(new Event('afterprint'))")
    assert window.run(f"return document.querySelector('{FOLDED}').open") is False
