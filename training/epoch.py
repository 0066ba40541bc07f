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
from training.optimisation import PathOptimizer, freeze_others
from training.progress import Reporter, Row
from training.recipes import Recipe
from training.setup import Setup, half_precision
from training.state import TrainingState

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


def run_epoch(setup: Setup, state: TrainingState, reporter: Reporter) -> Row:
    """One pass over the training images; the test accuracy where it is due.

    Depends on the state, the seed and the epoch's number alone. Raises UsageError for a loss or weights that are no
    numbers any more.
    """
    recipe, device, epoch, began = setup.recipe, setup.device, len(state.rows), time.monotonic()
    path = state.strategy.path(epoch)
    if path == "rest":
        return Row(epoch + 1, path, None, None, _tested(setup, state), density_of(state), 0.0, time.monotonic() - began)
    optimizer = state.optimizers[path]
    freeze_others(state.network.network, optimizer.prefixes)
    seed = setup.identity.seed
    plan = plan_epoch(len(setup.train), seed=seed, epoch=epoch, shift=recipe.data.shift, flip=recipe.data.flip)
    tally, rate = Tally(device), 0.0
    with seeded(mixed_seed(seed, epoch, use=1), device), repeatable():
        stream = batches(setup.train, plan, recipe.optimisation.batch_size, device, recipe.data.shift_fill)
        for made, (images, labels) in enumerate(stream, start=epoch * setup.steps):
            rate = optimizer.set_rate(recipe.optimisation, made / (recipe.optimisation.epochs * setup.steps))
            loss, logits = make_step(setup, state, optimizer, images, labels)
            tally.add(loss, logits, labels)
            if device.type == "cpu" or made % STEPS_BETWEEN_LOOKS == 0:
                averages = tally.averages()
                if not math.isfinite(averages[0]):
                    raise _diverged("the loss", recipe, epoch, rate)
                reporter.step(epoch + 1, made + 1, *averages, density_of(state))
    if not all(bool(values.isfinite().all()) for values in state.network.state_dict().values()):
        raise _diverged("a weight", recipe, epoch, rate)
    tested = _tested(setup, state)
    seconds = time.monotonic() - began
    return Row(epoch + 1, path, *tally.averages(), tested, density_of(state), rate, seconds)


def _tested(setup: Setup, state: TrainingState) -> float | None:
    """The test accuracy after the epoch at hand, where it is due."""
    done, recipe = len(state.rows) + 1, setup.recipe
    due = done % recipe.evaluation.eval_every == 0 or done == recipe.optimisation.epochs
    return accuracy(state.network, setup.test, setup.device) if due else None


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
    setup: Setup, state: TrainingState, optimizer: PathOptimizer, images: Tensor, labels: Tensor
) -> tuple[Tensor, Tensor]:
    """Forward, backward, update of the network, then the strategy's own step. Gives loss and logits."""
    path = state.strategy.path(len(state.rows))
    dtype = half_precision(setup.recipe, setup.device)
    with torch.autocast(setup.device.type, dtype, enabled=dtype is not None):
        loss, logits = state.strategy.loss(path, state.network, images, labels)
    optimizer.optimizer.zero_grad()
    torch.autograd.backward(state.scaler.scale(loss))
    state.scaler.step(optimizer.optimizer)
    state.strategy.after_step(path, state.scaler)
    state.scaler.update()
    return loss, logits


@torch.inference_mode()
def accuracy(network: nn.Module, dataset: Dataset, device: torch.device) -> float:
    """Share of a dataset that the STD path gets right, in eval mode."""
    network.eval()
    correct, labels = 0, dataset.labels.to(device)
    for number, images in enumerate(dataset.batches(EVALUATION_BATCH)):
        pixels = images.to(device).contiguous(memory_format=torch.channels_last).float().div_(255)
        batch_labels = labels[number * EVALUATION_BATCH :][: len(images)]
        correct += int((network(pixels).argmax(1) == batch_labels).sum())
    return correct / len(dataset)


def density_of(state: TrainingState) -> float | None:
    """The gate's L1-density now; None without a gate."""
    return None if state.strategy.gate is None else float(l1_density(state.strategy.gate))


def _diverged(value: str, recipe: Recipe, epoch: int, rate: float) -> UsageError:
    return UsageError(
        f"{value} was no finite number in epoch {epoch + 1}, at learning rate {rate:.3g}; lower --lr "
        f"(now {recipe.optimisation.lr:g}) or, for csg, --csg-lr, --gate-rate (now {recipe.gate.gate_rate:g}) "
        f"and --lambda2 (now {recipe.gate.lambda2:g})."
    )
