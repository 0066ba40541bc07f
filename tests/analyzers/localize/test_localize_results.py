"""Captions, comparisons, figures, pages and notes of the localization."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from csg_analyze.analysis import analyze
from csg_analyze.analyzers.localize.figures import IMAGES, REGIONS_OF
from csg_analyze.checkpoints import Classifier
from csg_analyze.data import Dataset
from csg_analyze.plan import plan
from csg_analyze.result import Result
from tests.analyzers.localize.conftest import N, run, value
from tests.examples import random_classifier


def test_the_caption_tells_what_the_numbers_need(heldout: Result, paper: Result) -> None:
    caption = heldout.tables["scores"].caption
    for words in (
        "Held-out protocol",
        "chosen on 20 images, scored on 20 images of 32x32 pixels (a 12, b 4, c 4, d 0",
        "masks of the objects",
        "GradMap above 1 (its root mean square), 3 filters per class",
        "Left out: nothing",
    ):
        assert words in caption
    assert "oracles" in paper.tables["scores"].caption
    assert "oracles" not in caption


def test_the_summary_names_methods_metrics_and_protocol(heldout: Result, paper: Result) -> None:
    for result, protocol, n in ((heldout, "heldout", 20), (paper, "paper", 40)):
        assert result.summary["protocol"] == protocol
        assert result.summary["truth"] == "masks"
        assert result.summary["n_images"] == n
        for method in ("gradmap", "activmap", "cam", "all-ones", "centred-disk", "smooth-noise"):
            for metric in ("avg_iou", "ap20", "ap30", "max_box_acc_v2", "pxap"):
                assert result.summary[f"{method}/{metric}"] == value(result, method, metric)


def test_comparisons_put_the_best_model_in_bold(heldout: Result, classifier: Classifier, scenes: Dataset) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(5)
        other = random_classifier("alexnet")
    second = run(other, scenes, methods="cam,activmap")
    results = {"one": heldout, "two": second}
    compared = heldout.comparisons["table_2"](results)
    table, bold = compared.frame, compared.best
    assert bold is not None
    assert bold.shape == table.shape
    cam = table[(table["localization"] == "CAM for all filters") & (table["metric"] == "Avg-IoU")]
    assert cam["model"].tolist() == ["one", "two"]
    assert cam["total"].tolist() == [value(heldout, "cam", "avg_iou"), value(second, "cam", "avg_iou")]
    assert bold.loc[cam.index, "total"].tolist() == (cam["total"] == cam["total"].max()).tolist()
    keys = ["localization", "metric", "model", "class"]
    tidy = compared.rows.set_index(keys)["value"]
    classes = [*heldout.frame("per_class")["class"].unique()][:-1]
    assert len(tidy) == len(table) * (len(classes) + 1)
    for name in (*classes, "(total)"):
        column = table["total" if name == "(total)" else name].tolist()
        expected = [tidy[(*row, name)] for row in table[keys[:3]].itertuples(index=False, name=None)]
        np.testing.assert_array_equal(column, expected)
    # a method that only one model has, and baselines, beat nobody
    gradmap = table[table["localization"] == "GradMap for one filter"]
    assert gradmap["model"].tolist() == ["one"] * 3
    assert not bold.loc[gradmap.index].to_numpy().any()
    baselines = table[table["localization"].str.startswith("baseline")]
    assert set(baselines["model"]) == {"–"}
    assert not bold.loc[baselines.index].to_numpy().any()
    boxes = heldout.comparisons["table_2_boxes_and_pixels"](results).frame
    assert {"MaxBoxAcc", "MaxBoxAccV2", "PxAP", "pointing game", "energy in the object"} == set(boxes["metric"])


def test_differences_are_paired(heldout: Result, classifier: Classifier, scenes: Dataset) -> None:
    assert heldout.samples is not None
    better = replace(heldout, samples=heldout.samples.assign(cam_iou=heldout.samples["cam_iou"] + 0.1))
    table = heldout.paired["differences"](heldout, better).frame
    cam = table[(table["localization"] == "CAM for all filters") & (table["metric"] == "mean IoU")].iloc[0]
    assert [cam["difference"], cam["low"], cam["high"]] == pytest.approx([0.1] * 3)
    same = table[(table["localization"] == "GradMap for one filter")]
    assert (same[["difference", "low", "high"]] == 0).to_numpy().all()


def test_figures_and_pages_of_both_models(heldout: Result, paper: Result, classifier: Classifier) -> None:
    models = {"one <b>": heldout, "two": paper}
    for drawing in heldout.figures.values():
        figure = drawing.draw(models)
        figure.savefig("/dev/null", format="png", dpi=40)
    maps = heldout.figures["maps"].draw(models)
    assert len(maps.axes) == 8 * (1 + 2 * 3)
    examples = heldout.frame("examples")
    assert maps.axes[0].get_title() == examples["class"].iloc[0]
    pictures = heldout.pictures["examples"]
    assert np.stack(list(pictures[IMAGES])).shape == (8, 32, 32, 3)
    assert set(pictures.arrays) == {IMAGES, REGIONS_OF, "gradmap", "activmap", "cam"}
    assert heldout.pages is not None
    files = dict(heldout.pages("one <b>"))
    assert next(iter(files)) == "index.html"
    index = files["index.html"].decode()
    assert "CAM for all filters" in index
    assert "one &lt;b&gt;" in index
    assert "gradmap.html" in index
    assert "activmap.html" in files
    assert heldout.samples is not None
    own = heldout.samples[heldout.samples["class"] == "b"].sort_values("cam_iou")
    section = index.partition(">b <span")[2].partition("</section>")[0]
    assert section.index(f"IoU {own['cam_iou'].iloc[-1]:.3f}") < section.index(f"IoU {own['cam_iou'].iloc[0]:.3f}")


def test_a_head_of_zeros_is_said_and_scores_nothing(scenes: Dataset) -> None:
    untrained = random_classifier()
    torch.nn.init.zeros_(untrained.network.network.linear.weight)  # type: ignore[union-attr,arg-type]
    result = run(untrained, scenes)
    assert "no CAM, and no Grad-CAM instead: all weights of the head are zero, as before any training." in result.notes
    assert not {"cam/avg_iou", "gradcam/avg_iou"} & set(result.summary)
    asked = run(untrained, scenes, methods="gradcam", protocol="paper")
    assert asked.summary["gradcam/avg_iou"] == 0
    assert any(note.startswith(f"Grad-CAM: {N} of {N} maps are the same everywhere") for note in asked.notes)
    report = analyze(untrained, scenes, plan(["localize"], {"localize": {"methods": "cam"}}))
    assert report.skipped["localize"].endswith("all weights of the head are zero, as before any training")


def test_the_notes_say_what_gradmap_differentiates_by_and_where_ties_go(paper: Result, heldout: Result) -> None:
    assert any("with respect to the network's normalised input, as the authors'" in note for note in paper.notes)
    assert any("with respect to pixels in [0, 1]" in note for note in heldout.notes)
    assert any("belongs to the first of them" in note for note in paper.notes)
    assert any("belongs to that of the higher mean IoU" in note for note in heldout.notes)
