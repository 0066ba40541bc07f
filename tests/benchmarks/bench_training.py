"""What the gate costs: `python -m tests.benchmarks.bench_training`.

A step on the CSG path, and one on both paths (joint), over a step on the STD path; ResNet-20, batches of 128 random
32x32 images. The three are interleaved, so that whatever else the machine does falls on all of them alike; the ratio
is the median over rounds of the times within one round.
"""

from __future__ import annotations

import time
from statistics import median
from typing import Literal

import torch

from tests.examples import random_dataset
from training.augment import batches, plan_epoch
from training.epoch import make_step
from training.fields import Network, Optimisation
from training.optimisation import freeze_others
from training.recipes import Recipe, changed
from training.setup import Setup, begin, prepare
from training.state import TrainingState

BATCH, ROUNDS, SECONDS = 128, 60, 75.0
TARGET = 1.03


def prepared(training: Literal["std", "csg"], recipe: Recipe) -> tuple[Setup, TrainingState]:
    """A run at its beginning."""
    data = random_dataset(4 * BATCH), random_dataset(10)
    setup = prepare(recipe, training, data, seed=0, start=None, device=torch.device("cpu"))
    state = begin(setup)
    freeze_others(state.network.network, ())
    return setup, state


def seconds_a_step(setup: Setup, state: TrainingState, images: torch.Tensor, labels: torch.Tensor) -> float:
    """The time of one step of the run's first epoch's path."""
    optimizer = state.optimizers[state.strategy.path(0)]
    start = time.perf_counter()
    make_step(setup, state, optimizer, images, labels)
    return time.perf_counter() - start


def main() -> None:
    """Print the ratios."""
    optimisation = Optimisation(epochs=1, batch_size=BATCH, lr=0.01)
    common = Recipe("bench", Network("resnet20"), optimisation=optimisation)
    csg, joint = changed(common, period=1, csg_epochs=1), changed(common, scheme="joint")
    runs = {"STD": prepared("std", common), "CSG": prepared("csg", csg), "joint": prepared("csg", joint)}
    plan = plan_epoch(4 * BATCH, seed=0, epoch=0, shift=4, flip=True)
    batch = next(batches(runs["STD"][0].train, plan, BATCH, torch.device("cpu")))
    times: dict[str, list[float]] = {name: [] for name in runs}
    began = time.perf_counter()
    for number in range(-3, ROUNDS):  # three to warm up
        if time.perf_counter() - began > SECONDS:
            break
        order = list(runs) if number % 2 else list(reversed(runs))
        for name in order:
            taken = seconds_a_step(*runs[name], *batch)
            if number >= 0:
                times[name].append(taken)
    std = times["STD"]
    print(f"training step, ResNet-20, batch {BATCH}, {torch.get_num_threads()} thread(s), {len(std)} rounds")
    print(f"  STD    {1000 * median(std):.0f} ms")
    for name in ("CSG", "joint"):
        ratio = median(one / other for one, other in zip(times[name], std, strict=True))
        verdict = "" if ratio <= TARGET else "  <-- above the target"
        print(f"  {name:<6} {1000 * median(times[name]):.0f} ms, {ratio:.3f} of STD (target {TARGET}){verdict}")


if __name__ == "__main__":
    main()
