"""From a file to a classifier: read it, recognise the architecture, find the layers, check that all parts match."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from csg_analyze.checkpoints.beside import timm_described
from csg_analyze.checkpoints.class_names import class_names_of
from csg_analyze.checkpoints.classifier import Classifier, PixelNetwork, Preprocessing
from csg_analyze.checkpoints.containers import INDEX
from csg_analyze.checkpoints.factories import importable_here
from csg_analyze.checkpoints.folder_settings import CONFIG
from csg_analyze.checkpoints.given import given_network
from csg_analyze.checkpoints.modules import answered, prepared, with_size
from csg_analyze.checkpoints.pixel_sources import preprocessing_of
from csg_analyze.checkpoints.preprocessing import of_flags
from csg_analyze.checkpoints.reading import read_contents
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
    resize: int | None = None,
    channels: str | None = None,
    allow_pickle: bool = False,
    device: str | None = None,
    name: str | None = None,
    weights: str | None = None,
) -> Classifier:
    """A classifier in eval mode from any checkpoint; arguments that are not None replace what it records.

    architecture: a name that `csg_analyze.models.build` takes, or package.module:factory, code of the user's own that
    is imported and called with `arch_options`; without one, a module in the file is used as it is. layer: the feature
    layer. mean, std: RGB, for pixels in [0, 1]. size, resize: in pixels, as in `Preprocessing`. channels: "rgb", or
    "bgr" for a network that takes blue first. weights: which set of weights to take, if the file holds several (EMA, a
    teacher). Raises UsageError if the file cannot become a classifier.
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
        users = given_network(contents, architecture, arch_options or {}, size, weights)
        flags = tuple(of_flags(mean, std, size, resize, channels))
        if users is None:
            restored = restore_network(contents, architecture, weights, arch_options, size)
            network, architecture, rows = restored.network, restored.architecture, restored.n_classes
            gate, notes = restored.gate, restored.notes
            _check_count(n_classes, rows)
            preprocessing, remarks = preprocessing_of(contents, architecture, rows, flags, network)
            preprocessing = _sized(preprocessing, restored.size, "timm")
            if arch_options or architecture.startswith(TIMM):
                _, code = answered(network, preprocessing)
        else:
            network, notes = prepared(users.network)
            notes = (*users.notes, *notes)
            architecture = users.architecture
            preprocessing, remarks = preprocessing_of(contents, None, None, flags, network)
            preprocessing = with_size(network, _sized(preprocessing, users.size, CONFIG))
            rows, code = answered(network, preprocessing)
            _check_count(n_classes, rows)
        pixels = PixelNetwork(network, preprocessing).eval()
        feature_layer, head = found_layers(pixels, preprocessing)
        class_names, naming = class_names_of(contents, rows)
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
        notes=(*contents.notes, *notes, *naming, *remarks),
        code=code,
    )
    return checked(classifier, layer)


def _name_of(path: Path) -> str:
    return path.resolve().name if path.is_dir() else path.name.removesuffix(INDEX).rpartition(".")[0] or path.name


def _sized(preprocessing: Preprocessing, size: int | None, by: str) -> Preprocessing:
    """With the size that the network's own settings tell, where nothing else does."""
    if size is None or preprocessing.size is not None:
        return preprocessing
    origins = {**preprocessing.origins, "size": by}
    return replace(preprocessing, size=size, origin=f"{preprocessing.origin}; size {size} by {by}", origins=origins)


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
