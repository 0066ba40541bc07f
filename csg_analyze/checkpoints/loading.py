"""From a file to a classifier: read it, recognise the architecture, find the layers, check that all parts match."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from csg_analyze.checkpoints.classifier import Classifier, PixelNetwork, Preprocessing
from csg_analyze.checkpoints.containers import INDEX
from csg_analyze.checkpoints.factories import build_by, fill, importable_here, names_factory
from csg_analyze.checkpoints.modules import SIZES, answered, prepared, size_refused, unwrapped, with_size
from csg_analyze.checkpoints.preprocessing import ASSUMED, find_preprocessing
from csg_analyze.checkpoints.programs import Program, agreement, open_to_hooks, tried
from csg_analyze.checkpoints.reading import Contents, read_contents
from csg_analyze.checkpoints.recognising import Restored, restore_network
from csg_analyze.devices import choose_device
from csg_analyze.errors import UsageError
from csg_analyze.models import NO_LAYERS, Layers, attached, examine


def load_classifier(
    path: Path | str,
    *,
    architecture: str | None = None,
    arch_options: Mapping[str, Any] | None = None,
    n_classes: int | None = None,
    layer: str | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    size: int | None = None,
    allow_pickle: bool = False,
    device: str | None = None,
    name: str | None = None,
    weights: str | None = None,
) -> Classifier:
    """A classifier in eval mode from any checkpoint; arguments that are not None replace what it records.

    architecture: a name that `csg_analyze.models.build` takes, or package.module:factory, code of the user's own that
    is imported and called with `arch_options`; without one, a module in the file is used as it is. layer: the feature
    layer. mean, std: RGB, for pixels in [0, 1]. size: in pixels. weights: which set of weights to take, if the file
    holds several (EMA, a teacher). Raises UsageError if the file cannot become a classifier.
    """
    path = Path(path)
    # classes of a pickled module may lie in the working directory
    with importable_here() if allow_pickle else nullcontext():
        contents = read_contents(path, allow_pickle=allow_pickle)
    about = contents.about if contents.own else {}  # other programs mean other things by these names
    gate, code = contents.gate, None
    notes: tuple[str, ...] = ()
    try:
        users, restored = _users_network(contents, architecture, arch_options or {}), None
        if isinstance(contents.module, Program):
            users, restored, notes = _of_program(contents, users, architecture, weights)
        if users is not None and weights is not None:
            raise UsageError(
                "--weights chooses for networks that csg-analyze builds itself; save that set as a file of its own."
            )
        flagged = partial(find_preprocessing, recorded=about.get("preprocessing"), mean=mean, std=std, size=size)
        if users is None:
            restored = restored or restore_network(contents, architecture, weights)
            network, architecture, rows = restored.network, restored.architecture, restored.n_classes
            gate, notes = restored.gate, (*notes, *restored.notes)
            _check_count(n_classes, rows)
            preprocessing = flagged(architecture)
        else:
            network, remarks = prepared(users)
            notes = (*notes, *remarks)
            architecture = architecture or _name_of_code(users)
            preprocessing = with_size(network, flagged(None))
            network = open_to_hooks(network)
            rows, code = answered(network, preprocessing)
            _check_count(n_classes, rows)
        pixels = PixelNetwork(network, preprocessing).eval()
        layers = found_layers(pixels, preprocessing, layer or about.get("feature_layer"))
    except UsageError as error:
        raise UsageError(f"{str(path)!r}: {error}") from error
    classifier = Classifier(
        name=name or _name_of(path),
        path=path,
        sha256=contents.sha256,
        architecture=architecture,
        network=pixels.requires_grad_(False).to(choose_device(device)).to(memory_format=torch.channels_last),
        preprocessing=preprocessing,
        feature_layer=layers.feature_layer,
        head=layers.head,
        n_classes=rows,
        n_filters=layers.n_filters,
        class_names=tuple(about["class_names"]) if about.get("class_names") else None,
        gate=None if gate is None else gate.double().numpy(),
        training=about.get("training") or ("CSG" if gate is not None else None),
        data=about.get("data"),
        record=about.get("record", {}),
        notes=(*contents.notes, *notes, *((f"preprocessing {ASSUMED}",) if ASSUMED in preprocessing.origin else ())),
        code=code,
        head_input=layers.head_input,
        no_layer=network.no_layer if isinstance(network, Program) else "",
    )
    return checked(classifier)


def _name_of(path: Path) -> str:
    return path.resolve().name if path.is_dir() else path.name.removesuffix(INDEX).rpartition(".")[0] or path.name


def _users_network(contents: Contents, architecture: str | None, options: Mapping[str, Any]) -> nn.Module | None:
    """The network that the user's own code builds: by the factory that --arch names, else the module in the file.

    None if there is neither. Raises UsageError for a factory that nobody but the file names: it is not run by itself.
    """
    recorded = contents.about.get("architecture")
    if architecture is not None and names_factory(architecture):
        network = build_by(architecture, options)
        fill(network, contents.state_dict, architecture)
        return network
    if options:
        raise UsageError("--arch-option is for --arch package.module:factory, code of your own.")
    if architecture is not None:
        return None
    if isinstance(contents.module, Program):
        return contents.module
    if contents.module is not None:
        return unwrapped(contents.module)
    if isinstance(recorded, str) and names_factory(recorded):
        raise UsageError(
            f"the file says that {recorded!r} builds its network; that is code, which runs only if you add "
            f"--arch {recorded}."
        )
    return None


def _of_program(
    contents: Contents, users: nn.Module | None, architecture: str | None, weights: str | None
) -> tuple[nn.Module | None, Restored | None, tuple[str, ...]]:
    """Of a TorchScript or exported file: the program, or the network of a known architecture with its weights.

    The latter takes hooks, and is better where it gives the program's logits. architecture: one that a flag names is
    taken in any case. Returns the program or the user's network, else the restored one, and remarks.
    """
    program = contents.module
    assert isinstance(program, Program)
    if users is not None and users is not program:
        restored, network = None, users
    else:
        try:
            restored = restore_network(contents, architecture, weights)
        except UsageError:
            if architecture is not None:
                raise
            return tried(program), None, ()
        network = restored.network
    found = agreement(tried(program), network)
    if found.same:
        return users if restored is None else None, restored, ()
    name = architecture or (restored.architecture if restored is not None else "")
    if architecture is None:
        remark = f"its weights fit {name}, which gives other logits than the {program.kind} network: that is used"
        return tried(program), None, (remark,)
    said = "gives other logits than" if found.compared else "could not be compared with"
    remark = f"{name} with its weights {said} the {program.kind} network in the file"
    return users if restored is None else None, restored, (remark,)


def _name_of_code(network: nn.Module) -> str:
    return network.architecture if isinstance(network, Program) else type(network).__name__


def _check_count(n_classes: int | None, rows: int) -> None:
    if n_classes is not None and n_classes != rows:
        raise UsageError(f"--num-classes says {n_classes}, but the head has {rows} rows.")


def found_layers(network: PixelNetwork, preprocessing: Preprocessing, layer: str | None = None) -> Layers:
    """Feature layer and head, from a pass over noise of the network's own size; a view is added where one is needed.

    A program that takes no hooks has none. layer: the feature layer to take. Raises UsageError for a size that the
    network does not take, and as `examine`.
    """
    if isinstance(network.network, Program):
        if layer is not None:
            raise UsageError(f"--layer {layer} cannot be used: {network.network.no_layer}.")
        return NO_LAYERS
    size = preprocessing.size or SIZES[0]
    try:
        layers = examine(network.network, size, size, layer=layer)
    except UsageError:
        raise
    except Exception as error:  # each network has its own errors for a size that it does not take
        raise size_refused(network.network, size, size, error) from error
    view = attached(network.network, layers)
    if view is not None:
        network.add_view(layers.feature_layer, view)
    return layers


def checked(classifier: Classifier) -> Classifier:
    """The classifier, without a gate that is for another layer. Raises UsageError if gate or class names do not fit."""
    where = f"{classifier.source!r}: "
    expected = (classifier.n_classes, classifier.n_filters)
    if classifier.gate is not None and classifier.gate.shape != expected:
        if classifier.gate.shape[0] == expected[0]:  # the gate belongs to the default layer, not to the chosen one
            remark = f"the gate is for another layer than {classifier.feature_layer!r} and was left out"
            return replace(classifier, gate=None, notes=(*classifier.notes, remark))
        raise UsageError(f"{where}the gate has shape {classifier.gate.shape}, but classes x filters is {expected}.")
    if classifier.class_names is not None and len(classifier.class_names) != classifier.n_classes:
        raise UsageError(
            f"{where}{len(classifier.class_names)} class names are recorded, "
            f"but the head has {classifier.n_classes} rows."
        )
    return classifier
