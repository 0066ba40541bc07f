"""GradMap's gradients of 30 filters an image: one forward pass, the repeated input, captum filter by filter.

Every way runs in a process of its own, on one thread, so that its CPU time and its largest memory are its own.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from csg_analyze.checkpoints import Classifier, PixelNetwork
from csg_analyze.inputs.attribution import captum_gradients, filter_gradients
from csg_analyze.inputs.blocks import block_size
from csg_analyze.models import build, find_layers
from tests.examples import HALF, random_classifier

IMAGES, SIDE, FILTERS, REPEATS = 8, 128, 30, 3
ARCHITECTURE = "resnet18"


def resnet18() -> Classifier:
    torch.manual_seed(0)
    bare = build(ARCHITECTURE, 10)
    feature_layer, head = find_layers(bare, torch.zeros(1, 3, SIDE, SIDE))
    network = PixelNetwork(bare, HALF).eval().requires_grad_(False).to(memory_format=torch.channels_last)
    return replace(
        random_classifier(), network=network, architecture=ARCHITECTURE, feature_layer=feature_layer, head=head
    )


def ours(classifier: Classifier, pixels: Tensor, filters: Sequence[int]) -> Tensor:
    """As `localize` runs it: the images of a block in one graph."""
    at_once = block_size(classifier.device, SIDE, SIDE)
    return torch.cat([filter_gradients(classifier, part, filters) for part in pixels.split(at_once)])


def repeated(classifier: Classifier, pixels: Tensor, filters: Sequence[int]) -> Tensor:
    """The authors' way: the input once a filter, all in one batch, and one backward pass."""
    copies = pixels.repeat_interleave(len(filters), dim=0).requires_grad_()
    output: list[Tensor] = []
    handle = classifier.layer().register_forward_hook(lambda m, i, o: output.append(o.clone()))
    classifier.network(copies)
    handle.remove()
    pooled = output[0].mean((2, 3))
    rows = torch.arange(len(copies))
    wanted = torch.tensor(filters).repeat(len(pixels))
    (gradient,) = torch.autograd.grad(pooled[rows, wanted].sum(), copies)
    return torch.linalg.vector_norm(gradient, dim=1).reshape(len(pixels), len(filters), SIDE, SIDE)


WAYS: dict[str, Callable[[Classifier, Tensor, Sequence[int]], Tensor]] = {
    "one forward pass (ours)": ours,
    "repeated input": repeated,
    "captum's NeuronGradient": captum_gradients,
}


def measure(name: str) -> None:
    """Print CPU seconds a run, the largest memory in MB beyond what was there before, and a checksum."""
    torch.set_num_threads(1)
    classifier = resnet18()
    pixels = torch.rand(IMAGES, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    pixels = pixels.contiguous(memory_format=torch.channels_last)
    WAYS[name](classifier, pixels[:1], range(2))  # what is set up once is not counted
    before = resource.getrusage(resource.RUSAGE_SELF)
    for _ in range(REPEATS):
        found = WAYS[name](classifier, pixels, range(FILTERS))
    after = resource.getrusage(resource.RUSAGE_SELF)
    seconds = (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / REPEATS
    print(f"{seconds} {(after.ru_maxrss - before.ru_maxrss) / 1024} {found.double().sum().item()}")


def main() -> None:
    print(f"gradients of {FILTERS} filters on {IMAGES} images of {SIDE}x{SIDE}, {ARCHITECTURE}, one thread")
    rows = {}
    for name in WAYS:
        command = [sys.executable, "-m", "tests.benchmarks.bench_gradmap", "--way", name]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        rows[name] = [float(word) for word in done.stdout.split()]
    best = rows["one forward pass (ours)"]
    for name, (seconds, memory, total) in rows.items():
        apart = abs(total - best[2]) / best[2]
        ratios = f"ours takes {best[0] / seconds:.2f} of its time, {best[1] / memory:.2f} of its memory"
        print(f"  {name:<25} {seconds:7.2f} CPU s {memory:8.0f} MB   {ratios}   sums apart by {apart:.0e}")
    print("  (targets: at most 0.6 of the time of either, and less memory)")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--way", choices=list(WAYS))
    way = parser.parse_args().way
    if way:
        measure(way)
    else:
        main()
