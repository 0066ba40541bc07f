"""One block of images attacked by foolbox, with random numbers that do not depend on the block."""

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
"""(network, images (n, 3, H, W), labels or targets (n,)) -> the sum of a loss.

An attack lowers the loss for targets and raises it for labels.
"""


def class_loss(network: nn.Module, images: Tensor, classes: Tensor) -> Tensor:
    """The sum over images of the log odds against their classes."""
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
    """The attacked images, float32 (n, 3, H, W) in [0, 1], and whether a step of the attack moved them, bool (n,).

    Not all attacked images fool the network or are finite. An image was not moved if it equals the clean one, or if all
    gradients were 0, so that only a random start changed it. The attack sees the logits of `Rescaled`.

    network: in eval mode, takes pixels in [0, 1]. pixels: (n, 3, H, W). labels, targets: int64 (n,); targets None:
    untargeted. eps: bound of bounded attacks. seeds: n seeds, one per image, of all random numbers. loss: for foolbox's
    gradient descents; other attacks have their own.
    """
    with _frozen(network), _own_random_state(pixels.device):
        if attack.together:
            foolbox_attack = attack.make()
            _draw_starts_by_image(foolbox_attack, seeds)
            return _run(foolbox_attack, attack, network, pixels, labels, targets, eps, loss)
        parts = []
        for index, seed in enumerate(seeds):
            one = slice(index, index + 1)
            torch.manual_seed(seed)
            np.random.seed(seed % 2**32)  # noqa: NPY002 (foolbox draws from NumPy's global generator)
            target = None if targets is None else targets[one]
            try:
                parts.append(_run(attack.make(), attack, network, pixels[one], labels[one], target, eps, loss))
            except ValueError:  # the attack has no starting point for this image
                parts.append((pixels[one], torch.zeros(1, dtype=torch.bool, device=pixels.device)))
        return torch.cat([images for images, _ in parts]), torch.cat([moved for _, moved in parts])


def _run(
    foolbox_attack: Any,
    attack: Attack,
    network: nn.Module,
    pixels: Tensor,
    labels: Tensor,
    targets: Tensor | None,
    eps: float,
    loss: Loss,
) -> tuple[Tensor, Tensor]:
    """Call the attack's `run`, without foolbox's own verdict, which counts black images and NaN as successes."""
    import foolbox
    from foolbox.criteria import Misclassification, TargetedMisclassification

    rescaled = Rescaled(network, pixels).eval()
    model = foolbox.PyTorchModel(
        rescaled, bounds=(0, 1), device=pixels.device
    )  # without a device, foolbox takes the first GPU
    if hasattr(foolbox_attack, "get_loss_fn"):
        foolbox_attack.get_loss_fn = lambda _model, classes: _loss_of(loss, rescaled, classes)
    # foolbox takes a bare tensor for labels and would run an untargeted attack
    criterion = Misclassification(labels) if targets is None else TargetedMisclassification(targets)
    if attack.bounded:
        images = foolbox_attack.distance.clip_perturbation(
            pixels, foolbox_attack.run(model, pixels, criterion, epsilon=eps), eps
        )
    else:
        images = foolbox_attack.run(model, pixels, criterion, early_stop=None)
    images = images.detach().clamp(0, 1)
    moved = (images != pixels).flatten(1).any(dim=1)
    return images, moved if rescaled.followed is None else moved & rescaled.followed


def _draw_starts_by_image(foolbox_attack: Any, seeds: Sequence[int]) -> None:
    """Make an attack draw its random start image by image, each from the image's own seed."""
    import eagerpy

    draw = getattr(foolbox_attack, "get_random_start", None)
    if draw is None:
        return

    def starts(images: Any, *arguments: Any) -> Any:
        rows = []
        for index, seed in enumerate(seeds):
            torch.manual_seed(seed)
            rows.append(draw(images[index : index + 1], *arguments).raw)
        return eagerpy.astensor(torch.cat(rows))

    foolbox_attack.get_random_start = starts


def _loss_of(loss: Loss, network: nn.Module, classes: Any) -> Callable[[Any], Any]:
    import eagerpy

    return lambda images: eagerpy.astensor(loss(network, images.raw, classes.raw))


@contextmanager
def _frozen(network: nn.Module) -> Iterator[None]:
    """Eval mode and no gradients of parameters while open; afterwards both as before."""
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
    """Restore the global generators of torch and NumPy, which foolbox draws from."""
    state = np.random.get_state()  # noqa: NPY002
    devices = [device] if device.type == "cuda" else []
    try:
        with torch.random.fork_rng(devices=devices):
            yield
    finally:
        np.random.set_state(state)  # noqa: NPY002
