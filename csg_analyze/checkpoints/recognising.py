"""The network that the weights in a file belong to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

import torch
from torch import Tensor, nn

from csg_analyze.checkpoints.choosing import chosen, described
from csg_analyze.checkpoints.filling import check_finite, fill
from csg_analyze.checkpoints.index import SIZED, Found, read_index
from csg_analyze.checkpoints.matching import AUTHORS_GATE, Match, best_match
from csg_analyze.checkpoints.reading import Contents
from csg_analyze.checkpoints.sayings import agrees, networks_meant, sayings
from csg_analyze.checkpoints.skeletons import skeleton, undrawn
from csg_analyze.errors import UsageError
from csg_analyze.models import TIMM, TORCHVISION, architectures, build, built_for, is_for, option_of_size, scaled


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

    Without an architecture, the one counts that the file names, if its weights fit; else it is recognised by the names
    and shapes of its weights. weights: the set of weights to take where there are several. options: of the function
    that builds the network. size: of images, for networks that take one size only.
    Raises UsageError if none fits, or if the named one does not fit, saying what differs.
    """
    if architecture is None and contents.own:
        architecture = contents.about.get("architecture")
        source = f"the file says that it is {architecture!r}, but its weights do not fit"
    else:
        source = f"the weights do not fit architecture {architecture!r}"
    if architecture is None:
        return _without_flag(contents, weights, size)
    architecture, options, match = _fitted(contents, architecture, weights, options or {}, size)
    if not skeleton(architecture, options).head:
        raise UsageError(f"{architecture!r} has no head that gives logits; it is no classifier.")
    if not match.fits:
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
    for name, all_options in candidates:
        try:
            match = best_match(contents.tensors, skeleton(name, all_options), weights)
        except UsageError:
            if all_options == options:
                raise
            continue  # it cannot be built for this size, but may be scaled to it
        if match.fits:
            break
    return name, all_options, match


def _for_size(architecture: str, size: int | None) -> list[dict[str, Any]]:
    option = {} if size is None else option_of_size(architecture, size)
    return [option, {}] if option else [{}]


def _without_flag(contents: Contents, weights: str | None, size: int | None) -> Restored:
    """The network that the file names, or else that is recognised by its weights."""
    if not any(tensor.ndim in (2, 4) for tensor in contents.tensors.values()):
        raise UsageError("the checkpoint holds no layer with weights; it is no CNN classifier.")
    index = read_index()
    found = index.search({place: tuple(tensor.shape) for place, tensor in contents.tensors.items()})
    unfit = ""
    for saying in sayings(contents.about):
        for name in networks_meant(saying, index):
            if name.startswith(TIMM) and not (found and name in found.names):
                continue  # to import timm takes seconds, only to find that nothing fits
            match = best_match(contents.tensors, skeleton(name), weights)
            if match.fits:
                return _restored(contents, name, match, {}, size)
            unfit = unfit or f"the file says that it is {saying!r}, but its weights do not fit: {match.differences}"
        if found and not found.lacking and any(agrees(saying, name) for name in found.names):
            unfit = ""
            break
    if found is None or found.lacking:
        raise UsageError(f"{unfit}; check --arch." if unfit else _unrecognised(contents, found))
    if unfit:
        names = described([known.name for known in found.networks], index)
        raise UsageError(f"{unfit}; they are those of {names}: name it with --arch if that is right.")
    choice = chosen(found, contents.about, index)
    match = best_match(contents.tensors, skeleton(choice.name), weights)
    if not match.fits:
        raise UsageError(f"its weights are nearest to {choice.name}'s: {match.differences}; check --arch.")
    return _restored(contents, choice.name, match, {}, size, choice.notes)


def _unrecognised(contents: Contents, found: Found | None) -> str:
    """Why no network is known that has the weights of a file."""
    how = "name it with --arch (`csg-analyze list` has the names, package.module:factory is code of your own)"
    if found and all(part.endswith(SIZED) for part in found.lacking):
        return f"its weights are those of {found.networks[0].name} for images of another size; {how}."
    near = f"; the nearest is {found.networks[0].name}, but for {', '.join(found.lacking)}" if _near(found) else ""
    return (
        f"the file does not say which network it is, and its {len(contents.state_dict)} tensors are those of none that "
        f"is known (this project's, torchvision's and timm's){near}; {how}, e.g. --arch resnet18."
    )


def _near(found: Found | None) -> TypeGuard[Found]:
    """Whether most parts of a network are there."""
    return found is not None and 2 * len(found.lacking) < len(found.networks[0].parts)


def _restored(
    contents: Contents,
    architecture: str,
    match: Match,
    options: Mapping[str, Any],
    size: int | None,
    notes: Sequence[str] = (),
) -> Restored:
    n_classes = next(len(contents.tensors[match.sources[name]]) for name in skeleton(architecture, options).head)
    gate = contents.tensors.get(match.prefix + AUTHORS_GATE)
    gate = contents.gate if contents.own else None if gate is None else gate.T.contiguous()
    with torch.random.fork_rng():
        with undrawn():  # the file's weights take the place of all that would be drawn
            network = build(architecture, n_classes, **options)
        notes = [*notes, *fill(network, contents.tensors, match)]
        if size is not None and not is_for(architecture, options, size):
            network = scaled(network, size)
            notes.append(f"the network was scaled to {size}x{size} images (position embeddings interpolated)")
    check_finite({} if gate is None else {"gate": gate})
    return Restored(network.eval(), architecture, n_classes, gate, tuple(notes), built_for(architecture, options))
