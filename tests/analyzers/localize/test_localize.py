"""The numbers of the localization by loops alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from csg_analyze.analysis import analyze
from csg_analyze.checkpoints import Classifier
from csg_analyze.data import Dataset
from csg_analyze.plan import plan
from csg_analyze.result import Result
from tests.analyzers.localize.conftest import FILTERS, N, Plain, halves, run, value


@pytest.mark.parametrize("protocol", ["paper", "heldout"])
def test_table_2_by_loops_alone(
    protocol: str, classifier: Classifier, scenes: Dataset, request: pytest.FixtureRequest
) -> None:
    result: Result = request.getfixturevalue(protocol)
    plain = Plain(classifier, scenes)
    everything = list(range(N))
    chosen, scored = (everything, everything) if protocol == "paper" else halves(result, scenes)
    assert len(scored) == (N if protocol == "paper" else N // 2)
    std = torch.tensor(classifier.preprocessing.std) if protocol == "paper" else torch.ones(3)
    for method, ious, hits in (
        ("cam", plain.cam(scored), lambda v, d: v > d),
        ("gradmap", plain.gradmap(chosen, scored, std), lambda v, d: v >= d),
    ):
        values = np.array(ious)
        assert value(result, method, "avg_iou") == pytest.approx(values.mean(), abs=1e-6)
        assert value(result, method, "ap20") == pytest.approx(hits(values, 0.2).mean())
        for c, name in enumerate("abc"):
            own = values[[plain.labels[i] == c for i in scored]]
            assert value(result, method, "avg_iou", name) == pytest.approx(own.mean(), abs=1e-6)
            assert value(result, method, "ap30", name) == pytest.approx(hits(own, 0.3).mean())
    classes, filter_ious = plain.activmap(chosen, scored, first_of_ties=protocol == "paper")
    means = {k: np.mean(values) for k, values in filter_ious.items()}
    rates = {k: np.mean(np.array(values) > 0.3) for k, values in filter_ious.items()}
    assert value(result, "activmap", "avg_iou") == pytest.approx(np.mean(list(means.values())), abs=1e-6)
    assert value(result, "activmap", "ap30") == pytest.approx(np.mean(list(rates.values())), abs=1e-6)
    for c, name in enumerate("abc"):
        own = [means[k] for k in classes if classes[k] == c]
        expected = np.mean(own) if own else np.nan
        assert value(result, "activmap", "avg_iou", name) == pytest.approx(expected, abs=1e-6, nan_ok=True)
    filters = result.frame("filters")
    assert filters["class"].tolist() == ["abc"[classes[k]] for k in range(64)]
    assert filters["avg_iou"].to_numpy() == pytest.approx([means[k] for k in range(64)], abs=1e-6)


def test_baselines_and_absent_classes(heldout: Result, scenes: Dataset) -> None:
    assert scenes.masks is not None
    _, scored = halves(heldout, scenes)
    share = scenes.masks[scored].float().mean((1, 2))
    assert value(heldout, "all-ones", "avg_iou") == pytest.approx(float(share.mean()), abs=1e-6)
    assert value(heldout, "all-ones", "pointing") == pytest.approx(float(share.mean()), abs=1e-6)
    assert np.isnan(value(heldout, "cam", "avg_iou", "d"))
    assert any(note.startswith("no scored image of: d, e, f") for note in heldout.notes)


def test_the_two_halves_share_no_image_and_every_class(heldout: Result, scenes: Dataset) -> None:
    chosen, scored = halves(heldout, scenes)
    labels = scenes.labels.numpy()
    assert np.bincount(labels[chosen]).tolist() == np.bincount(labels[scored]).tolist() == [12, 4, 4]


def test_intervals_hold_the_number_they_are_of(paper: Result) -> None:
    table = paper.frame("per_class")
    total = table[(table["class"] == "(total)") & ~table["method"].isin(["all-ones", "centred-disk", "smooth-noise"])]
    assert (total["low"] <= total["high"]).all()
    smooth = total[total["metric"].isin(["avg_iou", "pxap", "energy"])]
    assert ((smooth["low"] <= smooth["value"]) & (smooth["value"] <= smooth["high"])).all()
    assert (total["n"] == N).all()


def test_boxes_and_left_out_images(classifier: Classifier, scenes: Dataset) -> None:
    assert scenes.boxes is not None
    boxes = scenes.boxes.clone()
    boxes[:3] = torch.nan
    some = replace(scenes, boxes=boxes, fingerprint="fewer boxes")
    result = run(classifier, some, annotations="boxes", protocol="paper", methods="cam", deltas="0.1,0.45")
    assert result.summary["truth"] == "boxes"
    assert result.summary["n_left_out"] == 3
    caption = result.tables["scores"].caption
    assert "the objects' boxes, filled" in caption
    assert f"3 images without a box inside the image ({', '.join(scenes.sample_ids[:3])})" in caption
    assert {"cam/ap10", "cam/ap45"} <= set(result.summary)
    assert result.samples is not None
    assert len(result.samples) == N - 3
    plain = Plain(classifier, scenes)
    for i in range(3, N):
        x0, y0, x1, y1 = (int(v) for v in boxes[i, 0])
        plain.masks = plain.masks.copy()
        plain.masks[i] = False
        plain.masks[i, y0:y1, x0:x1] = True
    assert result.samples["cam_iou"].to_numpy() == pytest.approx(plain.cam(list(range(3, N))), abs=1e-6)


def test_results_do_not_depend_on_batches_or_pieces(
    classifier: Classifier, scenes: Dataset, heldout: Result, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("csg_analyze.analyzers.localize.task.PIXELS_AT_ONCE", 5000)
    steps = plan(
        ["localize"],
        {
            "localize": {"gradmap_filters": FILTERS, "bootstrap": 20, "levels": 10},
            "forward_pass": {"batch_size": 7},
            "attribution": {"images_at_once": 3},
        },
    )
    result = analyze(classifier, scenes, steps).results["localize"]
    pd.testing.assert_frame_equal(result.frame("per_class"), heldout.frame("per_class"), atol=1e-4, rtol=0)


def test_captums_methods_beside_ours(classifier: Classifier, scenes: Dataset) -> None:
    few = scenes.limited(10)
    result = run(classifier, few, protocol="paper", methods="gradcam,captum:LayerGradCam,captum:Saliency")
    assert value(result, "gradcam", "avg_iou") == value(result, "captum:LayerGradCam", "avg_iou")
    assert "captum:Saliency/avg_iou" in result.summary
    assert "captum:Saliency" in result.tables["scores"].caption


def test_filters_whose_region_is_the_whole_image_are_counted(
    classifier: Classifier, scenes: Dataset, heldout: Result
) -> None:
    assert scenes.masks is not None
    maps = Plain(classifier, scenes).maps.numpy()
    chosen, scored = halves(heldout, scenes)
    table = heldout.frame("filters")
    n = int(0.3 * maps[chosen, 0].size)
    expected = [bool(np.sort(maps[chosen, k].ravel())[-n] <= maps[:, k].min()) for k in range(64)]
    assert table["whole_image"].tolist() == expected
    assert 0 < sum(expected) < 64
    assert any(note.startswith(f"ActivMap: {sum(expected)} of 64 filters are silent") for note in heldout.notes)
    for k in np.flatnonzero(expected).tolist():
        own = [i for i in scored if scenes.labels[i] == "abc".index(table["class"][k])]
        assert table["avg_iou"][k] == pytest.approx(float(scenes.masks[own].float().mean()), abs=1e-6)
