"""From a file to a classifier: read it, recognise the architecture, find the layers, check that all parts match."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from csg_analyze.checkpoints.class_names import class_names_of
from csg_analyze.checkpoints.classifier import Classifier, PixelNetwork, Preprocessing
from csg_analyze.checkpoints.containers import INDEX
from csg_analyze.checkpoints.factories import importable_here
from csg_analyze.checkpoints.folder_settings import CONFIG
from csg_analyze.checkpoints.modules import SIZES, answered, prepared, size_refused, with_size
from csg_analyze.checkpoints.obtaining import network_of
from csg_analyze.checkpoints.pixel_sources import preprocessing_of
from csg_analyze.checkpoints.preprocessing import of_flags
from csg_analyze.checkpoints.programs import Program, open_to_hooks
from csg_analyze.checkpoints.reading import read_contents
from csg_analyze.checkpoints.recognising import Restored
from csg_analyze.devices import choose_device
from csg_analyze.errors import UsageError
from csg_analyze.files import spelled
from csg_analyze.models import NO_LAYERS, TIMM, Layers, attached, examine


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
    casts: tuple[str, ...] = ()
    try:
        found = network_of(contents, architecture, arch_options or {}, size, weights)
        flags = tuple(of_flags(mean, std, size, resize, channels))
        if isinstance(found, Restored):
            network, rows, gate = found.network, found.n_classes, found.gate
            preprocessing, remarks = preprocessing_of(contents, found.architecture, rows, flags, network)
            preprocessing = _sized(preprocessing, found.size, "what the network takes", only=size is None)
            told_apart = bool(arch_options) or found.architecture.startswith(TIMM)
            code = answered(network, preprocessing)[1] if told_apart else None
        else:
            (network, casts), gate = prepared(found.network), contents.gate
            preprocessing, remarks = preprocessing_of(contents, None, None, flags, network)
            preprocessing = with_size(network, _sized(preprocessing, found.size, CONFIG))
            network = open_to_hooks(network)
            rows, code = answered(network, preprocessing)
        _check_count(n_classes, rows)
        pixels = PixelNetwork(network, preprocessing).eval()
        layers = found_layers(pixels, preprocessing, layer or about.get("feature_layer"))
        class_names, naming = class_names_of(contents, rows)
    except UsageError as error:
        raise UsageError(f"{str(path)!r}: {error}") from error
    classifier = Classifier(
        name=spelled(name or _name_of(path)),
        path=path,
        sha256=contents.sha256,
        architecture=found.architecture,
        network=pixels.requires_grad_(False).to(choose_device(device)).to(memory_format=torch.channels_last),
        preprocessing=preprocessing,
        feature_layer=layers.feature_layer,
        head=layers.head,
        n_classes=rows,
        n_filters=layers.n_filters,
        class_names=class_names,
        gate=None if gate is None else gate.double().numpy(),
        training=about.get("training") or ("CSG" if gate is not None else None),
        data=about.get("data"),
        record=about.get("record", {}),
        notes=(*contents.notes, *found.notes, *casts, *naming, *remarks),
        code=code,
        head_input=layers.head_input,
        no_layer=network.no_layer if isinstance(network, Program) else "",
    )
    return checked(classifier)


def _name_of(path: Path) -> str:
    return path.resolve().name if path.is_dir() else path.name.removesuffix(INDEX).rpartition(".")[0] or path.name


def _sized(preprocessing: Preprocessing, size: int | None, by: str, *, only: bool = False) -> Preprocessing:
    """With the size that the network's own settings tell, where nothing else does; only: whatever else is told.

    The margin that is cut off keeps its share.
    """
    told = preprocessing.size
    if size is None or size == told or (told is not None and not only):
        return preprocessing
    resize = round(preprocessing.resize * size / told) if preprocessing.resize and told else None
    origins = {**preprocessing.origins, "size": by}
    origin = f"{preprocessing.origin}; size {size} by {by}"
    return replace(preprocessing, size=size, resize=resize, origin=origin, origins=origins)


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
