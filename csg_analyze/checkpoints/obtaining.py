"""The network of a checkpoint with its weights: one that is known, one that others' code builds, or a program."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from csg_analyze.checkpoints.beside import timm_described
from csg_analyze.checkpoints.given import Given, given_network
from csg_analyze.checkpoints.programs import Program, agreement, tried
from csg_analyze.checkpoints.reading import Contents
from csg_analyze.checkpoints.recognising import Restored, restore_network
from csg_analyze.errors import UsageError


def network_of(
    contents: Contents,
    architecture: str | None,
    options: Mapping[str, Any],
    size: int | None,
    weights: str | None,
) -> Given | Restored:
    """The network of that architecture, or of the one that the file or its folder names, or that is recognised.

    options: of the function that builds it. size: of images, for networks that take one size only. weights: the set of
    weights to take, where there are several. Raises UsageError if there is no such network or its weights do not fit.
    """
    if architecture is None and not contents.own and contents.module is None:
        architecture, options = timm_described(contents.beside) or (None, options)
    given = given_network(contents, architecture, options, size, weights)
    restore = partial(restore_network, contents, architecture, weights, options, size)
    if isinstance(contents.module, Program):
        return _of_program(contents.module, architecture, (lambda: given) if given is not None else restore)
    return given or restore()


def _of_program(program: Program, architecture: str | None, build: Callable[[], Given | Restored]) -> Given | Restored:
    """Of a TorchScript or exported file: the program, or the network of a known architecture with its weights.

    The latter takes hooks, and is better where it gives the program's logits. architecture: one that a flag names is
    taken in any case.
    """
    try:
        known = build()
    except UsageError:
        if architecture is not None:
            raise
        return Given(tried(program), program.architecture)
    found = agreement(tried(program), known.network)
    if found.same:
        return known
    if architecture is None:
        remark = (
            f"its weights fit {known.architecture}, which gives other logits than the {program.kind} network: that is "
            "used"
        )
        return Given(tried(program), program.architecture, notes=(remark,))
    said = "gives other logits than" if found.compared else "could not be compared with"
    remark = f"{architecture} with its weights {said} the {program.kind} network in the file"
    return replace(known, notes=(*known.notes, remark))
