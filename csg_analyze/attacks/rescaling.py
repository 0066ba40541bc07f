"""Networks with logits rescaled image by image, so that the size of the logits does not influence attacks.

Multiplying the head of a network by a number changes no decision. In float32 it changes attacks: from logits of about
20 on, the softmax rounds to 0 and 1 and the gradient of the cross-entropy to exactly 0. An attack that does not move
would then count as robustness. C&W's first constant is in units of logits, too.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

SPAN = 10.0
"""Difference between the highest and the lowest logit of a clean image, as attacks see it."""


class Rescaled(nn.Module):
    """A network with logits divided by one number per image, so that those of the clean images (n, 3, H, W) span SPAN.

    An image's number depends on the network and that image alone; it is 1 if all logits are equal. `forward` takes n
    images in the order of the clean ones, or, for n = 1, any number of versions of that one. `followed`, bool (n,):
    whether a gradient other than 0 was ever computed; None if no gradient was, as by attacks that use decisions alone.
    """

    def __init__(self, network: nn.Module, clean: Tensor) -> None:
        super().__init__()
        self.network = network
        with torch.no_grad():
            logits = network(clean)
        span = logits.amax(dim=1, keepdim=True) - logits.amin(dim=1, keepdim=True)
        self.scale = torch.where((span > 0) & span.isfinite(), span / SPAN, torch.ones_like(span))
        self.followed: Tensor | None = None

    def forward(self, images: Tensor) -> Any:
        """Logits (n, C)."""
        view = images.view_as(images)  # a view, whose gradient is the one through the network alone
        if view.requires_grad:
            view.register_hook(self._note)  # type: ignore[no-untyped-call]
        return self.network(view) / self.scale

    def _note(self, gradient: Tensor) -> None:
        nonzero = gradient.flatten(1).ne(0).any(dim=1)
        if len(nonzero) != len(self.scale):
            nonzero = nonzero.any().expand(len(self.scale))
        self.followed = nonzero if self.followed is None else self.followed | nonzero


def log_odds(logits: Tensor, classes: Tensor) -> Tensor:
    """log((1 - p) / p) of each image's class under the softmax, (n,), from logits (n, C) and classes (n,).

    Its gradient times 1 - p is that of the cross-entropy. Steps along the sign of the gradient, or along the gradient
    normalised image by image, are therefore the same; but this gradient does not vanish where 1 - p rounds to 0.
    """
    own = classes[:, None]
    others = logits.scatter(1, own, -torch.inf).logsumexp(dim=1)
    return others - logits.gather(1, own)[:, 0]
