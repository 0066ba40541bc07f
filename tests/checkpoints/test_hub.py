"""Networks of timm and of transformers, which are optional libraries."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torchvision.models import VisionTransformer
from torchvision.models.vision_transformer import interpolate_embeddings

from csg_analyze.checkpoints import Classifier, load_classifier
from csg_analyze.checkpoints.skeletons import skeleton
from csg_analyze.errors import UsageError
from csg_analyze.models import build, is_for, option_of_size, scaled
from tests.checkpoints.forms_hub import NAMES, TINY, timm_folder

HOW: dict[str, Any] = {"mean": (0, 0, 0), "std": (1, 1, 1), "device": "cpu"}
VIT = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32, "image_size": 32,
       "patch_size": 8}  # fmt: skip
SWIN = {"embed_dim": 8, "depths": [1, 1], "num_heads": [1, 2], "window_size": 4, "image_size": 32}
STAGES = {"num_stages": 2, "hidden_sizes": [8, 16], "depths": [1, 1]}
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "ViTForImageClassification": ("vit", VIT),
    "DeiTForImageClassification": ("deit", VIT),
    "DeiTForImageClassificationWithTeacher": ("deit", VIT),
    "BeitForImageClassification": ("beit", VIT),
    "Dinov2ForImageClassification": ("dinov2", VIT),
    "SwinForImageClassification": ("swin", SWIN),
    "Swinv2ForImageClassification": ("swinv2", SWIN),
    "ConvNextForImageClassification": ("convnext", STAGES),
    "ConvNextV2ForImageClassification": ("convnextv2", STAGES),
    "ResNetForImageClassification": ("resnet", TINY),
    "RegNetForImageClassification": ("regnet", {**TINY, "layer_type": "x", "groups_width": 8}),
    "EfficientNetForImageClassification": (
        "efficientnet", {"width_coefficient": 0.1, "depth_coefficient": 0.1, "image_size": 64, "hidden_dim": 128},
    ),
    "MobileNetV2ForImageClassification": ("mobilenet_v2", {"depth_multiplier": 0.1, "image_size": 64}),
    "MobileViTForImageClassification": (
        "mobilevit",
        {"hidden_sizes": [8, 12, 16], "neck_hidden_sizes": [8, 8, 8, 8, 8, 8, 16], "image_size": 64},
    ),
}  # fmt: skip


def pixels(side: int) -> Tensor:
    return torch.rand(2, 3, side, side, generator=torch.Generator().manual_seed(0))


def logits(network: nn.Module, images: Tensor, **options: Any) -> Tensor:
    with torch.no_grad():
        output = network(images, **options)
    return getattr(output, "logits", output)  # type: ignore[no-any-return]


def saved_by_transformers(kind: str, folder: Path, **changes: Any) -> nn.Module:
    """The network of a folder that was written there, as the library itself loads it."""
    import transformers

    model_type, settings = KINDS[kind]
    config = transformers.AutoConfig.for_model(
        model_type, **{**settings, "id2label": dict(enumerate(NAMES)), **changes}
    )
    made = getattr(transformers, kind)(config)
    for tensor in (*made.parameters(), *made.buffers()):
        if tensor.is_floating_point():
            tensor.data += torch.rand(tensor.shape) / 10  # no bias, scale or running mean as it was
    made.save_pretrained(folder)
    loaded: nn.Module = getattr(transformers, kind).from_pretrained(folder, local_files_only=True)
    return loaded.eval()


@pytest.mark.parametrize("kind", KINDS)
def test_a_folder_of_transformers_gives_the_logits_of_the_library(kind: str, tmp_path: Path) -> None:
    network = saved_by_transformers(kind, tmp_path)
    classifier = load_classifier(tmp_path, **HOW)
    side = getattr(network.config, "image_size", None)
    expected = logits(network, pixels(side or 48))
    assert torch.allclose(classifier.network(pixels(side or 48)), expected, atol=1e-5 * float(expected.abs().max()))
    assert (classifier.architecture, classifier.class_names) == (kind, tuple(NAMES))
    assert classifier.preprocessing.size == side
    assert {name for name, _ in classifier.network.network.named_modules()} == {n for n, _ in network.named_modules()}


def test_position_embeddings_are_interpolated_as_the_library_does(tmp_path: Path) -> None:
    network = saved_by_transformers("ViTForImageClassification", tmp_path)
    classifier = load_classifier(tmp_path, size=48, **HOW)
    expected = logits(network, pixels(48), interpolate_pos_encoding=True)
    assert torch.allclose(classifier.network(pixels(48)), expected, atol=1e-5)
    assert classifier.preprocessing.size == 48


def test_the_config_of_a_folder_builds_for_a_file_elsewhere(tmp_path: Path) -> None:
    network = saved_by_transformers("ResNetForImageClassification", tmp_path / "hub")
    torch.save({"model": {f"module.{name}": t for name, t in network.state_dict().items()}}, tmp_path / "best.pth")
    classifier = load_classifier(tmp_path / "best.pth", architecture=f"hf:{tmp_path / 'hub'}", **HOW)
    assert torch.allclose(classifier.network(pixels(48)), logits(network, pixels(48)), atol=1e-5)
    with pytest.raises(UsageError, match=r"needs a folder here with a config.json of transformers; nothing is down"):
        load_classifier(tmp_path / "best.pth", architecture="hf:facebook/convnext-tiny")
    with pytest.raises(UsageError, match=r"--arch-option is for"):
        load_classifier(tmp_path / "best.pth", architecture=f"hf:{tmp_path / 'hub'}", arch_options={"a": 1})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"architectures": ["ViTModel"], "model_type": "vit"}, "ViTModel is no image classifier; give the folder of"),
        ({"architectures": ["BertForMaskedLM"], "model_type": "bert"}, "BertForMaskedLM is no image classifier"),
        ({"model_type": "of_tomorrow"}, "it has no networks of type 'of_tomorrow'"),
        ({"quantization_config": {"bits": 4}}, "the weights are quantised"),
        ({"depths": [1, 3]}, r"20 weights are missing \(resnet.encoder.stages.1.layers.1"),
        ({"hidden_sizes": [8, 24]}, r"has shape \(4, 16\) instead of \(4, 24\)|has another shape"),
        ({"hidden_sizes": "many"}, "transformers does not build ResNetForImageClassification by config.json"),
    ],
)
def test_what_a_config_cannot_build_is_said_in_one_sentence(
    changes: dict[str, Any], words: str, tmp_path: Path
) -> None:
    saved_by_transformers("ResNetForImageClassification", tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | changes))
    with pytest.raises(UsageError, match=words) as caught:
        load_classifier(tmp_path, **HOW)
    assert "\n" not in str(caught.value)
    assert str(tmp_path) in str(caught.value)


def test_what_the_network_lacks_is_named(tmp_path: Path) -> None:
    saved_by_transformers("ResNetForImageClassification", tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    save_file({**weights, "projector.weight": torch.zeros(3, 3)}, tmp_path / "model.safetensors")
    notes = load_classifier(tmp_path, **HOW).notes
    assert "ignored, as no part of the network: projector.weight" in notes


def test_nothing_that_a_config_names_is_fetched_or_run(tmp_path: Path) -> None:
    saved_by_transformers("ResNetForImageClassification", tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    config |= {"auto_map": {"AutoModelForImageClassification": "code.Net"}, "_attn_implementation": "some/kernel"}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "code.py").write_text("raise SystemExit(3)")
    assert load_classifier(tmp_path, **HOW).architecture == "ResNetForImageClassification"


def of_timm(name: str, folder: Path, **options: Any) -> tuple[nn.Module, Path]:
    network = build(f"timm:{name}", 4, **options).eval()
    torch.save({"state_dict": network.state_dict()}, folder / "w.pth")
    return network, folder / "w.pth"


def agrees(classifier: Classifier, network: nn.Module, side: int) -> bool:
    found = classifier.network(pixels(side))
    return torch.allclose(found, logits(network, pixels(side)), atol=1e-5)


def test_a_folder_of_timm_gives_the_logits_of_the_library(tmp_path: Path) -> None:
    import timm

    built_with = {"img_size": 96, "global_pool": "avg"}
    network = build("timm:test_vit", 4, **built_with).eval()
    timm_folder(safe=True, **built_with)(network, tmp_path)
    classifier = load_classifier(tmp_path, **HOW)
    theirs = timm.create_model(f"local-dir:{tmp_path}", pretrained=True).eval()
    assert agrees(classifier, theirs, 96)
    assert agrees(classifier, network, 96)
    assert (classifier.architecture, classifier.preprocessing.size) == ("timm:test_vit", 96)
    assert (classifier.class_names, classifier.head) == (tuple(NAMES), "head")
    assert classifier.code is not None


def test_names_of_another_number_of_classes_are_left_out(tmp_path: Path) -> None:
    timm_folder(safe=False)(build("timm:test_resnet", 4), tmp_path)
    torch.save(build("timm:test_resnet", 7).state_dict(), tmp_path / "pytorch_model.bin")
    classifier = load_classifier(tmp_path, **HOW)
    assert (classifier.n_classes, classifier.class_names) == (7, None)
    assert any("names 4 classes, but the network has 7 outputs: not used" in note for note in classifier.notes)


@pytest.mark.parametrize(("trained_at", "size"), [(160, None), (160, 160), (160, 96), (96, 96)])
def test_a_vit_is_built_for_the_size_or_scaled_to_it(trained_at: int, size: int | None, tmp_path: Path) -> None:
    network, path = of_timm("test_vit", tmp_path, img_size=trained_at)
    classifier = load_classifier(path, architecture="timm:test_vit", size=size, **HOW)
    side = size or 160
    if side != trained_at:
        network.set_input_size(img_size=side)  # type: ignore[operator]
        assert "the network was scaled to 96x96 images (position embeddings interpolated)" in classifier.notes
    assert classifier.preprocessing.size == side
    assert agrees(classifier, network, side)


def test_a_vit_of_another_size_is_refused_with_the_flag_that_helps(tmp_path: Path) -> None:
    _, path = of_timm("test_vit", tmp_path, img_size=96)
    with pytest.raises(UsageError, match=r"'pos_embed' has shape \(1, 37, 64\).*; check --arch or --size"):
        load_classifier(path, architecture="timm:test_vit")


@pytest.mark.parametrize("trained_at", [64, 96])
def test_the_vit_of_torchvision_is_scaled_as_the_library_does(trained_at: int) -> None:
    shape = {"patch_size": 32, "num_layers": 1, "num_heads": 1, "hidden_dim": 8, "mlp_dim": 8, "num_classes": 4}
    state = VisionTransformer(image_size=trained_at, **shape).state_dict()
    network = VisionTransformer(image_size=trained_at, **shape).eval()
    network.load_state_dict(state)
    expected = VisionTransformer(image_size=96, **shape).eval()
    expected.load_state_dict(interpolate_embeddings(96, 32, state))
    assert torch.allclose(logits(scaled(network, 96), pixels(96)), logits(expected, pixels(96)), atol=1e-6)
    with pytest.raises(UsageError, match="cannot be scaled to 97x97 images: its patches have 32x32 pixels"):
        scaled(network, 97)
    with pytest.raises(UsageError, match="its library scales no such network; leave --size out"):
        scaled(nn.Flatten(), 96)


def test_networks_of_one_size_are_built_for_it() -> None:
    assert skeleton("vit_b_32", option_of_size("vit_b_32", 96)).shapes["encoder.pos_embedding"] == (1, 10, 768)
    assert skeleton("maxvit_t", option_of_size("maxvit_t", 448)).head
    assert option_of_size("resnet18", 96) == option_of_size("timm:resnet26", 96) == {}
    assert is_for("timm:test_vit", {"img_size": [96, 96]}, 96)
    assert not is_for("timm:test_vit", {}, 96)


def test_options_of_a_library_s_network(tmp_path: Path) -> None:
    network, path = of_timm("test_resnet", tmp_path, output_stride=16)
    options = {"output_stride": 16}
    classifier = load_classifier(path, architecture="timm:test_resnet", arch_options=options, **HOW)
    plain = load_classifier(path, architecture="timm:test_resnet", **HOW)
    assert agrees(classifier, network, 64)
    assert not agrees(plain, network, 64)
    assert classifier.code != plain.code  # the same weights, another function


@pytest.mark.parametrize(
    ("architecture", "options", "words"),
    [
        ("timm:reznet26", {}, "unknown network of timm 'reznet26'; did you mean 'resnet26'"),
        ("timm:resnet26.never", {}, "timm does not build 'resnet26.never' with no options: Invalid pretrained tag"),
        ("timm:resnet26", {"depth": 1}, "does not build 'resnet26' with depth=1: .* unexpected keyword argument"),
        ("timm:resnet26", {"pretrained": True}, "'pretrained' is no option of timm's network 'resnet26'"),
        ("resnet18", {"depth": 1}, "torchvision does not build 'resnet18' with depth=1"),
        ("vit_b_32", {"image_size": 97}, "with image_size=97: Input shape indivisible by patch size."),
        ("resnet8", {"depth": 1}, "'resnet8' takes no options, such as 'depth'"),
    ],
)
def test_what_cannot_be_built_is_said(architecture: str, options: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        build(architecture, 4, **options)


def test_an_encoder_without_a_head_is_no_classifier(tmp_path: Path) -> None:
    torch.save({"patch_embed.proj.weight": torch.zeros(3, 3, 3, 3)}, tmp_path / "w.pth")
    with pytest.raises(UsageError, match="'timm:mobilenetv5_300m_enc' has no head that gives logits"):
        load_classifier(tmp_path / "w.pth", architecture="timm:mobilenetv5_300m_enc")


def without(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if it were not installed."""
    for name in [name for name in sys.modules if name.split(".")[0] == library]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, library, None)


def test_a_missing_library_is_named_in_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network, path = of_timm("test_resnet", tmp_path)
    torch.save(network, tmp_path / "whole.pt")
    torch.save(network, tmp_path / "legacy.pt", _use_new_zipfile_serialization=False)
    timm_folder(safe=True)(network, tmp_path / "timm")
    saved_by_transformers("ResNetForImageClassification", tmp_path / "hf")
    for library in ("timm", "transformers"):
        without(library, monkeypatch)
    install = r'is not installed: pip install "csg-analyze\[hub\]"'
    with pytest.raises(UsageError, match="architecture timm:test_resnet needs timm, which " + install):
        load_classifier(path, architecture="timm:test_resnet")
    with pytest.raises(UsageError, match="architecture timm:test_resnet needs timm, which " + install):
        load_classifier(tmp_path / "timm")
    with pytest.raises(UsageError, match=r"of type 'resnet' \(config.json\) needs transformers, which " + install):
        load_classifier(tmp_path / "hf")
    for name in ("whole.pt", "legacy.pt"):
        with pytest.raises(UsageError, match="holds a module of timm, which " + install):
            load_classifier(tmp_path / name, allow_pickle=True)
        with pytest.raises(UsageError, match=r"holds Python objects \(timm.models.resnet.ResNet.*--allow-pickle"):
            load_classifier(tmp_path / name)
