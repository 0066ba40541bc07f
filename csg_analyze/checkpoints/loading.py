"""From a file to a classifier: read it, recognise the architecture, find the layers, check that all parts match."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from csg_analyze.checkpoints.beside import CONFIG, names_of_classes, timm_described
from csg_analyze.checkpoints.classifier import Classifier, PixelNetwork, Preprocessing
from csg_analyze.checkpoints.containers import INDEX
from csg_analyze.checkpoints.factories import importable_here
from csg_analyze.checkpoints.given import given_network
from csg_analyze.checkpoints.modules import answered, prepared, with_size
from csg_analyze.checkpoints.preprocessing import ASSUMED, find_preprocessing
from csg_analyze.checkpoints.reading import Contents, read_contents
from csg_analyze.checkpoints.recognising import restore_network
from csg_analyze.devices import choose_device
from csg_analyze.errors import UsageError
from csg_analyze.models import TIMM, execution_order, find_layers


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
        if architecture is None and not contents.own and contents.module is None:
            architecture, arch_options = timm_described(contents.beside) or (None, arch_options)
        users = given_network(contents, architecture, arch_options or {}, size)
        if users is not None and weights is not None:
            raise UsageError(
                "--weights chooses for networks that csg-analyze builds itself; save that set as a file of its own."
            )
        flagged = partial(find_preprocessing, recorded=about.get("preprocessing"), mean=mean, std=std, size=size)
        if users is None:
            restored = restore_network(contents, architecture, weights, arch_options, size)
            network, architecture, rows = restored.network, restored.architecture, restored.n_classes
            gate, notes = restored.gate, restored.notes
            _check_count(n_classes, rows)
            own = not architecture.startswith(TIMM)
            preprocessing = flagged(architecture) if own else _sized(flagged(None), restored.size, "timm")
            if arch_options or not own:
                _, code = answered(network, preprocessing)
        else:
            network, notes = prepared(users.network)
            notes = (*users.notes, *notes)
            architecture = users.architecture
            preprocessing = with_size(network, _sized(flagged(None), users.size, CONFIG))
            rows, code = answered(network, preprocessing)
            _check_count(n_classes, rows)
        class_names, remarks = _class_names(contents, rows)
        pixels = PixelNetwork(network, preprocessing).eval()
        feature_layer, head = found_layers(pixels, preprocessing)
    except UsageError as error:
        raise UsageError(f"{str(path)!r}: {error}") from error
    classifier = Classifier(
        name=name or _name_of(path),
        path=path,
        sha256=contents.sha256,
        architecture=architecture,
        network=pixels.requires_grad_(False).to(choose_device(device)).to(memory_format=torch.channels_last),
        preprocessing=preprocessing,
        feature_layer=about.get("feature_layer", feature_layer),
        head=head,
        n_classes=rows,
        n_filters=0,  # set by `checked`, after the layer
        class_names=class_names,
        gate=None if gate is None else gate.double().numpy(),
        training=about.get("training") or ("CSG" if gate is not None else None),
        data=about.get("data"),
        record=about.get("record", {}),
        notes=(
            *contents.notes,
            *notes,
            *remarks,
            *((f"preprocessing {ASSUMED}",) if ASSUMED in preprocessing.origin else ()),
        ),
        code=code,
    )
    return checked(classifier, layer)


def _name_of(path: Path) -> str:
    return path.resolve().name if path.is_dir() else path.name.removesuffix(INDEX).rpartition(".")[0] or path.name


def _sized(preprocessing: Preprocessing, size: int | None, by: str) -> Preprocessing:
    """With the size that the network's own settings tell, where nothing else does."""
    if size is None or preprocessing.size is not None:
        return preprocessing
    return replace(preprocessing, size=size, origin=f"{preprocessing.origin}; size {size} by {by}")


def _class_names(contents: Contents, rows: int) -> tuple[tuple[str, ...] | None, tuple[str, ...]]:
    """Names that the file records or its folder tells, and a remark where those of the folder are of another head."""
    if contents.own:
        recorded = contents.about.get("class_names")
        return (tuple(recorded) if recorded else None), ()
    names = names_of_classes(contents.beside)
    if names is not None and len(names) != rows:
        return None, (f"{CONFIG} names {len(names)} classes and the head has {rows} rows: the names were left out",)
    return names, ()


def _check_count(n_classes: int | None, rows: int) -> None:
    if n_classes is not None and n_classes != rows:
        raise UsageError(f"--num-classes says {n_classes}, but the head has {rows} rows.")


def found_layers(network: PixelNetwork, preprocessing: Preprocessing) -> tuple[str, str]:
    """Feature layer and head, from a forward pass over one grey image of the network's own size."""
    size = preprocessing.size or 224
    try:
        return find_layers(network.network, torch.full((1, 3, size, size), 0.5))
    except RuntimeError as error:
        raise UsageError(f"the network does not take {size}x{size} images; give --size.") from error


def checked(classifier: Classifier, layer: str | None = None) -> Classifier:
    """The classifier with its number of filters, and with `layer` as its feature layer if one is named.

    Raises UsageError if layer, gate or class names do not fit.
    """
    if layer is not None:
        classifier = replace(classifier, feature_layer=layer)
    classifier.layer()  # raises for a layer that does not exist
    size = classifier.preprocessing.size or 224
    probe = torch.full((1, 3, size, size), 0.5, device=classifier.device)
    order = execution_order(classifier.network.network, probe)
    maps = [executed.shape for executed in order if executed.name == classifier.feature_layer]
    where = f"{classifier.source!r}: "
    if not maps or len(maps[-1]) != 4:
        raise UsageError(
            f"{where}layer {classifier.feature_layer!r} has no filters (its output is no (N, K, h, w) map); choose one "
            f"with --layer, for example {', '.join(list(classifier.convolutions())[-3:])}."
        )
    classifier = replace(classifier, n_filters=maps[-1][1])
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
