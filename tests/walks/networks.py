"""All networks of a library through `classifier_of`, `inspect` and `mis`: random weights, a few noise images.

`python -m tests.walks.networks torchvision|timm [BEGINNINGS OF NAMES ...]` prints a row of a Markdown table for each.
It is no part of the tests: the largest networks take minutes and some 10 GiB of memory, which is freed after each.
"""

from __future__ import annotations

import gc
import sys
import time
import warnings
from collections.abc import Callable
from importlib import import_module
from typing import Any

import torch
from torch import nn

from csg_analyze.analysis import analyze
from csg_analyze.checkpoints import classifier_of
from csg_analyze.checkpoints.description import describe
from csg_analyze.data import Dataset
from tests.examples import NAMES

N_CLASSES, N_IMAGES = 4, 8
ROWS = "| network | size | feature layer | K | head | what the head reads | MIS | seconds |"
OF_TIMM = (
    "beit_base_patch16_224", "cait_xxs24_224", "caformer_s18", "coat_lite_tiny", "coatnet_0_rw_224", "convmixer_768_32",
    "convnext_tiny", "convnextv2_atto", "crossvit_tiny_240", "cspresnet50", "davit_tiny", "deit3_small_patch16_224",
    "deit_tiny_distilled_patch16_224", "densenet121", "dla34", "edgenext_xx_small", "efficientformer_l1",
    "efficientnet_b0", "eva02_tiny_patch14_224", "fastvit_t8", "gcvit_xxtiny", "ghostnet_100", "hiera_tiny_224",
    "hrnet_w18_small", "levit_128s", "maxvit_rmlp_nano_rw_256", "mixer_s16_224", "mobilenetv3_large_100",
    "mobilevit_xs", "mvitv2_tiny", "nfnet_l0", "pit_ti_224", "poolformer_s12", "pvt_v2_b0", "regnety_004", "repvgg_a0",
    "resnet26", "sequencer2d_s", "swin_tiny_patch4_window7_224", "swinv2_tiny_window8_256", "tiny_vit_5m_224",
    "vit_tiny_patch16_224", "vit_tiny_r_s16_p8_224", "volo_d1_224", "xception41", "xcit_nano_12_p16_224",
)  # fmt: skip


def of_torchvision() -> dict[str, tuple[Callable[[], nn.Module], int]]:
    """Name -> how to build it, and the size of images of its first weights: all classification networks."""
    import torchvision.models
    from torchvision.models import get_model, get_model_weights, list_models

    def builder(name: str) -> Callable[[], nn.Module]:
        auxiliary = {"aux_logits": False, "init_weights": False} if name in ("googlenet", "inception_v3") else {}
        return lambda: get_model(name, weights=None, num_classes=N_CLASSES, **auxiliary)

    names = list_models(module=torchvision.models)
    return {name: (builder(name), next(iter(get_model_weights(name))).transforms().crop_size[0]) for name in names}


def of_timm() -> dict[str, tuple[Callable[[], nn.Module], int]]:
    """The same of OF_TIMM, networks of different families."""
    timm: Any = import_module("timm")  # an optional extra

    def builder(name: str) -> Callable[[], nn.Module]:
        return lambda: timm.create_model(name, pretrained=False, num_classes=N_CLASSES)

    return {name: (builder(name), timm.models.get_pretrained_cfg(name).input_size[1]) for name in OF_TIMM}


def noise(size: int) -> Dataset:
    """Images of noise with labels in turn."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (N_IMAGES, 3, size, size), dtype=torch.uint8, generator=generator)
    ids = tuple(f"noise-{i}" for i in range(N_IMAGES))
    labels = torch.arange(N_IMAGES) % N_CLASSES
    return Dataset("noise", "test", images, labels, NAMES[:N_CLASSES], ids, f"noise-{size}")


def row(name: str, build: Callable[[], nn.Module], size: int) -> str:
    """The network's row; an error is its outcome."""
    torch.manual_seed(0)
    start = time.perf_counter()
    try:
        classifier = classifier_of(build(), size=size, name=name)
        describe(classifier)
        report = analyze(classifier, noise(size), ["mis"])
        mis = report.results["mis"].summary["mis"] if report.results else report.skipped["mis"]
        read = classifier.head_input.sentence if classifier.head_input else ""
        cells = [classifier.feature_layer, classifier.n_filters, classifier.head, read, f"{mis:.3f}"]
    except Exception as error:  # the table is to go on
        cells = ["", "", "", f"{type(error).__name__}: {error}", ""]
    seconds = f"{time.perf_counter() - start:.1f}"
    return f"| {' | '.join(str(cell) for cell in (name, size, *cells, seconds))} |"


def main(library: str, *beginnings: str) -> None:
    """Print the table. beginnings: of the names of networks; none: all."""
    warnings.simplefilter("ignore")
    print(ROWS, "|---" * 8 + "|", sep="\n", flush=True)
    for name, (build, size) in {"torchvision": of_torchvision, "timm": of_timm}[library]().items():
        if name.startswith(beginnings or ("",)):
            print(row(name, build, size), flush=True)
            gc.collect()


if __name__ == "__main__":
    main(*sys.argv[1:])
