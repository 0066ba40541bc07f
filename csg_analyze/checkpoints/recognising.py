"""The network that the weights in a file belong to."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from csg_analyze.checkpoints.matching import AUTHORS_GATE, Match, best_match
from csg_analyze.checkpoints.reading import Contents
from csg_analyze.checkpoints.skeletons import skeleton
from csg_analyze.checkpoints.unwrapping import is_secondary, name_of
from csg_analyze.errors import UsageError
from csg_analyze.models import NETWORKS, TORCHVISION, architectures, build, built_for, is_for, option_of_size, scaled

_SAYING = ("arch", "architecture", "model_name", "model")
"""Under which names other programs' files say which network they hold."""


@dataclass(frozen=True)
class Restored:
    """A network in eval mode with the weights of a file. gate: (C, K), or None. notes: what was taken, and how.

    size: of images in pixels, where timm's network takes one only.
    """

    network: nn.Module
    architecture: str
    n_classes: int
    gate: Tensor | None
    notes: tuple[str, ...]
    size: int | None = None


def restore_network(
    contents: Contents,
    architecture: str | None,
    weights: str | None = None,
    options: Mapping[str, Any] | None = None,
    size: int | None = None,
) -> Restored:
    """The network of that architecture with the weights in a file that fit it best.

    Without an architecture, the one counts that the file names; else this project's own networks are recognised by
    the names and shapes of their weights. weights: the set of weights to take where there are several. options: of the
    function that builds the network. size: of images, for networks that take one size only.
    Raises UsageError if none fits, or if the named one does not fit, saying what differs.
    """
    said = None if architecture else _said(contents)
    if architecture is None and said is None:
        architecture, match = _recognised(contents, weights)
        options = {}
    else:
        architecture, options, match = _fitted(contents, architecture or str(said), weights, options or {}, size)
        if not skeleton(architecture, options).head:
            raise UsageError(f"{architecture!r} has no head that gives logits; it is no classifier.")
        if not match.fits:
            source = (
                f"the file says that it is {architecture!r}, but its weights do not fit"
                if said
                else (f"the weights do not fit architecture {architecture!r}")
            )
            flags = "--arch or --size" if option_of_size(architecture, 224) else "--arch"
            raise UsageError(f"{source}: {match.differences}; check {flags}.")
    return _restored(contents, architecture, match, options, size)


def _fitted(
    contents: Contents, architecture: str, weights: str | None, options: Mapping[str, Any], size: int | None
) -> tuple[str, Mapping[str, Any], Match]:
    """Name, options and weights of the network; the weights decide for a name of two networks (alexnet), and whether a
    network is for the given size already.
    """
    names = [architecture, *({TORCHVISION + architecture} & set(architectures()))]
    candidates = [(name, {**options, **more}) for name in names for more in _for_size(name, size)]
    for name, chosen in candidates:
        try:
            match = best_match(contents.tensors, skeleton(name, chosen), weights)
        except UsageError:
            if chosen == options:
                raise
            continue  # it cannot be built for this size, but may be scaled to it
        if match.fits:
            break
    return name, chosen, match


def _for_size(architecture: str, size: int | None) -> list[dict[str, Any]]:
    option = {} if size is None else option_of_size(architecture, size)
    return [option, {}] if option else [{}]


def _recognised(contents: Contents, weights: str | None) -> tuple[str, Match]:
    tensors = contents.tensors
    if not any(tensor.ndim in (2, 4) for tensor in tensors.values()):
        raise UsageError("the checkpoint holds no layer with weights; it is no CNN classifier.")
    for name in NETWORKS:
        match = best_match(tensors, skeleton(name), weights)
        if match.fits:
            return name, match
    raise UsageError(
        f"the file does not say which network it is, and its {len(contents.state_dict)} tensors fit none of "
        f"{', '.join(NETWORKS)}; name it with --arch (any torchvision network, e.g. --arch resnet18)."
    )


def _said(contents: Contents) -> str | None:
    """The architecture that the file names, if it is one that can be built; in an own file, whatever it names."""
    if contents.own:
        return contents.about.get("architecture")
    names = (contents.about.get(key) for key in _SAYING)
    return next((name for name in names if isinstance(name, str) and name in architectures()), None)


def _restored(
    contents: Contents, architecture: str, match: Match, options: Mapping[str, Any], size: int | None
) -> Restored:
    taken = {name: contents.tensors[place] for name, place in match.sources.items()}
    gate = contents.tensors.get(match.prefix + AUTHORS_GATE)
    gate = contents.gate if contents.own else None if gate is None else gate.T.contiguous()
    _check_finite(taken | ({} if gate is None else {"gate": gate}))
    n_classes = next(len(taken[name]) for name in skeleton(architecture, options).head)
    notes = _notes(match, taken)
    with torch.random.fork_rng():  # building draws initial weights from the global generator
        network = build(architecture, n_classes, **options)
        state: Any = OrderedDict(
            (name, tensor.float() if tensor.is_floating_point() else tensor) for name, tensor in taken.items()
        )
        # names and shapes are today's, so that nothing is to be converted from an older version of a module
        state._metadata = getattr(network.state_dict(), "_metadata", None)
        network.load_state_dict(state, strict=False)
        if size is not None and not is_for(architecture, options, size):
            network = scaled(network, size)
            notes.append(f"the network was scaled to {size}x{size} images (position embeddings interpolated)")
    return Restored(network.eval(), architecture, n_classes, gate, tuple(notes), built_for(architecture, options))


def _notes(match: Match, taken: dict[str, Tensor]) -> list[str]:
    notes = []
    if match.rivals or is_secondary(match.prefix):
        kind = "averaged or derived weights" if is_secondary(match.prefix) else "weights"
        others = f"; --weights takes also: {', '.join(map(name_of, match.rivals))}" if match.rivals else ""
        notes.append(f"the {kind} {name_of(match.prefix)!r} were taken{others}")
    if match.head is not None:
        notes.append(f"the head was taken from {match.head!r}")
    if match.ignored:
        parts = (f"{name} ({count} tensor{'s' * (count > 1)})" for name, count in match.ignored.items())
        notes.append(f"ignored, as no part of the network: {', '.join(parts)}")
    kinds = {tensor.dtype for tensor in taken.values() if tensor.is_floating_point()} - {torch.float32}
    if kinds:
        names = " and ".join(sorted(str(kind).removeprefix("torch.") for kind in kinds))
        notes.append(f"weights in {names} were cast to float32")
    return notes


def _check_finite(tensors: dict[str, Tensor]) -> None:
    broken = [name for name, t in tensors.items() if t.is_floating_point() and not torch.isfinite(t).all()]
    if broken:
        raise UsageError(
            f"NaN or infinite weights in {len(broken)} of {len(tensors)} tensors (first: {broken[0]!r}); "
            "the training diverged, use an earlier checkpoint."
        )
