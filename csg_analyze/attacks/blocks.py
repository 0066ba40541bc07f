"""One block of images attacked in one call of foolbox, and random numbers that do not know of the block."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from csg_analyze.attacks.catalogue import Attack
from csg_analyze.attacks.rescaling import Rescaled, log_odds

Loss: TypeAlias = Callable[[nn.Module, Tensor, Tensor], Tensor]
"""From the network as attacked, images (n, 3, H, W) and labels or targets (n,) to the sum of a loss, which the attack
lowers for targets and raises for labels."""


def class_loss(network: nn.Module, images: Tensor, classes: Tensor) -> Tensor:
    """The sum of the log odds against each image's class."""
    return log_odds(network(images), classes).sum()


def attacked(
    network: nn.Module,
    attack: Attack,
    pixels: Tensor,
    labels: Tensor,
    targets: Tensor | None,
    *,
    eps: float,
    seeds: Sequence[int],
    loss: Loss = class_loss,
) -> tuple[Tensor, Tensor]:
    """What an attack makes of the images, float32 (n, 3, H, W) in [0, 1], and which of them a step moved, bool (n,).

    An image need not fool the network, nor be finite. It was not moved where no gradient but 0 was found, so that only
    a random start was tried, and where it came out as it went in. The attack sees logits on the scale of `Rescaled`.

    network: in eval mode, takes pixels in [0, 1]. pixels: (n, 3, H, W). labels, targets: int64 (n,); targets None:
    untargeted. eps: for bounded attacks. seeds: n seeds of everything random. loss: for foolbox's gradient descents;
    the other attacks have one of their own.
    """
    with _frozen(network), _own_random_state(pixels.device):
        if attack.together:
            made = attack.make()
            _start_each_image_by_itself(made, seeds)
            return _run(made, attack, network, pixels, labels, targets, eps, loss)
        parts = []
        for index, seed in enumerate(seeds):
            one = slice(index, index + 1)
            torch.manual_seed(seed)
            np.random.seed(seed % 2**32)  # noqa: NPY002 (foolbox draws from NumPy's global generator)
            target = None if targets is None else targets[one]
            try:
                parts.append(_run(attack.make(), attack, network, pixels[one], labels[one], target, eps, loss))
            except ValueError:  # an attack without a starting point gives up on this image
                parts.append((pixels[one], torch.zeros(1, dtype=torch.bool, device=pixels.device)))
        return torch.cat([found for found, _ in parts]), torch.cat([moved for _, moved in parts])


def _run(
    made: Any,
    attack: Attack,
    network: nn.Module,
    pixels: Tensor,
    labels: Tensor,
    targets: Tensor | None,
    eps: float,
    loss: Loss,
) -> tuple[Tensor, Tensor]:
    """`run` instead of a call: it leaves out foolbox's own verdict, which counts black images and NaN as successes."""
    import foolbox
    from foolbox.criteria import Misclassification, TargetedMisclassification

    rescaled = Rescaled(network, pixels).eval()
    model = foolbox.PyTorchModel(rescaled, bounds=(0, 1), device=pixels.device)  # else it moves to the first GPU
    if hasattr(made, "get_loss_fn"):
        made.get_loss_fn = lambda _model, classes: _loss_of(loss, rescaled, classes)
    # a bare tensor of targets would mean labels, and silently run an untargeted attack
    criterion = Misclassification(labels) if targets is None else TargetedMisclassification(targets)
    if attack.bounded:
        found = made.distance.clip_perturbation(pixels, made.run(model, pixels, criterion, epsilon=eps), eps)
    else:
        found = made.run(model, pixels, criterion, early_stop=None)
    found = found.detach().clamp(0, 1)
    moved = (found != pixels).flatten(1).any(dim=1)
    return found, moved if rescaled.followed is None else moved & rescaled.followed


def _start_each_image_by_itself(made: Any, seeds: Sequence[int]) -> None:
    """Let an attack draw its random start for every image alone, after that image's own seed."""
    import eagerpy

    draw = getattr(made, "get_random_start", None)
    if draw is None:
        return

    def starts(images: Any, *arguments: Any) -> Any:
        rows = []
        for index, seed in enumerate(seeds):
            torch.manual_seed(seed)
            rows.append(draw(images[index : index + 1], *arguments).raw)
        return eagerpy.astensor(torch.cat(rows))

    made.get_random_start = starts


def _loss_of(loss: Loss, network: nn.Module, classes: Any) -> Callable[[Any], Any]:
    import eagerpy

    return lambda images: eagerpy.astensor(loss(network, images.raw, classes.raw))


@contextmanager
def _frozen(network: nn.Module) -> Iterator[None]:
    """Parameters without gradients, which nobody asked for, and eval mode; afterwards as before."""
    trainable = [parameter for parameter in network.parameters() if parameter.requires_grad]
    training = [module for module in network.modules() if module.training]
    for parameter in trainable:
        parameter.requires_grad_(False)
    network.eval()
    try:
        yield
    finally:
        for parameter in trainable:
            parameter.requires_grad_(True)
        for module in training:
            module.training = True


@contextmanager
def _own_random_state(device: torch.device) -> Iterator[None]:
    """Global generators of torch and NumPy, which foolbox draws from, are left as they were."""
    state = np.random.get_state()  # noqa: NPY002
    devices = [device] if device.type == "cuda" else []
    try:
        with torch.random.fork_rng(devices=devices):
            yield
    finally:
        np.random.set_state(state)  # noqa: NPY002
