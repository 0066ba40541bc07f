"""Each part of the preprocessing comes from the first source that says it, and says where from."""

from __future__ import annotations

import json
import re
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torchvision.models import googlenet

from csg_analyze.checkpoints import Preprocessing, classifier_of, load_classifier, save_checkpoint
from csg_analyze.checkpoints.folder_settings import of_processor, of_timm
from csg_analyze.checkpoints.pixel_sources import preprocessing_of
from csg_analyze.checkpoints.preprocessing import IMAGENET_MEAN, IMAGENET_STD, combined, of_flags, of_record
from csg_analyze.checkpoints.reading import Contents
from csg_analyze.checkpoints.statements import class_names_in, said_in
from csg_analyze.errors import UsageError
from csg_analyze.models import build

HALF = (0.5, 0.5, 0.5)
CAFFE = [103.939, 116.779, 123.68]  # blue, green, red


def found(
    content: object = None,
    architecture: str | None = "resnet18",
    n_classes: int = 10,
    tensors: dict[str, Tensor] | None = None,
    **more: Any,
) -> tuple[Preprocessing, str]:
    """What a foreign file's preprocessing is, and the remarks on it in one text."""
    contents = Contents({}, said=said_in(content), tensors=tensors or {}, **more)
    preprocessing, notes = preprocessing_of(contents, architecture, n_classes, ())
    return preprocessing, "; ".join(notes)


def test_the_order_of_sources() -> None:
    """Sources are taken away one by one, the strongest first."""
    said: Any = {"mean": [0.1, 0.2, 0.3], "std": HALF, "input_size": 48}
    processor = {"image_mean": [0.2, 0.2, 0.2], "image_std": HALF, "size": {"height": 40, "width": 40}}
    timm = {"pretrained_cfg": {"mean": [0.3, 0.3, 0.3], "std": HALF, "input_size": [3, 36, 36]}}
    record = {"mean": (0.4, 0.4, 0.4), "std": HALF, "size": 44}
    buffers = {"normalize.mean": torch.full((1, 3, 1, 1), 0.625), "normalize.std": torch.ones(3)}
    beside = {"preprocessor_config.json": processor, "config.json": timm}
    flagged, _ = combined((*of_flags(mean=(0.9, 0.9, 0.9)), *of_record(record)))
    assert (flagged.mean[0], flagged.std, flagged.size) == (0.9, HALF, 44)
    assert dict(flagged.origins) == {"mean": "--mean"} | dict.fromkeys(
        ("std", "size", "channels"), "the checkpoint's own record"
    )
    contents = [
        (Contents({}, about={"preprocessing": record}, own=True, beside=beside), 0.4, 44),
        (Contents({}, said=said_in(said), tensors=buffers, beside=beside), 0.2, 40),
        (Contents({}, said=said_in(said), tensors=buffers, beside={"config.json": timm}), 0.3, 36),
        (Contents({}, said=said_in(said), tensors=buffers), 0.1, 48),
        (Contents({}, tensors=buffers), 0.625, 224),
        (Contents({}), IMAGENET_MEAN[0], 224),
    ]
    for each, red, size in contents:
        preprocessing, _ = preprocessing_of(each, "resnet18", 10, ())
        assert (preprocessing.mean[0], preprocessing.size) == (red, size)
        assert set(preprocessing.origins) == {"mean", "std", "size", "channels"}
    assert preprocessing.origins["mean"].startswith("assumed: torchvision's transforms for ResNet18_Weights")


def test_torchvisions_transforms_are_certain_only_for_its_own_files() -> None:
    fine_tuned, notes = found()
    assert fine_tuned.origin.startswith("assumed: ")
    assert "assumed: ImageNet's mean and std" in notes
    assert "the middle 224 of 256 pixels" in notes
    own, notes = found(n_classes=1000)
    assert (own.origin, notes) == ("torchvision's transforms for ResNet18_Weights.IMAGENET1K_V1", "")
    either, notes = found(architecture="resnet50", n_classes=1000)
    assert either.resize == 256
    assert "for ResNet50_Weights.IMAGENET1K_V2 give --size 224 --resize 232" in notes
    second, notes = found(architecture="resnet50", n_classes=1000, sha256="11ad3fa6" + 56 * "0")
    assert (second.resize, notes) == (232, "")
    assert second.origin == "torchvision's transforms for ResNet50_Weights.IMAGENET1K_V2"
    with_buffers, _ = found(n_classes=1000, tensors={"mean": torch.ones(3), "std": torch.ones(3)})
    assert with_buffers.mean == (1, 1, 1)


def test_transform_input_is_a_mean_and_std(tmp_path: Path) -> None:
    """The network built with it, on ImageNet's normalisation, is the one built without it on that mean and std."""
    torch.manual_seed(0)
    theirs = googlenet(transform_input=True, num_classes=5, aux_logits=False, init_weights=False)
    for module in theirs.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # the statistics of the pixels below, so that logits depend on them
    pixels = torch.rand(4, 3, 64, 64)
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (IMAGENET_MEAN, IMAGENET_STD))
    with torch.no_grad():
        theirs((pixels - mean) / std)
        theirs.eval()
        expected = theirs((pixels - mean) / std)
        torch.save(theirs.state_dict(), tmp_path / "m.pt")
        loaded = load_classifier(tmp_path / "m.pt", architecture="googlenet", size=64, device="cpu")
        error = (loaded.network(pixels) - expected).abs().max()
        without = (loaded.network.network((pixels - mean) / std) - expected).abs().max()
    assert error < 1e-2 * expected.std()
    assert without > 0.1 * expected.std()
    inception, notes = found(architecture="inception_v3", n_classes=5)
    assert loaded.preprocessing.mean == loaded.preprocessing.std == inception.mean == inception.std == HALF
    assert "if it was trained from scratch, give --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225" in notes


def test_no_guess_of_transform_input_is_silent() -> None:
    auxiliary = {"aux1.fc1.weight": torch.zeros(1), "conv1.weight": torch.zeros(1)}
    scratch, notes = found(architecture="googlenet", tensors=auxiliary)
    assert (scratch.mean, scratch.origins["mean"][-20:]) == (IMAGENET_MEAN, " transform_input off")
    assert "if it was derived from torchvision's weights, give --mean 0.5,0.5,0.5 --std 0.5,0.5,0.5" in notes
    nearly, notes = found(architecture="googlenet", n_classes=1000, tensors=auxiliary)
    assert nearly.mean == HALF
    assert "if it was trained from scratch, give" in notes
    said, notes = found({"args": {"transform_input": False}}, "inception_v3")
    assert (said.mean, said.size) == (IMAGENET_MEAN, 299)
    assert "transform_input off as the file says" in said.origin
    published, notes = found(architecture="googlenet", n_classes=1000, sha256="1378be20" + 56 * "0")
    assert (published.mean, notes) == (HALF, "")


@pytest.mark.parametrize(
    ("content", "mean", "std", "channels", "size"),
    [
        ({"args": Namespace(mean=[0.1, 0.2, 0.3], std=[1, 1, 1])}, (0.1, 0.2, 0.3), (1, 1, 1), "rgb", (224, 256)),
        ({"hyper_parameters": {"mean": HALF, "std": HALF, "img_size": 96}}, HALF, HALF, "rgb", (96, None)),
        ({"config": {"data": {"image_mean": HALF, "image_std": HALF}}}, HALF, HALF, "rgb", (224, 256)),
        ({"args": Namespace(val_crop_size=64, val_resize_size=72)}, IMAGENET_MEAN, IMAGENET_STD, "rgb", (64, 72)),
        ({"mean": [127.5] * 3, "std": [127.5] * 3}, HALF, HALF, "rgb", (224, 256)),
        ({"img_norm_cfg": {"mean": [102.0, 51.0, 25.5], "std": [51, 51, 51], "to_rgb": True}}, (0.4, 0.2, 0.1),
         (0.2, 0.2, 0.2), "rgb", (224, 256)),
        ({"meta": {"config": "img_norm_cfg = dict(\n  mean=[25.5, 51.0, 102.0], std=[51, 51, 51.], to_rgb=False)\n"}},
         (0.4, 0.2, 0.1), (0.2, 0.2, 0.2), "bgr", (224, 256)),
        ({"meta": {"cfg": "a = {'mean': [102., 51, 25.5], 'std': [51] * 3}\nb = dict(mean=[102., 51, 25.5], std=[51, "
                          "51, 51], to_rgb=True)"}}, (0.4, 0.2, 0.1), (0.2, 0.2, 0.2), "rgb", (224, 256)),
        ({"mean": CAFFE, "std": [1, 1, 1]}, tuple(v / 255 for v in CAFFE[::-1]), (1 / 255,) * 3, "bgr", (224, 256)),
        ({"mean": HALF, "std": HALF, "input_space": "BGR"}, HALF, HALF, "bgr", (224, 256)),
        # what is no mean and std is passed over
        ({"args": {"mean": 0.0, "std": 0.02}, "mean": [0.1, 0.2]}, IMAGENET_MEAN, IMAGENET_STD, "rgb", (224, 256)),
        ({"mean": HALF, "std": [0.5, 0, 0.5]}, IMAGENET_MEAN, IMAGENET_STD, "rgb", (224, 256)),
        ({"mean": ["a", "b", "c"], "std": HALF, "size": "big"}, IMAGENET_MEAN, IMAGENET_STD, "rgb", (224, 256)),
        ({"meta": {"config": "mean std def ("}, "record": 5}, IMAGENET_MEAN, IMAGENET_STD, "rgb", (224, 256)),
    ],
)  # fmt: skip
def test_what_a_foreign_file_says(content: Any, mean: Any, std: Any, channels: str, size: Any) -> None:
    preprocessing, notes = found(content)
    assert preprocessing.mean == pytest.approx(mean)
    assert preprocessing.std == pytest.approx(std)
    assert (preprocessing.channels, preprocessing.size, preprocessing.resize) == (channels, *size)
    if mean not in (IMAGENET_MEAN,):
        assert "preprocessing: mean and std from the file's" in notes


@pytest.mark.parametrize("shape", [(3,), (1, 3, 1, 1), (3, 1, 1)])
@pytest.mark.parametrize("names", [("mean", "std"), ("normalize.mean", "normalize.std"), ("pixel_mean", "pixel_std")])
def test_buffers_are_taken_and_do_not_make_another_network(
    tmp_path: Path, shape: tuple[int, ...], names: tuple[str, str]
) -> None:
    network = build("resnet8", 4).eval()
    buffers = {name: torch.tensor([1.0, 2.0, 3.0]).reshape(shape) * 51 for name in names}
    torch.save({**network.state_dict(), **buffers}, tmp_path / "m.pt")
    classifier = load_classifier(tmp_path / "m.pt")
    assert classifier.preprocessing.mean == pytest.approx((0.2, 0.4, 0.6))
    pixels = torch.rand(2, 3, 32, 32)
    values = torch.tensor([0.2, 0.4, 0.6]).view(1, 3, 1, 1)
    with torch.no_grad():
        assert torch.allclose(classifier.network(pixels), network((pixels - values) / values), atol=1e-4)
    assert f"the file's {names[0]} and {names[1]}, in units of 0 to 255" in classifier.preprocessing.origin


def test_the_authors_files_get_128_pixels() -> None:
    authors, notes = found(n_classes=6, gate=torch.ones(6, 512))
    assert (authors.size, authors.resize) == (128, None)
    assert "give --size" in notes
    assert found(n_classes=1000, gate=torch.ones(1000, 512))[0].size == 224
    assert found(architecture="resnet20", gate=torch.ones(10, 64))[0].size == 32


PROCESSORS: tuple[tuple[dict[str, Any], Any, Any, tuple[int | None, int | None]], ...] = (
    ({"image_processor_type": "ViTImageProcessor", "do_normalize": True, "do_rescale": True, "image_mean": HALF,
      "image_std": HALF, "rescale_factor": 1 / 255, "size": {"height": 96, "width": 96}, "resample": 2}, HALF, HALF,
     (96, None)),
    ({"image_mean": HALF, "image_std": HALF, "do_rescale": False, "size": 64}, (0.5 / 255,) * 3, (0.5 / 255,) * 3,
     (64, None)),
    ({"do_normalize": False, "size": {"shortest_edge": 40}, "do_center_crop": True,
      "crop_size": {"height": 32, "width": 32}}, (0, 0, 0), (1, 1, 1), (32, 40)),
    ({"image_processor_type": "ConvNextImageProcessor", "image_mean": IMAGENET_MEAN, "image_std": IMAGENET_STD,
      "size": {"shortest_edge": 224}, "crop_pct": 0.875}, IMAGENET_MEAN, IMAGENET_STD, (224, 256)),
    ({"image_processor_type": "ConvNextImageProcessor", "image_mean": IMAGENET_MEAN, "image_std": IMAGENET_STD,
      "size": {"shortest_edge": 384}, "crop_pct": 0.875}, IMAGENET_MEAN, IMAGENET_STD, (384, None)),
    ({"feature_extractor_type": "ConvNextFeatureExtractor", "image_mean": HALF, "image_std": HALF, "size": 64,
      "crop_pct": 0.5}, HALF, HALF, (64, 128)),
    ({"image_processor_type": "EfficientNetImageProcessor", "image_mean": HALF, "image_std": HALF, "include_top": True,
      "size": {"height": 64, "width": 64}}, HALF, (0.25,) * 3, (64, None)),
    ({"image_processor_type": "EfficientNetImageProcessor", "do_normalize": False, "rescale_factor": 1 / 127.5,
      "rescale_offset": True, "include_top": False, "size": 64}, HALF, HALF, (64, None)),
)  # fmt: skip


@pytest.mark.parametrize(("processor", "mean", "std", "size"), PROCESSORS)
def test_an_image_processor_of_hugging_face(processor: dict[str, Any], mean: Any, std: Any, size: Any) -> None:
    preprocessing, _ = combined(tuple(of_processor(processor)))
    assert preprocessing.mean == pytest.approx(mean)
    assert preprocessing.std == pytest.approx(std)
    assert (preprocessing.size, preprocessing.resize) == size
    assert preprocessing.origins["mean"] == "the folder's preprocessor_config.json"


def test_processors_that_do_otherwise_say_so() -> None:
    _, notes = combined(tuple(of_processor({"size": {"height": 48, "width": 48}, "resample": 3})))
    assert "squeezes pictures to 48x48 pixels" in "; ".join(notes)
    assert "interpolates otherwise (PIL's method 3)" in "; ".join(notes)
    flipping, _ = combined(tuple(of_processor({"do_flip_channel_order": True, "size": {"shortest_edge": 288},
                                               "do_center_crop": True, "crop_size": 256})))  # fmt: skip
    assert (flipping.channels, flipping.mean, flipping.size, flipping.resize) == ("bgr", (0, 0, 0), 256, 288)
    unsaid, _ = combined(tuple(of_processor({"do_normalize": None, "image_mean": None, "size": 64})))
    assert (unsaid.mean, unsaid.std) == ((0, 0, 0), (1, 1, 1))
    assert not list(of_processor({"tokenizer": 5}))
    assert not list(of_processor(None))


def test_a_data_configuration_of_timm() -> None:
    config = {"architecture": "x", "pretrained_cfg": {"mean": HALF, "std": HALF, "input_size": [3, 96, 96],
              "crop_pct": 0.75, "interpolation": "bicubic"}}  # fmt: skip
    preprocessing, notes = combined(tuple(of_timm(config)))
    assert (preprocessing.mean, preprocessing.size, preprocessing.resize) == (HALF, 96, 128)
    assert "bicubic" in notes[0]
    network = nn.Identity()
    network.pretrained_cfg = config["pretrained_cfg"] | {"num_classes": 1000}  # type: ignore[operator, assignment]
    for n_classes, assumed in ((1000, False), (10, True)):
        built, _ = preprocessing_of(Contents({}), "timm:x", n_classes, (), network)
        assert (built.size, built.resize) == (96, 128)
        assert built.origin.startswith("assumed: ") == assumed


def test_settings_beside_the_weights_in_a_folder(tmp_path: Path) -> None:
    torch.save(build("resnet8", 3).state_dict(), tmp_path / "pytorch_model.bin")
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(PROCESSORS[0][0]))
    (tmp_path / "config.json").write_text(json.dumps({"id2label": {"0": "ant", "2": "cat", "1": "bee"}}))
    for path in (tmp_path, tmp_path / "pytorch_model.bin"):
        classifier = load_classifier(path)
        assert (classifier.preprocessing.mean, classifier.preprocessing.size) == (HALF, 96)
        assert classifier.class_names == ("ant", "bee", "cat")
        assert "class names are those of the file's 'config.json: id2label'" in "; ".join(classifier.notes)
    (tmp_path / "config.json").write_text("[1, 2")
    with pytest.raises(UsageError, match="not the JSON object of settings"):
        load_classifier(tmp_path)


@pytest.mark.parametrize(
    ("content", "names"),
    [
        ({"class_names": ["a", "b"]}, ("a", "b")),
        ({"hyper_parameters": {"classes": ("a", "b")}}, ("a", "b")),
        ({"class_to_idx": {"b": 0, "a": 1}}, ("b", "a")),
        ({"idx_to_class": {1: "a", 0: "b"}}, ("b", "a")),
        ({"config": {"id2label": {"0": "b", "1": "a"}}}, ("b", "a")),
        ({"meta": {"CLASSES": ("a", "b")}}, ("a", "b")),
        ({"meta": {"dataset_meta": {"classes": ["a", "b"]}}}, ("a", "b")),
        ({"args": Namespace(labels=["a", "b"], classes=2)}, ("a", "b")),
        ({"class_to_idx": {"0": 0, "10": 1, "2": 2}}, ("0", "10", "2")),  # folders sorted as text
        ({"id2label": {"0": "LABEL_0", "1": "LABEL_1"}}, None),
        ({"class_names": ["0", "1"]}, None),
        ({"labels": [0, 1, 1]}, None),
        ({"class_to_idx": {"a": 0, "b": 2}}, None),
        ({"class_names": "ab", "names": {"a": None}}, None),
    ],
)
def test_class_names_of_a_foreign_file(content: Any, names: tuple[str, ...] | None) -> None:
    assert next((found for _, found in class_names_in(said_in(content))), None) == names


def test_class_names_count_only_if_there_is_one_for_each_output(tmp_path: Path) -> None:
    weights = build("resnet8", 3).state_dict()
    torch.save({"model": weights, "classes": ["a", "b"], "args": {"labels": ["x", "y", "z"]}}, tmp_path / "m.pt")
    classifier = load_classifier(tmp_path / "m.pt")
    assert classifier.class_names == ("x", "y", "z")
    assert "class names are those of the file's 'args.labels': x, y, z" in classifier.notes
    torch.save({"model": weights, "classes": ["a", "b"]}, tmp_path / "m.pt")
    classifier = load_classifier(tmp_path / "m.pt")
    assert classifier.class_names is None
    assert "'classes' names 2 classes, but the network has 3 outputs" in "; ".join(classifier.notes)


def test_bgr_networks_take_rgb_pixels(tmp_path: Path) -> None:
    network = build("resnet8", 3).eval()
    torch.save(network.state_dict(), tmp_path / "m.pt")
    mean, std = (0.1, 0.2, 0.3), (0.4, 0.5, 0.6)
    turned = load_classifier(tmp_path / "m.pt", mean=mean, std=std, channels="bgr", device="cpu")
    pixels = torch.rand(2, 3, 32, 32)
    normalised = (pixels - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1)
    with torch.no_grad():
        expected = network(normalised[:, [2, 1, 0]])
        assert torch.allclose(turned.network(pixels), expected, atol=1e-5)
        hand = classifier_of(network, mean=mean, std=std, channels="bgr", size=32, device="cpu")
        assert torch.allclose(hand.network(pixels), expected, atol=1e-5)
    assert turned.preprocessing.channels == hand.preprocessing.channels == "bgr"
    assert turned.preprocessing.key["channels"] == "bgr"
    assert "channels" not in load_classifier(tmp_path / "m.pt").preprocessing.key  # keys of old entries stay
    save_checkpoint(
        tmp_path / "own.pt", network, architecture="resnet8", class_names="abc", data="scenes", training="STD",
        preprocessing=turned.preprocessing, feature_layer="layer3",
    )  # fmt: skip
    assert load_classifier(tmp_path / "own.pt").preprocessing.channels == "bgr"


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"resize": 40}, "give --size as well"),
        ({"size": 40, "resize": 32}, "--size 40 does not fit in images of --resize 32"),
        ({"size": 40, "resize": 0}, "--resize must be at least 1 pixel"),
        ({"channels": "gbr"}, "--channels is rgb or bgr, not 'gbr'"),
    ],
)
def test_flags_that_cannot_be(flags: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=re.escape(words)):
        list(of_flags(**flags))
    assert [source.origin for source in of_flags(size=32, resize=40)] == ["--size, --resize"]
