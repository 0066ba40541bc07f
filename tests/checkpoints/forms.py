"""What a form of checkpoint is, for the tests and for the table in docs/checkpoints.md."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

State = dict[str, Tensor]
Make = Callable[[nn.Module, Path], Path]
"""(network, an empty folder) -> the checkpoint that it wrote there."""
REFUSED = "refused"


@dataclass(frozen=True)
class Form:
    """name: as in the table. flags: of the command line. outcome: `loaded` or `refused`. says: words of the note or of
    the refusal, for the table. architecture: of the network in it. loaded_as: the classifier's, if another. build:
    makes the network, where it is none of the catalogue.
    """

    name: str
    make: Make
    flags: Mapping[str, Any] = field(default_factory=dict)
    says: str = ""
    outcome: str = "loaded"
    architecture: str = "resnet8"
    loaded_as: str = ""
    build: Callable[[], nn.Module] | None = None

    @property
    def row(self) -> str:
        """The form's row in the table."""
        given = "".join(f" `{_flag(name, value)}`" for name, value in self.flags.items())
        return f"| {self.name} |{given} | {self.outcome} | {self.says} |"


def _flag(name: str, value: object) -> str:
    flag = {"architecture": "--arch"}.get(name, "--" + name.replace("_", "-"))
    return flag if value is True else f"{flag} {value}"


def saved(content: Callable[[State], object], name: str = "best.pth", **options: Any) -> Make:
    """A maker of what torch.save writes of something made of the state dict."""

    def make(network: nn.Module, folder: Path) -> Path:
        torch.save(content(network.state_dict()), folder / name, **options)
        return folder / name

    return make


def under(prefix: str, state: State, without: str | tuple[str, ...] = "\n") -> State:
    """The state dict with a prefix before all names, but for those that begin with `without`."""
    return {prefix + name: tensor for name, tensor in state.items() if not name.startswith(without)}


def other(state: State) -> State:
    """Other weights of the same network."""
    return {name: tensor + 1 for name, tensor in state.items()}


def refused(name: str, make: Make, says: str, **changes: Any) -> Form:
    return Form(name, make, says=says, outcome=REFUSED, **changes)
