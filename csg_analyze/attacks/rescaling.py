"""Networks on a scale of logits that every image sets for itself, so that no attack sees how large they are.

The head of a network can be multiplied by any number without changing one decision. Float32 does not follow: from
logits of some 20 on the softmax rounds to 0 and 1, the gradient of the cross-entropy to exactly 0, and an attack that
does not move would count as robustness. C&W's search for its constant begins in units of logits too.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

SPAN = 10.0
"""What is between the highest and the lowest logit of a clean image, as attacks see it."""


class Rescaled(nn.Module):
    """A network whose logits are divided by one number an image: those of its clean image, (n, 3, H, W), span SPAN.

    An image's number depends on nothing but the network and that image. Where all logits are equal it is 1. Takes n
    images in the order of the clean ones, or, for n = 1, any number made of the one. `followed` says for which of the n
    a gradient other than 0 ever came back: None where none was asked for, as by attacks that go by decisions alone.
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
        seen = images.view_as(images)  # of its own, so that its gradient is what comes through the network alone
        if seen.requires_grad:
            seen.register_hook(self._note)  # type: ignore[no-untyped-call]
        return self.network(seen) / self.scale

    def _note(self, gradient: Tensor) -> None:
        here = gradient.flatten(1).ne(0).any(dim=1)
        if len(here) != len(self.scale):
            here = here.any().expand(len(self.scale))
        self.followed = here if self.followed is None else self.followed | here


def log_odds(logits: Tensor, classes: Tensor) -> Tensor:
    """log((1 - p) / p) of each image's class under the softmax, (n,), from logits (n, C) and classes (n,).

    The gradient of the cross-entropy is that of the log odds times 1 - p: a step along its sign, or along it normalised
    image by image, is the same step, but this one is still there where 1 - p rounds to 0.
    """
    own = classes[:, None]
    others = logits.scatter(1, own, -torch.inf).logsumexp(dim=1)
    return others - logits.gather(1, own)[:, 0]
