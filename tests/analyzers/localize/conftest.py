"""A network on scenes, localized by both protocols, and the same by loops alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from captum.attr import NeuronGradient
from torchvision.transforms.functional import gaussian_blur

from csg_analyze.analysis import analyze
from csg_analyze.checkpoints import Classifier
from csg_analyze.data import Dataset
from csg_analyze.data.scenes import make_scenes
from csg_analyze.inputs.blocks import to_pixels
from csg_analyze.plan import plan
from csg_analyze.result import Result
from tests.examples import random_classifier

N, FILTERS = 40, 3


@pytest.fixture(scope="session")
def classifier() -> Classifier:
    return random_classifier()


@pytest.fixture(scope="session")
def scenes() -> Dataset:
    """Classes a, b, c of unequal size, so that a total over images is not one over classes."""
    dataset = make_scenes("test", n=N)
    labels = torch.tensor([[0, 0, 0, 1, 2][i % 5] for i in range(N)])
    return replace(dataset, labels=labels, class_names=tuple("abcdefghij"), fingerprint="scenes in three classes")


def run(classifier: Classifier, dataset: Dataset, annotations: str = "auto", **options: Any) -> Result:
    options = {"gradmap_filters": FILTERS, "bootstrap": 20, "levels": 10, **options}
    steps = plan(["localize"], {"localize": options, "objects": {"annotations": annotations}})
    report = analyze(classifier, dataset, steps)
    assert not report.skipped
    return report.results["localize"]


@pytest.fixture(scope="session")
def paper(classifier: Classifier, scenes: Dataset) -> Result:
    return run(classifier, scenes, protocol="paper")


@pytest.fixture(scope="session")
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
        weight = self.classifier.network.network.linear.weight.double()  # type: ignore[union-attr]
        ious_of_images = []
        for i in images:
            values = self.large((weight[self.labels[i], :, None, None] * self.maps[i]).sum(0))
            cut = np.sort(values.ravel())[-int(0.3 * values.size)]
            ious_of_images.append(self.iou(i, values >= cut))
        return ious_of_images

    def activmap(
        self, chosen: list[int], scored: list[int], first_of_ties: bool
    ) -> tuple[dict[int, int], dict[int, list[float]]]:
        """Each filter's class, and its IoU on the scored images of that class."""
        classes, ious = {}, {}
        for k in range(self.maps.shape[1]):
            values = np.sort(self.maps[chosen, k].numpy().ravel())
            cut = values[-int(0.3 * len(values))]
            by_image = {i: self.iou(i, self.large(self.maps[i, k]) >= cut) for i in {*chosen, *scored}}
            by_class = [[by_image[i] for i in chosen if self.labels[i] == c] for c in range(3)]
            ranks = [
                (np.mean(np.array(values) > 0.3), 0 if first_of_ties else np.mean(values), -c)
                for c, values in enumerate(by_class)
            ]
            classes[k] = ranks.index(max(ranks))
            ious[k] = [by_image[i] for i in scored if self.labels[i] == classes[k]]
        return classes, ious

    def gradmap(self, chosen: list[int], scored: list[int], by_colour: torch.Tensor) -> list[float]:
        pooled = self.maps.mean((2, 3))
        neuron: Any = NeuronGradient(self.classifier.network, self.classifier.layer())
        ious_of_images = []
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
            ious_of_images.append(float(np.mean(ious)))
        return ious_of_images


def value(result: Result, method: str, metric: str, column: str = "total") -> float:
    table = result.frame("scores" if metric in {"avg_iou", "ap20", "ap30"} else "boxes_and_pixels")
    row = table[(table["method"] == method) & (table["metric"] == metric)]
    return float(row[column].iloc[0])


def halves(result: Result, dataset: Dataset) -> tuple[list[int], list[int]]:
    assert result.samples is not None
    scored = [dataset.sample_ids.index(name) for name in result.samples["sample_id"]]
    return [i for i in range(N) if i not in scored], scored
