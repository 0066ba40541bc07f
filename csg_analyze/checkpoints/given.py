"""Networks that others' code builds: a factory of the user's own, transformers, or a module in the file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from csg_analyze.checkpoints.beside import transformers_described
from csg_analyze.checkpoints.factories import build_by, filled, names_factory
from csg_analyze.checkpoints.folder_settings import CONFIG
from csg_analyze.checkpoints.modules import unwrapped
from csg_analyze.checkpoints.programs import Program
from csg_analyze.checkpoints.reading import Contents
from csg_analyze.checkpoints.transformers_networks import HF, config_in, size_of, transformers_network
from csg_analyze.errors import UsageError
from csg_analyze.models import NETWORKS


@dataclass(frozen=True)
class Given:
    """A network with its weights, as others' code built it. size: of its images, where something tells it."""

    network: nn.Module
    architecture: str
    size: int | None = None
    notes: tuple[str, ...] = ()


def given_network(
    contents: Contents,
    architecture: str | None,
    options: Mapping[str, Any],
    size: int | None,
    weights: str | None = None,
) -> Given | None:
    """The network of the factory or of the folder that --arch names, else of the file or of the folder it lies in.

    size: of images, as the user wants it. weights: the set of weights to take, for a factory. None if the network is
    one that `csg_analyze.models.build` knows, or not named. Raises UsageError for a factory that nobody but the file
    names: it is not run by itself.
    """
    if architecture is not None and names_factory(architecture):
        network = build_by(architecture, options)
        return Given(network, architecture, notes=filled(network, contents.tensors, architecture, weights))
    module = None if isinstance(contents.module, Program) else contents.module
    given = module is not None or transformers_described(contents.beside)
    hub = architecture is not None and architecture.startswith(HF)
    if options and (architecture is None or hub or architecture in NETWORKS):
        raise UsageError(
            "--arch-option is for --arch package.module:factory, code of your own, and for networks of timm and "
            "torchvision."
        )
    if weights is not None and (hub or (architecture is None and given)):
        raise UsageError(
            "--weights needs --arch here, of a network that csg-analyze fills: the module in the file is used as it "
            "is, and transformers fills its networks itself."
        )
    if hub:
        return _of_transformers(config_in(str(architecture).removeprefix(HF)), contents, size)
    if architecture is not None:
        return None
    if module is not None:
        network = unwrapped(module)
        return Given(network, type(network).__name__)
    if transformers_described(contents.beside):
        return _of_transformers(contents.beside[CONFIG], contents, size)
    recorded = contents.about.get("architecture")
    if isinstance(recorded, str) and names_factory(recorded):
        raise UsageError(
            f"the file says that {recorded!r} builds its network; that is code, which runs only if you add "
            f"--arch {recorded}."
        )
    return None


def _of_transformers(config: Mapping[str, Any], contents: Contents, size: int | None) -> Given:
    """As the names in the file are, or without what stands before all of them."""
    sets = [contents.tensors, contents.state_dict]
    if contents.tensors.keys() == contents.state_dict.keys():
        sets.pop()
    errors = []
    for tensors in sets:
        try:
            network, notes = transformers_network(config, tensors, size)
        except UsageError as error:
            errors.append(error)
            continue
        return Given(network, type(network).__name__, size_of(config), notes)
    raise errors[-1]
