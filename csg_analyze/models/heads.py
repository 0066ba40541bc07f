"""The head of a traced network, and what it reads of the feature layer: compared by value, not by name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from csg_analyze.errors import UsageError
from csg_analyze.models.tracing import ALL_TOKENS, IMAGES, MAXIMUM, MEAN, RECTIFIED, Call, Trace, is_leaf

TOLERANCE = 1e-3
"""Values count as the same up to this share of their range over the images.

Rounding errors are far below it: 1e-7 of the values themselves, whose range is rarely less than a thousandth of them.
"""
FLATTENED, POSITIONS, CLASS_TOKEN, OTHER, UNCHECKED = "flattened", "each position", "class token", "other", "unchecked"

_SAYS = {
    MEAN: "the mean of each filter's map {is_the}",
    RECTIFIED: "the mean of the positive part (ReLU) of each filter's map {is_the}",
    MAXIMUM: "the maximum of each filter's map {is_the}",
    ALL_TOKENS: "the mean of each filter over all tokens, those beside the map included, {is_the}",
    FLATTENED: "the values of all maps, position by position, {is_the}",
}
_NAMED = 4
"""How many layers between a sentence names."""


@dataclass(frozen=True)
class HeadInput:
    """What the head reads of the feature layer, and how sure that is.

    kind: how the maps are taken together. difference: the largest between that and what is read, as a share of the
    latter's range over the noise images; None where nothing could be compared. between: layers between what is read
    and the head, as `name (class)`. reads: of a class token, the layer it was taken from. whole: whether the head's
    output is the logits.
    """

    kind: str
    difference: float | None = None
    between: tuple[str, ...] = ()
    reads: str = ""
    whole: bool = True

    @property
    def sentence(self) -> str:
        """For people: what the head reads, and how that was checked."""
        said = self._said
        return said if self.whole else f"{said}; the logits are not the output of the head alone"

    @property
    def _said(self) -> str:
        if self.kind in _SAYS:
            is_the = f"goes through {self._layers} to the head" if self.between else "is the head's input"
            if self.kind == FLATTENED:
                is_the = is_the.replace("goes", "go").replace("is the", "are the")
            largest = f"{self.difference:.0e} of their range" if self.difference else "0"
            checked = f"checked on {IMAGES} noise images: largest difference {largest}"
            return f"{_SAYS[self.kind].format(is_the=is_the)} ({checked})"
        if self.kind == POSITIONS:
            return "the head is a convolution that reads the maps at every position; its output is averaged afterwards"
        if self.kind == CLASS_TOKEN:
            through = f", through {self._layers}" if self.between else ""
            return (
                f"the head reads the class token of {self.reads!r}{through}; the feature layer is the last one whose "
                "maps reach that token"
            )
        if self.kind == UNCHECKED:
            return "the head's input is the same for all noise images, so that what it reads could not be checked"
        behind = f"with {self._layers} between" if self.between else "computed outside of any module"
        return f"the head's input is another function of the maps, {behind}; neither their mean, maximum nor values"

    @property
    def _layers(self) -> str:
        count = len(self.between)
        more = f" and {count - _NAMED} more" if count > _NAMED else ""
        return f"{count} layer{'s' if count > 1 else ''} ({', '.join(self.between[:_NAMED])}{more})"


def find_head(trace: Trace) -> tuple[Call, bool]:
    """The call of the head, and whether its output is the logits (of a convolution: taken together over positions).

    It is the last layer with weights for all classes that gives the logits; if none does, the last linear layer, or
    the last convolution (one that comes after all linear layers). Raises UsageError if there is neither.
    """
    n_classes = trace.logits.shape[-1] if trace.logits.ndim == 2 else 0
    rows = [call for call in trace.calls if _rows(call.module) == n_classes]
    for call in reversed(rows):
        given = [call.gives] if call.gives is not None else [*call.pooled.values()]
        # equal bit by bit: logits of a head of zeros, which have no range
        if any(torch.equal(each, trace.logits) or _agrees(each, trace.logits) for each in given):
            return call, True
    linear = [call for call in trace.calls if _is(call, "Linear")]
    convolutions = [call for call in trace.calls if _is(call, "Conv2d")]
    if not linear and not convolutions:
        raise UsageError("this network has neither a linear layer nor a convolution; only CNNs can be analysed.")
    of_classes = [call for call in linear if call.gives is not None and call.gives.shape[-1] == n_classes]
    # squeeze-and-excitation blocks may hold linear layers: only one that comes after every convolution is a head
    if linear and (not convolutions or linear[-1].ended > convolutions[-1].ended):
        return (of_classes or linear)[-1], False
    return convolutions[-1], False


def head_input(trace: Trace, features: Call, head: Call, whole: bool, token_of: Call | None = None) -> HeadInput:
    """How the head's input comes from a feature layer. token_of: the layer whose class token is read, if one is."""
    if head.given is None:
        between = _between(trace, features.ended, head, pooling=True)
        return HeadInput(OTHER if between else POSITIONS, between=between, whole=whole)
    if _range(head.given) == 0:
        return HeadInput(UNCHECKED, whole=whole)
    if token_of is not None:
        readings = _readings(trace, token_of.ended, head)
        begun = next(begun for begun, vector in readings if _reads_token(token_of, vector))
        return HeadInput(CLASS_TOKEN, between=_between(trace, begun, head), reads=token_of.name, whole=whole)
    for begun, vector in _readings(trace, features.ended, head):
        for kind, difference in _comparisons(features, vector):
            if difference <= TOLERANCE:
                return HeadInput(kind, difference, _between(trace, begun, head), whole=whole)
    return HeadInput(OTHER, between=_between(trace, features.ended, head, pooling=True), whole=whole)


def reads_class_token(trace: Trace, last: Call, head: Call) -> bool:
    """Whether one of the first tokens of a layer goes to the head, and no average of its tokens does."""
    return last.beside is not None and any(
        _reads_token(last, vector) and not any(difference <= TOLERANCE for _, difference in _comparisons(last, vector))
        for _, vector in _readings(trace, last.ended, head)
    )


def _reads_token(call: Call, vector: Tensor) -> bool:
    assert call.beside is not None
    return any(_agrees(call.beside[:, place], vector) for place in range(call.beside.shape[1]))


def _rows(module: nn.Module) -> int:
    """C of a weight (C, ...) of at least two dimensions; 0 for a module without one or with modules inside."""
    weight = getattr(module, "weight", None)
    return len(weight) if isinstance(weight, Tensor) and weight.ndim >= 2 and is_leaf(module) else 0


def _is(call: Call, kind: str) -> bool:
    return isinstance(call.module, getattr(nn, kind)) or call.kind == kind


def _readings(trace: Trace, since: int, head: Call) -> Iterator[tuple[int, Tensor]]:
    """Values (N, F) without positions that pass from `since` up to the head's input: (place of the reading, values)."""
    places: list[tuple[int, Tensor]] = []
    for call in trace.calls:
        if call.given is not None and since < call.begun <= head.begun:
            places.append((call.begun, call.given))
        if call.gives is not None and since < call.ended < head.begun:
            places.append((call.ended, call.gives))
    yield from sorted(places, key=lambda place: place[0])


def _comparisons(features: Call, vector: Tensor) -> Iterator[tuple[str, float]]:
    """Each way to take the maps together, and how far that is from the values read, as a share of their range."""
    assert features.layout is not None
    for kind, pooled in features.pooled.items():
        yield kind, _difference(pooled, vector)
    positions, n_filters = features.layout.positions, features.layout.n_filters
    if positions > 1 and vector.shape[1] == positions * n_filters:
        channels_first = features.layout.form == "maps"
        shape = (n_filters, positions) if channels_first else (positions, n_filters)
        maps = vector.reshape(-1, *shape) if channels_first else vector.reshape(-1, *shape).mT
        pairs = ((maps.mean(2), features.pooled[MEAN]), (maps.amax(2), features.pooled[MAXIMUM]))
        yield FLATTENED, max(_difference(found, expected) for found, expected in pairs)


def _between(trace: Trace, since: int, head: Call, *, pooling: bool = False) -> tuple[str, ...]:
    """The layers that change something between a place in the pass and the head; pooling counts where asked for.

    Another head beside it is none of them.
    """
    inside = (call for call in trace.calls if since <= call.begun and call.ended < head.begun and call.leaf)
    beside = trace.logits.shape[-1]
    changing = (call for call in inside if not call.same and (pooling or not call.pooling))
    return tuple(call.text for call in changing if _rows(call.module) != beside)


def _agrees(found: Tensor, expected: Tensor) -> bool:
    return _difference(found, expected) <= TOLERANCE


def _difference(found: Tensor, expected: Tensor) -> float:
    """The largest difference as a share of the expected values' range over the images; infinite where none is told."""
    spread = _range(expected)
    if found.shape != expected.shape or spread == 0:
        return float("inf")
    return float((found - expected).abs().max()) / spread


def _range(values: Tensor) -> float:
    """The largest deviation from the mean over the images, (N, F); 0 for one of rounding errors only."""
    deviation = float((values - values.mean(0)).abs().max())
    return deviation if deviation > 1e-6 * float(values.abs().max()) else 0.0
