"""The network with some filters of its feature layer multiplied by zero.

If the logits are a linear function of the pooled activations, cached activations are enough; else the network runs
again with a channel mask behind its feature layer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from csg_analyze.checkpoints import Classifier
from csg_analyze.data import Dataset
from csg_analyze.errors import UsageError
from csg_analyze.hooks import watched
from csg_analyze.inputs.blocks import block_size, blocks
from csg_analyze.inputs.cache import UNCACHED, Cache
from csg_analyze.inputs.forward import ForwardPass, origin_of
from csg_analyze.metrics.ablation import Ablation, CachedAblation
from csg_analyze.metrics.arrays import BoolArray, FloatArray, IntArray
from csg_analyze.models import channels_of
from csg_analyze.progress import Track, untracked

TOLERANCE = 1e-4
"""The network's logits count as equal to activations @ W.T + b up to this share of the largest logit.

Rounding errors are a hundred times smaller, differences from another kind of head far larger.
"""

IMAGES_AT_ONCE = 4096
"""Images whose logits are compared at once."""

MASKS_AT_ONCE = 64
"""Largest number of masked copies of a block in one batch."""


@dataclass(frozen=True)
class NetworkAblation:
    """Masked logits by running the network over its N images again, a mask behind the feature layer.

    images_at_once: images decoded together, see inputs.blocks. joint: whether the layers behind the feature layer take
    several masked copies of a block in one batch, so that the layers before it run once for many masks. origin: as in
    Ablation.
    """

    classifier: Classifier = field(repr=False)
    dataset: Dataset = field(repr=False)
    images_at_once: int
    track: Track[Any]
    joint: bool
    origin: str
    cache: Cache = UNCACHED

    def logits(self, keep: BoolArray) -> FloatArray:
        """As Ablation.logits, in one pass over the data."""
        logits: FloatArray = self._kept(keep[None, None], _as_they_are)[0]
        return logits

    def predictions(self, keeps: BoolArray) -> IntArray:
        """As Ablation.predictions; one pass over the data per mask, or per group of masks that a batch takes."""
        predictions: IntArray = self._kept(keeps[:, None], _classes)
        return predictions

    def predictions_each(self, keeps: BoolArray, which: IntArray) -> IntArray:
        """As Ablation.predictions_each, in one pass over the data, with one mask per image."""
        predictions: IntArray = self._kept(keeps[which][None], _classes)[0]
        return predictions

    def _kept(self, masks: BoolArray, reduced: Callable[[FloatArray], Any]) -> Any:
        """As `_run`, from the cache if an earlier run had the same masks."""
        depends = (origin_of(self.classifier, self.dataset), masks, reduced.__name__, self.joint)
        return self.cache.under("ablation", depends, lambda: {"results": self._run(masks, reduced)})["results"]

    def _run(self, masks: BoolArray, reduced: Callable[[FloatArray], Any]) -> Any:
        """`reduced` logits (M, N, ...) under masks (M, N or 1 for all images, K)."""
        n_masks, n, device = len(masks), len(self.dataset), self.classifier.device
        size = block_size(device, *self.dataset.image_size)
        groups = -(-n_masks // MASKS_AT_ONCE) if self.joint else n_masks
        together = -(-n_masks // groups)  # per group; the last one is filled up, as blocks of images are
        steps = (
            (slice(first, min(first + together, n_masks)), block)
            for first in range(0, n_masks, together)
            for block in blocks(self.dataset, device, self.images_at_once, untracked, "")
        )
        description = f"{self.classifier.name}: {n_masks} masks on {n} images"
        results: Any = None
        with torch.no_grad(), masking(self.classifier.layer()) as install:
            for group, block in self.track(steps, description, -(-n_masks // together) * -(-n // size)):
                masked = masks[group] if masks.shape[1] == 1 else masks[group, block.places]
                rows, columns = np.arange(together) % len(masked), np.arange(size) % masked.shape[1]
                install(torch.from_numpy(masked[rows][:, columns]).to(device))
                logits = self.classifier.network(block.pixels).float().cpu().numpy()
                logits = logits.reshape(together, size, self.classifier.n_classes)
                part = reduced(logits[: len(masked), : len(block)])
                if results is None:
                    results = np.empty((n_masks, n, *part.shape[2:]), part.dtype)
                results[group, block.places] = part
        return results


def ablation(
    classifier: Classifier,
    dataset: Dataset,
    forward_pass: ForwardPass,
    track: Track[Any],
    cache: Cache = UNCACHED,
    *,
    ablate: Annotated[
        Literal["auto", "cached", "network"], "filters are removed on cached activations or in the network"
    ] = "auto",
) -> Ablation:
    """The network with some filters of its feature layer multiplied by zero (Sec. 4.2).

    "auto" uses cached activations if all logits of the forward pass equal activations @ W.T + b within 1e-4 of the
    largest one, with W and b of the head; else it runs the network with a channel mask.
    Raises UsageError for "cached" if these logits differ, NotAvailable for a network without a feature layer.
    """
    classifier.layer()  # raises NotAvailable where there is none
    head = linear_head(classifier)
    difference = (
        float("inf") if head is None else relative_difference(forward_pass.activations, forward_pass.logits, *head)
    )
    if head is not None and difference <= TOLERANCE and ablate != "network":
        origin = (
            "filters are removed on cached activations: the logits equal activations @ W.T + b within "
            f"{difference:.0e} of the largest logit (tolerance {TOLERANCE:.0e})."
        )
        return CachedAblation(forward_pass.activations, forward_pass.logits, *head, origin)
    reason = (
        "no layer takes the pooled activations to the logits"
        if head is None
        else f"the logits differ from activations @ W.T + b by {difference:.2g} of the largest logit"
    )
    if ablate == "cached":
        raise UsageError(f"{classifier.name}: --ablate cached cannot be used, {reason}; leave it at auto.")
    reason = "as asked for" if ablate == "network" else reason
    origin = f"filters are removed by a channel mask in the network: {reason}."
    separate = NetworkAblation(classifier, dataset, forward_pass.batch_size, track, joint=False, origin=origin)
    return replace(separate, joint=_takes_masked_copies(separate), cache=cache)


def linear_head(classifier: Classifier) -> tuple[FloatArray, FloatArray] | None:
    """W (C, K) and b (C,) of a head that is linear in K features, as a 1x1 convolution is; else None."""
    head = classifier.layer(classifier.head)
    if not isinstance(head, nn.Linear | nn.Conv2d):
        return None
    weight = head.weight.detach().flatten(1).float().cpu()
    bias = torch.zeros(len(weight)) if head.bias is None else head.bias.detach().float().cpu()
    if (outputs := classifier.network.outputs) is not None and len(weight) > int(outputs.max()):
        weight, bias = weight[outputs.cpu()], bias[outputs.cpu()]
    if weight.shape != (classifier.n_classes, classifier.n_filters):
        return None
    return weight.numpy(), bias.numpy()


def relative_difference(activations: FloatArray, logits: FloatArray, weight: FloatArray, bias: FloatArray) -> float:
    """Largest |logits - (activations @ W.T + b)| of all images, as a share of the largest |logit|."""
    largest = difference = 0.0
    for start in range(0, len(logits), IMAGES_AT_ONCE):
        part = logits[start : start + IMAGES_AT_ONCE]
        expected = activations[start : start + IMAGES_AT_ONCE] @ weight.T + bias
        largest = max(largest, float(np.abs(part).max()))
        difference = max(difference, float(np.abs(part - expected).max()))
    return difference / largest if largest else difference


def _classes(logits: FloatArray) -> IntArray:
    predicted: IntArray = logits.argmax(axis=-1).astype(np.int32)
    return predicted


def _as_they_are(logits: FloatArray) -> FloatArray:
    return logits


def _takes_masked_copies(separate: NetworkAblation) -> bool:
    """Whether two masked copies of two images in one batch give the same logits as the masks one by one.

    They do not if a connection bypasses the feature layer, or if later layers depend on the number of images.
    """
    two = separate.dataset.subset(torch.arange(min(2, len(separate.dataset))), note="to try masks on")
    alone = replace(separate, dataset=two, track=untracked)
    evens: BoolArray = np.arange(separate.classifier.n_filters) % 2 == 0
    masks: BoolArray = np.stack([evens, ~evens])
    try:
        copies = replace(alone, joint=True)._run(masks[:, None], _as_they_are)
    except (RuntimeError, ValueError, AssertionError, IndexError):
        return False
    one_by_one = np.stack([alone.logits(mask) for mask in masks])
    return bool(np.allclose(copies, one_by_one, rtol=0, atol=TOLERANCE * np.abs(one_by_one).max()))


@contextmanager
def masking(layer: nn.Module) -> Iterator[Callable[[Tensor], None]]:
    """Multiply the layer's output (n, K, h, w) by the installed masks (M, n or 1, K), giving (M * n, K, h, w).

    Yields the function that installs masks. The layer's own output is not changed, and the hook is removed at the end.
    A channel that a class token has beside the map is masked with it.
    """
    masks: list[Tensor] = []

    def install(installed: Tensor) -> None:
        masks[:] = [installed]

    def multiply(output: Tensor) -> Tensor:
        (mask,) = masks
        return (output * mask[:, :, :, None, None]).flatten(0, 1)

    with watched((each, multiply) for each in channels_of(layer)):
        yield install
