"""An attack run, judged and saved shard by shard, against the bare foolbox call on the same images, both in one run."""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path

import foolbox
import numpy as np
import torch

from csg_analyze.inputs.attacks import attacks
from csg_analyze.inputs.blocks import block_size, to_pixels
from csg_analyze.inputs.cache import Cache
from csg_analyze.inputs.forward import forward_pass
from csg_analyze.inputs.network_attacks import NetworkAttacks
from csg_analyze.metrics.adversarial import AttackRun
from csg_analyze.progress import untracked
from tests.benchmarks.bench_forward import interleaved
from tests.examples import classified_dataset, random_classifier

N = 32
EPS = 8 / 255
QUICK = {"pgd_steps": 20, "cw_searches": 2, "cw_steps": 10}
"""Fewer steps than by default: what comes on top of them then weighs more, not less."""
CLASSIFIER = random_classifier("resnet20")
DATA = classified_dataset(CLASSIFIER, N, side=32)
FORWARD = forward_pass(CLASSIFIER, DATA, frozenset(), Cache(None), untracked)


def prepared(folder: Path) -> NetworkAttacks:
    labels = DATA.labels.numpy()
    return attacks(
        CLASSIFIER, DATA, ((CLASSIFIER, DATA),), FORWARD, labels, frozenset(), Cache(folder), untracked, **QUICK
    )


def bare(attack: foolbox.attacks.Attack, targets: torch.Tensor, eps: float | None) -> None:
    """What foolbox's own documentation shows, on batches of the same size."""
    size = block_size(CLASSIFIER.device, *DATA.image_size)
    model = foolbox.PyTorchModel(CLASSIFIER.network, bounds=(0, 1), device="cpu")
    for start in range(0, N, size):
        pixels = to_pixels(DATA.images[start : start + size], CLASSIFIER.device)
        attack(model, pixels, foolbox.criteria.TargetedMisclassification(targets[start : start + size]), epsilons=eps)


def measure(name: str, attack: foolbox.attacks.Attack, eps: float | None, place: Path) -> None:
    """One attack both ways, in turns; every run of ours with an empty cache."""
    folders = (place / str(number) for number in itertools.count())

    def ours() -> AttackRun:
        return prepared(next(folders)).run(name, np.arange(N), eps=EPS, targeted=True, seed=0)

    targets = torch.from_numpy(ours().targets)
    theirs, own = interleaved(lambda: bare(attack, targets, eps), ours)
    print(f"  {name:<5} bare foolbox {theirs:7.3f} s   run, judged and saved {own:7.3f} s   "
          f"ratio {own / theirs:.3f} (target 1.05)")  # fmt: skip


def main() -> None:
    print(f"attacks, resnet20, {N} images of 32x32, {torch.get_num_threads()} threads, medians")
    fgsm = foolbox.attacks.LinfPGD(steps=1, rel_stepsize=1.0, random_start=False)
    pgd = foolbox.attacks.LinfPGD(steps=QUICK["pgd_steps"], rel_stepsize=0.25)
    cw = foolbox.attacks.L2CarliniWagnerAttack(QUICK["cw_searches"], QUICK["cw_steps"], abort_early=False)
    with tempfile.TemporaryDirectory() as place:
        measure("fgsm", fgsm, EPS, Path(place) / "fgsm")
        measure("pgd", pgd, EPS, Path(place) / "pgd")
        measure("cw", cw, None, Path(place) / "cw")


if __name__ == "__main__":
    main()
