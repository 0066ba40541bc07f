"""The objects of a dataset, and its images as pictures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from csg_analyze.data import Dataset
from csg_analyze.data.scenes import make_scenes
from csg_analyze.errors import NotAvailable, UsageError
from csg_analyze.inputs import pictures
from csg_analyze.inputs.objects import objects
from tests.examples import random_dataset


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return random_dataset(5)


def test_pictures_are_the_images(dataset: Dataset) -> None:
    images = pictures(dataset)(np.array([3, 1]))
    assert np.array_equal(images[1], dataset.images[:][1].permute(1, 2, 0).numpy())


def test_objects_are_masks_where_all_images_have_one() -> None:
    scenes = make_scenes("test", n=12)
    assert scenes.masks is not None
    annotated = objects(scenes)
    assert annotated.kind == "masks"
    assert annotated.usable.all()
    assert len(set(annotated.groups.tolist())) == 12
    region, counted = annotated.regions(np.array([5, 2]))
    assert np.array_equal(region, scenes.masks[[5, 2]].numpy())
    assert counted.all()
    boxes = objects(scenes, annotations="boxes")
    assert boxes.kind == "boxes"
    x0, y0, x1, y1 = (int(value) for value in scenes.boxes[4, 0])  # type: ignore[index]
    region, _ = boxes.regions(np.array([4]))
    assert region[0, y0:y1, x0:x1].all()
    assert region.sum() == (y1 - y0) * (x1 - x0)


def test_images_without_an_object_are_left_out_and_counted() -> None:
    scenes = make_scenes("test", n=12)
    assert scenes.masks is not None
    assert scenes.boxes is not None
    ignored = torch.zeros_like(scenes.masks)
    ignored[3] = True
    ignored[4, :2] = True
    masks, boxes = scenes.masks.clone(), scenes.boxes.clone()
    masks[[7, 8]] = False
    boxes[0] = torch.nan
    some = replace(scenes, masks=masks, ignored=ignored, boxes=boxes, left_out=("1 image without an annotation (x)",))
    # one image has no mask: so that all are compared with the same, boxes
    auto = objects(some)
    assert auto.kind == "boxes"
    assert np.flatnonzero(~auto.usable).tolist() == [0]
    assert auto.left_out == (
        "1 image without an annotation (x)",
        f"1 image without a box inside the image ({scenes.sample_ids[0]})",
    )
    annotated = objects(some, annotations="masks")
    assert np.flatnonzero(~annotated.usable).tolist() == [3, 7, 8]
    assert annotated.left_out[1:] == (
        f"1 image without a mask ({scenes.sample_ids[3]})",
        f"2 images with an empty mask ({scenes.sample_ids[7]}, {scenes.sample_ids[8]})",
    )
    _, counted = annotated.regions(np.array([4]))
    assert not counted[0, :2].any()
    assert counted[0, 2:].all()


def test_images_cut_from_one_picture_are_one_group() -> None:
    scenes = replace(make_scenes("test", n=4), sources=("a", "b", "a", "c"))
    groups = objects(scenes).groups
    assert groups[0] == groups[2]
    assert len(set(groups.tolist())) == 3


def test_data_without_objects(dataset: Dataset) -> None:
    with pytest.raises(NotAvailable, match="noise has neither masks nor boxes"):
        objects(dataset)
    scenes = make_scenes("test", n=3)
    with pytest.raises(UsageError, match="scenes has no masks; leave --annotations at auto"):
        objects(replace(scenes, masks=None), annotations="masks")
    assert scenes.boxes is not None
    with pytest.raises(NotAvailable, match="no image of scenes has an object to compare with"):
        objects(replace(scenes, masks=None, boxes=torch.full_like(scenes.boxes, torch.nan)))
