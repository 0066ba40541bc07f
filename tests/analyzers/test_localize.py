from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from captum.attr import NeuronGradient
from torchvision.transforms.functional import gaussian_blur

from csg_analyze.analysis import analyze
from csg_analyze.analyzers.localize.figures import IMAGES, REGIONS_OF
from csg_analyze.analyzers.localize.options import chosen_methods
from csg_analyze.checkpoints import Classifier
from csg_analyze.data import Dataset
from csg_analyze.data.scenes import make_scenes
from csg_analyze.errors import NotAvailable, UsageError
from csg_analyze.inputs.blocks import to_pixels
from csg_analyze.metrics.attribution import FeatureMaps
from csg_analyze.plan import plan
from csg_analyze.result import Result
from tests.examples import random_classifier

N, FILTERS = 40, 3


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return random_classifier()


@pytest.fixture(scope="module")
def scenes() -> Dataset:
    """Classes a, b, c of unequal size, so that a total over images is not one over classes."""
    dataset = make_scenes("test", n=N)
    labels = torch.tensor([[0, 0, 0, 1, 2][i % 5] for i in range(N)])
    return replace(dataset, labels=labels, class_names=tuple("abcdefghij"), fingerprint="scenes in three classes")


def run(classifier: Classifier, dataset: Dataset, annotations: str = "auto", **options: Any) -> Result:
    options = {"gradmap_filters": FILTERS, "bootstrap": 20, "levels": 10, **options}
    what = plan(["localize"], {"localize": options, "objects": {"annotations": annotations}})
    report = analyze(classifier, dataset, what)
    assert not report.skipped
    return report.results["localize"]


@pytest.fixture(scope="module")
def paper(classifier: Classifier, scenes: Dataset) -> Result:
    return run(classifier, scenes, protocol="paper")


@pytest.fixture(scope="module")
def heldout(classifier: Classifier, scenes: Dataset) -> Result:
    return run(classifier, scenes)


class Plain:
    """Everything once more, in the order of the authors' scripts and by loops alone."""

    def __init__(self, classifier: Classifier, dataset: Dataset) -> None:
        assert dataset.masks is not None
        self.masks, self.labels, self.classifier = dataset.masks.numpy(), dataset.labels.tolist(), classifier
        self.pixels = to_pixels(dataset.images[:], classifier.device)
        output: list[torch.Tensor] = []
        handle = classifier.layer().register_forward_hook(lambda m, i, o: output.append(o.clone()))
        with torch.no_grad():
            classifier.network(self.pixels)
        handle.remove()
        self.maps = output[0].double()

    def iou(self, i: int, region: np.ndarray) -> float:
        return float((region & self.masks[i]).sum() / (region | self.masks[i]).sum())

    def large(self, maps: torch.Tensor) -> np.ndarray:
        return F.interpolate(maps[None, None], (32, 32), mode="bilinear", align_corners=False)[0, 0].numpy()

    def cam(self, images: list[int]) -> list[float]:
        weight = self.classifier.network.network.linear.weight.double()  # type: ignore[union-attr,operator]
        found = []
        for i in images:
            values = self.large((weight[self.labels[i], :, None, None] * self.maps[i]).sum(0))
            cut = np.sort(values.ravel())[-int(0.3 * values.size)]
            found.append(self.iou(i, values >= cut))
        return found

    def activmap(
        self, chosen: list[int], scored: list[int], first_of_ties: bool
    ) -> tuple[dict[int, int], dict[int, list[float]]]:
        """Each filter's class, and its IoU on the scored images of that class."""
        classes, ious = {}, {}
        for k in range(self.maps.shape[1]):
            values = np.sort(self.maps[chosen, k].numpy().ravel())
            cut = values[-int(0.3 * len(values))]
            every = {i: self.iou(i, self.large(self.maps[i, k]) >= cut) for i in {*chosen, *scored}}
            by_class = [[every[i] for i in chosen if self.labels[i] == c] for c in range(3)]
            ranks = [
                (np.mean(np.array(values) > 0.3), 0 if first_of_ties else np.mean(values), -c)
                for c, values in enumerate(by_class)
            ]
            classes[k] = ranks.index(max(ranks))
            ious[k] = [every[i] for i in scored if self.labels[i] == classes[k]]
        return classes, ious

    def gradmap(self, chosen: list[int], scored: list[int], by_colour: torch.Tensor) -> list[float]:
        pooled = self.maps.mean((2, 3))
        neuron: Any = NeuronGradient(self.classifier.network, self.classifier.layer())
        found = []
        for i in scored:
            members = [j for j in chosen if self.labels[j] == self.labels[i]]
            filters = pooled[members].mean(0).argsort(descending=True, stable=True)[:FILTERS]
            ious = []
            for k in filters.tolist():
                inputs = self.pixels[i : i + 1].clone().requires_grad_()
                gradient = neuron.attribute(inputs, lambda output, k=k: output[:, k].mean((1, 2))).detach()
                size = (gradient[0] * by_colour[:, None, None]).square().sum(0).sqrt()
                # sigma 30 and a kernel of 61 at 128 pixels are 7.5 and, to a whole radius of 8, 17 at 32
                blurred = gaussian_blur((size / size.square().mean().sqrt())[None], [17, 17], [7.5, 7.5])[0]
                ious.append(self.iou(i, blurred.numpy() > 1))
            found.append(float(np.mean(ious)))
        return found


def value(result: Result, method: str, metric: str, column: str = "total") -> float:
    table = result.frame("scores" if metric in {"avg_iou", "ap20", "ap30"} else "boxes_and_pixels")
    row = table[(table["method"] == method) & (table["metric"] == metric)]
    return float(row[column].iloc[0])


def halves(result: Result, dataset: Dataset) -> tuple[list[int], list[int]]:
    assert result.samples is not None
    scored = [dataset.sample_ids.index(name) for name in result.samples["sample_id"]]
    return [i for i in range(N) if i not in scored], scored


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


def test_the_summary_names_methods_metrics_and_protocol(heldout: Result, paper: Result) -> None:
    for result, protocol, n in ((heldout, "heldout", 20), (paper, "paper", 40)):
        assert result.summary["protocol"] == protocol
        assert result.summary["truth"] == "masks"
        assert result.summary["n_images"] == n
        for method in ("gradmap", "activmap", "cam", "all-ones", "centred-disk", "smooth-noise"):
            for metric in ("avg_iou", "ap20", "ap30", "max_box_acc_v2", "pxap"):
                assert result.summary[f"{method}/{metric}"] == value(result, method, metric)


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


def test_results_do_not_depend_on_batches_or_pieces(
    classifier: Classifier, scenes: Dataset, heldout: Result, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("csg_analyze.analyzers.localize.evaluation.PIXELS_AT_ONCE", 5000)
    what = plan(
        ["localize"],
        {
            "localize": {"gradmap_filters": FILTERS, "bootstrap": 20, "levels": 10},
            "forward_pass": {"batch_size": 7},
            "attribution": {"images_at_once": 3},
        },
    )
    found = analyze(classifier, scenes, what).results["localize"]
    pd.testing.assert_frame_equal(found.frame("per_class"), heldout.frame("per_class"), atol=1e-4, rtol=0)


def features(weight: bool) -> FeatureMaps:
    return FeatureMaps(
        np.zeros((1, 2, 2, 2), np.float32), np.zeros((3, 2)) if weight else None, no_cam="its head bends"
    )


def test_which_methods_a_network_can_have() -> None:
    assert chosen_methods("auto", features(True)) == (["gradmap", "activmap", "cam"], [])
    names, notes = chosen_methods("auto", features(False))
    assert names == ["gradmap", "activmap", "gradcam"]
    assert notes == ["no CAM, Grad-CAM instead: its head bends."]
    assert chosen_methods("cam, captum:Saliency,cam", features(True))[0] == ["cam", "captum:Saliency"]
    blank = replace(features(False), featureless=True)
    assert chosen_methods("auto", blank) == (
        ["gradmap", "activmap"],
        ["no CAM, and no Grad-CAM instead: its head bends."],
    )
    assert chosen_methods("cam,activmap", blank)[1] == ["no CAM: its head bends."]
    names, notes = chosen_methods("cam,gradmap", features(False))
    assert names == ["gradmap"]
    assert "its head bends" in notes[0]
    with pytest.raises(NotAvailable, match="its head bends; ask for gradcam"):
        chosen_methods("cam", features(False))
    with pytest.raises(UsageError, match="unknown method 'camm'; did you mean 'cam'"):
        chosen_methods("camm", features(True))
    with pytest.raises(UsageError, match="--methods names no method"):
        chosen_methods(",", features(True))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"deltas": "0.2,x"}, "--deltas takes numbers between 0 and 1"),
        ({"deltas": "1.5"}, "--deltas takes numbers between 0 and 1"),
        ({"gradmap_filters": 0}, "--gradmap-filters must be at least 1, not 0"),
        ({"bootstrap": 0}, "--bootstrap must be at least 1"),
        ({"levels": -1}, "--levels must be at least 1"),
    ],
)
def test_bad_options(classifier: Classifier, scenes: Dataset, options: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        run(classifier, scenes, **options)


def test_captums_methods_beside_ours(classifier: Classifier, scenes: Dataset) -> None:
    few = scenes.limited(10)
    result = run(classifier, few, protocol="paper", methods="gradcam,captum:LayerGradCam,captum:Saliency")
    assert value(result, "gradcam", "avg_iou") == value(result, "captum:LayerGradCam", "avg_iou")
    assert "captum:Saliency/avg_iou" in result.summary
    assert "captum:Saliency" in result.tables["scores"].caption


def test_too_few_images_for_two_halves(classifier: Classifier, scenes: Dataset) -> None:
    one = scenes.subset(torch.tensor([0]), note="")
    report = analyze(classifier, one, plan(["localize"]))
    assert "too few images for two halves" in report.skipped["localize"]


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
