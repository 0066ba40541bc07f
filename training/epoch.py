"""One epoch: the steps of Algorithm 1 over the training images, and the accuracy on the test images."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from csg_analyze.data import Dataset
from csg_analyze.errors import UsageError
from training.augment import batches, mixed_seed, plan_epoch, seeded
from training.gate import l1_density
from training.optimisation import Optimisation, freeze_others
from training.progress import Reporter, Row
from training.recipes import Recipe
from training.setting import Setting, half_precision
from training.state import Run

EVALUATION_BATCH = 500
STEPS_BETWEEN_LOOKS = 10  # on an accelerator reading the loss waits for the step; on a CPU it costs nothing


class Tally:
    """Loss and accuracy of an epoch so far, averaged over images, added up on the device."""

    def __init__(self, device: torch.device) -> None:
        self.sums = torch.zeros(3, dtype=torch.float32 if device.type == "mps" else torch.float64, device=device)

    def add(self, loss: Tensor, logits: Tensor, labels: Tensor) -> None:
        """Count one step: its loss, a scalar, its logits (N, C), its labels (N,)."""
        correct = (logits.detach().argmax(1) == labels).sum()
        n = torch.full_like(correct, len(labels))
        self.sums += torch.stack([loss.detach().float() * len(labels), correct.float(), n.float()])

    def averages(self) -> tuple[float, float]:
        """(loss, accuracy)."""
        loss, correct, n = self.sums.tolist()
        return loss / n, correct / n


def run_epoch(setting: Setting, run: Run, reporter: Reporter) -> Row:
    """One pass over the training images; the test accuracy where it is due.

    Depends on the run, the seed and the epoch's number alone. Raises UsageError for a loss or weights that are no
    numbers any more.
    """
    recipe, device, epoch, began = setting.recipe, setting.device, len(run.rows), time.monotonic()
    path = run.strategy.path(epoch)
    if path == "rest":
        return Row(epoch + 1, path, None, None, _tested(setting, run), density_of(run), 0.0, time.monotonic() - began)
    optimisation = run.optimisations[path]
    freeze_others(run.network.network, optimisation.prefixes)
    plan = plan_epoch(len(setting.train), seed=setting.seed, epoch=epoch, shift=recipe.shift, flip=recipe.flip)
    tally, rate = Tally(device), 0.0
    with seeded(mixed_seed(setting.seed, epoch, use=1), device), repeatable():
        stream = batches(setting.train, plan, recipe.batch_size, device, recipe.shift_fill)
        for made, (images, labels) in enumerate(stream, start=epoch * setting.steps):
            rate = optimisation.set_rate(recipe, made / (recipe.epochs * setting.steps))
            loss, logits = make_step(setting, run, optimisation, images, labels)
            tally.add(loss, logits, labels)
            if device.type == "cpu" or made % STEPS_BETWEEN_LOOKS == 0:
                averages = tally.averages()
                if not math.isfinite(averages[0]):
                    raise _diverged("the loss", recipe, epoch, rate)
                reporter.step(epoch + 1, made + 1, *averages, density_of(run))
    if not all(bool(values.isfinite().all()) for values in run.network.state_dict().values()):
        raise _diverged("a weight", recipe, epoch, rate)
    tested = _tested(setting, run)
    seconds = time.monotonic() - began
    return Row(epoch + 1, path, *tally.averages(), tested, density_of(run), rate, seconds)


def _tested(setting: Setting, run: Run) -> float | None:
    """The test accuracy after the epoch at hand, where it is due."""
    done, recipe = len(run.rows) + 1, setting.recipe
    due = done % recipe.eval_every == 0 or done == recipe.epochs
    return accuracy(run.network, setting.test, setting.device) if due else None


@contextmanager
def repeatable() -> Iterator[None]:
    """Within it, cuDNN keeps to algorithms that give the same bits every time: a resumed run depends on it."""
    before = torch.backends.cudnn.deterministic
    torch.backends.cudnn.deterministic = True
    try:
        yield
    finally:
        torch.backends.cudnn.deterministic = before


def make_step(
    setting: Setting, run: Run, optimisation: Optimisation, images: Tensor, labels: Tensor
) -> tuple[Tensor, Tensor]:
    """Forward, backward, update of the network, then what the strategy does after a step. Gives loss and logits."""
    path = run.strategy.path(len(run.rows))
    dtype = half_precision(setting.recipe, setting.device)
    with torch.autocast(setting.device.type, dtype, enabled=dtype is not None):
        loss, logits = run.strategy.loss(path, run.network, images, labels)
    optimisation.optimizer.zero_grad()
    torch.autograd.backward(run.scaler.scale(loss))
    run.scaler.step(optimisation.optimizer)
    run.strategy.after_step(path, run.scaler)
    run.scaler.update()
    return loss, logits


@torch.inference_mode()
def accuracy(network: nn.Module, dataset: Dataset, device: torch.device) -> float:
    """Share of a dataset that the STD path gets right, in eval mode."""
    network.eval()
    correct, labels = 0, dataset.labels.to(device)
    for number, images in enumerate(dataset.batches(EVALUATION_BATCH)):
        pixels = images.to(device).contiguous(memory_format=torch.channels_last).float().div_(255)
        wanted = labels[number * EVALUATION_BATCH :][: len(images)]
        correct += int((network(pixels).argmax(1) == wanted).sum())
    return correct / len(dataset)


def density_of(run: Run) -> float | None:
    """The gate's L1-density now; None without a gate."""
    return None if run.strategy.gate is None else float(l1_density(run.strategy.gate))


def _diverged(what: str, recipe: Recipe, epoch: int, rate: float) -> UsageError:
    return UsageError(
        f"{what} was no finite number in epoch {epoch + 1}, at learning rate {rate:.3g}; lower --lr "
        f"(now {recipe.lr:g}) or, for csg, --csg-lr, --gate-rate (now {recipe.gate_rate:g}) "
        f"and --lambda2 (now {recipe.lambda2:g})."
    )
