"""An STD epoch against the way most people train CIFAR: `python -m tests.benchmarks.bench_epochs`.

The other way is a plain PyTorch loop with torchvision's dataset of PIL images, its transforms and a DataLoader with a
worker a core. Both train the same ResNet-20 with the same optimizer on the same images, a few hundred steps in turns;
the ratio is the median over rounds of the images a second within one round.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from statistics import median

import torch
import torch.nn.functional as F
from PIL import Image
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset
from torchvision import transforms

from csg_analyze.data import Dataset
from csg_analyze.models import build
from tests.examples import random_dataset
from training.epoch import run_epoch
from training.fields import Evaluation, Network, Optimisation
from training.progress import Silent
from training.recipes import Recipe
from training.setup import begin, prepare

N, BATCH, ROUNDS, SECONDS = 4096, 128, 7, 150.0
TARGET = 1.5
MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)


class PilImages(TorchDataset[tuple[torch.Tensor, int]]):
    """What torchvision.datasets.CIFAR10 does for every image."""

    def __init__(self, data: Dataset) -> None:
        self.data = data.images[:].permute(0, 2, 3, 1).numpy()
        self.targets = data.labels.tolist()
        self.transform = transforms.Compose(
            [
                transforms.RandomCrop(32, padding=4),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize(MEAN, STD),
            ]
        )

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        return self.transform(Image.fromarray(self.data[index])), self.targets[index]


def plain_loop(data: Dataset) -> Callable[[], object]:
    """An epoch of the plain loop."""
    network = build("resnet20", 10).train()
    optimizer = torch.optim.SGD(network.parameters(), 0.01, momentum=0.9, weight_decay=5e-4, nesterov=True)
    loader = DataLoader(PilImages(data), BATCH, shuffle=True, num_workers=os.cpu_count() or 1)

    def epoch() -> None:
        running = 0.0
        for images, labels in loader:
            optimizer.zero_grad()
            loss = F.cross_entropy(network(images), labels)
            loss.backward()
            optimizer.step()
            running += loss.item()

    return epoch


def our_epoch(data: Dataset) -> Callable[[], object]:
    """An epoch of csg-train; the ten test images cost nothing."""
    optimisation = Optimisation(epochs=1000, batch_size=BATCH, lr=0.01, schedule="constant")
    recipe = Recipe("bench", Network("resnet20"), optimisation=optimisation, evaluation=Evaluation(eval_every=1000))
    setup = prepare(recipe, "std", (data, random_dataset(10)), seed=0, start=None, device=torch.device("cpu"))
    state = begin(setup)
    return lambda: state.rows.append(run_epoch(setup, state, Silent()))


def main() -> None:
    """Print images/s of both and their ratio."""
    data = random_dataset(N)
    ways = {"plain loop": plain_loop(data), "csg-train": our_epoch(data)}
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for way in ways.values():
        way()  # threads, memory and workers warm up
    began = time.perf_counter()
    for number in range(ROUNDS):
        if number and time.perf_counter() - began > SECONDS:
            break
        for name in list(ways) if number % 2 else list(reversed(ways)):
            start = time.perf_counter()
            ways[name]()
            rates[name].append(N / (time.perf_counter() - start))
    plain, ours = rates.values()
    ratio = median(one / other for one, other in zip(ours, plain, strict=True))
    verdict = "" if ratio >= TARGET else "  <-- below the target"
    print(f"STD epoch, ResNet-20, {N} images, batch {BATCH}, {torch.get_num_threads()} thread(s), {len(ours)} rounds")
    for name, each in rates.items():
        print(f"  {name:<11} {median(each):6.0f} images/s")
    print(f"  ratio {ratio:.2f} (target {TARGET}){verdict}")


if __name__ == "__main__":
    main()
