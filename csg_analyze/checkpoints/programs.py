"""TorchScript and torch.export archives as networks: what runs in them, in which batches, and whether hooks work."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram

from csg_analyze.checkpoints.kinds import TORCHSCRIPT
from csg_analyze.checkpoints.modules import taken_size

NO_HOOKS = (
    "this is a TorchScript network, which takes no hooks, so that no layer of it can be looked at; give the module it "
    "was made from, or --arch"
)
AGREEMENT = 1e-3
"""Logits of a program and of a network count as the same up to this share of the largest."""


class Program(nn.Module):
    """The network in an archive.

    network: the TorchScript module, or the exported program as modules. kind: of the archive. batch: how many images
    it takes at once, if it takes no other number; others are run in batches of that size, the last one filled up.
    size: the side of the images, if the archive says that it takes no other.
    """

    def __init__(self, network: nn.Module, kind: str, batch: int | None = None, size: int | None = None) -> None:
        super().__init__()
        self.network, self.kind, self.batch, self.size = network, kind, batch, size

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) -> logits (N, C)."""
        if self.batch is None or len(images) == self.batch:
            return self.network(images)  # type: ignore[no-any-return]
        parts = []
        for part in torch.split(images, self.batch):
            missing = self.batch - len(part)
            filled = torch.cat([part, part[:1].expand(missing, -1, -1, -1)]) if missing else part
            parts.append(self.network(filled)[: len(part)])
        return torch.cat(parts)

    @property
    def architecture(self) -> str:
        """The class of the TorchScript module; an exported program does not say."""
        name = getattr(self.network, "original_name", "")
        return f"{self.kind} ({name})" if name else self.kind

    @property
    def no_layer(self) -> str:
        """Why no layer of it can be looked at; empty where hooks work."""
        if self.kind == TORCHSCRIPT:
            return NO_HOOKS
        if self.batch is None:
            return ""
        images = f"{self.batch} image{'s' if self.batch > 1 else ''}"
        return (
            f"this exported network takes batches of {images} only, so that no layer of it can be looked at; export it "
            "with a dynamic batch (dynamic_shapes), or give --arch"
        )


def read_program(path: Path, kind: str) -> Program:
    """The network in an archive, which runs the code in it. Raises whatever torch raises."""
    if kind == TORCHSCRIPT:
        return Program(torch.jit.load(path, map_location="cpu").eval(), kind)  # type: ignore[no-untyped-call]
    exported = torch.export.load(path)
    return Program(torch.export.unflatten(exported), kind, *_sizes(exported))


def _sizes(exported: ExportedProgram) -> tuple[int | None, int | None]:
    """Batch and side of the images that an exported program takes, None for what may vary."""
    names = set(exported.graph_signature.user_inputs)
    shapes = [
        node.meta["val"].shape for node in exported.graph.nodes if node.op == "placeholder" and node.name in names
    ]
    if not shapes or len(shapes[0]) != 4:
        return None, None
    batch, _, height, width = (side if isinstance(side, int) else None for side in shapes[0])
    return batch, height if height == width else None


def open_to_hooks(network: nn.Module) -> nn.Module:
    """The exported network inside a program whose layers can be looked at; anything else as it is."""
    return network.network if isinstance(network, Program) and not network.no_layer else network


def tried(program: Program) -> Program:
    """The program, with a batch of one if it takes one image and not two, as a trace of one image may."""
    size = program.size or taken_size(program)
    if program.batch is not None or size is not None:
        return program
    one = Program(program.network, program.kind, 1, program.size)
    return one if taken_size(one) is not None else program


@dataclass(frozen=True)
class Agreement:
    """Whether a network gives the logits of a program. compared: False where the program took no image."""

    compared: bool
    same: bool


def agreement(program: Program, network: nn.Module) -> Agreement:
    """Compare a program with a network of the same weights, by noise images of a size that the program takes."""
    size = program.size or taken_size(program)
    if size is None:
        return Agreement(compared=False, same=False)
    images = torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected: Any = program(images)
        try:
            found = network(images)
        except Exception:  # another network than the one that was exported
            return Agreement(compared=True, same=False)
    same = isinstance(expected, Tensor) and expected.shape == found.shape
    same = same and float((found - expected).abs().max()) <= AGREEMENT * float(expected.abs().max())
    return Agreement(compared=True, same=same)
