from __future__ import annotations

from pathlib import Path

import numpy as np

from csg_analyze.plots import cells
from csg_analyze.plots.cells import panels_with_cells
from csg_analyze.plots.panels import matrix_panels
from csg_analyze.plots.style import save


def test_a_heat_map_knows_its_cells_and_where_it_is(tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    matrix = np.array([[0.0, 0.25, np.nan], [-0.1239, 0.5, 1.0]])
    figure = matrix_panels(
        {"one": matrix, "two": matrix}, row_labels=["cat", "dog"], column_names={"two": list("abc")}, colour_label="v"
    )
    save(figure, tmp_path, "figure")
    one, two = panels_with_cells(figure)
    assert one["columns"] == ["filter 0", "filter 1", "filter 2"]
    assert two["columns"] == ["a", "b", "c"]
    assert (one["title"], one["rows"], one["decimals"]) == ("one", ["cat", "dog"], 2)
    assert one["values"] == [[0, 25, None], [-12, 50, 100]]
    place = figure.axes[1].get_position()
    np.testing.assert_allclose(two["box"], [place.x0, 1 - place.y1, place.width, place.height], atol=1e-5)
    monkeypatch.setattr(cells, "MOST_CELLS", 11)
    assert panels_with_cells(figure) == []
