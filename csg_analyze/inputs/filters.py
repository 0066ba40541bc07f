"""The filters' weights, and the sizes of a gate that training kept fixed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import torch
from torch import Tensor, nn

from csg_analyze.checkpoints import Classifier
from csg_analyze.checkpoints.flat_recipes import grouped
from csg_analyze.errors import NoConvolution, NotAvailable, UsageError, unknown
from csg_analyze.hooks import watched
from csg_analyze.metrics.arrays import FloatArray
from csg_analyze.metrics.correlation import FilterWeights
from csg_analyze.metrics.gates import fixed_sizes, recorded_sizes
from csg_analyze.models import execution_order

PROBED = 3
"""Number of filters for which `matches_features` changes the output."""


def filter_weights(
    classifier: Classifier,
    *,
    weights_layer: Annotated[str | None, "convolution whose filters are compared; default: the feature layer's"] = None,
) -> FilterWeights:
    """Flattened weights of a convolution's filters, (F, D), with its name.

    By default the feature layer itself if it is a convolution; else, of the convolutions that run before the feature
    layer's output, the last one with K filters; else the last one. `matches_features` tells whether filter k makes
    channel k of the feature layer. Raises UsageError for a layer that does not exist or has no filters, NotAvailable
    if no convolution is near the feature layer.
    """
    convolutions = classifier.convolutions() if weights_layer else near_convolutions(classifier)
    name = _named(classifier, convolutions, weights_layer) if weights_layer else _default(classifier, convolutions)
    convolution = convolutions[name]
    weights = _weight(convolution).to("cpu", torch.float64, copy=True).flatten(1).numpy()
    return FilterWeights(name, weights, matches_features(classifier, convolution))


def layer_weights(classifier: Classifier) -> Mapping[str, FloatArray]:
    """Flattened weights (F, D) of all convolutions' filters, by name in the order of definition.

    Raises NotAvailable for a network without convolutions, or with none near its feature layer.
    """
    return {
        name: _weight(convolution).to("cpu", torch.float64, copy=True).flatten(1).numpy()
        for name, convolution in near_convolutions(classifier).items()
    }


def near_convolutions(classifier: Classifier) -> dict[str, nn.Module]:
    """All convolutions by name, if the last one before the feature layer is near it.

    Near means in the second half of the layers with weights that run before the feature layer: the filters of a ViT are
    not those of its patch embedding, which runs first. Raises NotAvailable if none is near.
    """
    try:
        convolutions = classifier.convolutions()
    except NoConvolution as error:  # a usage error where convolutions are all there is to look at
        raise NotAvailable(str(error)) from error
    if classifier.feature_layer in convolutions:
        return convolutions
    weighted = [name for name, module in _before_features(classifier) if _has_weights(module)]
    places = [place for place, name in enumerate(weighted) if name in convolutions]
    if places and 2 * (places[-1] + 1) < len(weighted):
        behind = len(weighted) - places[-1] - 1
        raise NotAvailable(
            f"{classifier.name}: {behind} other layers with weights run between the last convolution, "
            f"{weighted[places[-1]]!r}, and the feature layer {classifier.feature_layer!r}, whose filters are not "
            "those of a convolution."
        )
    return convolutions


def fixed_gate(classifier: Classifier) -> tuple[int, int]:
    """(m1, m2) of a fixed gate (Sec. 4.3): m1 filters per class, m2 for all classes; from the recipe, else the gate."""
    recipe = classifier.record.get("recipe")
    gate = grouped(recipe).get("gate") if isinstance(recipe, Mapping) else None
    recorded = gate.get("fixed_gate") if isinstance(gate, Mapping) else None
    sizes = recorded_sizes(recorded, classifier.n_classes, classifier.n_filters)
    if sizes is None and classifier.gate is not None:
        sizes = fixed_sizes(classifier.gate)
    if sizes is None:
        raise NotAvailable("the gate of this checkpoint was not fixed")
    return sizes


def _named(classifier: Classifier, convolutions: Mapping[str, nn.Module], name: str) -> str:
    if name in convolutions:
        return name
    if name not in dict(classifier.network.network.named_modules()):
        raise unknown("layer with filters", name, convolutions)
    around, candidates = name, list(convolutions)
    while around:  # convolutions inside the layer, else inside the smallest module around it
        inside = [convolution for convolution in convolutions if convolution.startswith(around + ".")]
        around, candidates = ("", inside) if inside else (around.rpartition(".")[0], candidates)
    raise UsageError(
        f"layer {name!r} is no convolution and has no filters of its own; choose one with --weights-layer: "
        f"{', '.join(candidates)}."
    )


def _default(classifier: Classifier, convolutions: Mapping[str, nn.Module]) -> str:
    if classifier.feature_layer in convolutions:
        return classifier.feature_layer
    before = [name for name, _ in _before_features(classifier) if name in convolutions]
    if not before:
        raise NoConvolution(
            f"no convolution runs before layer {classifier.feature_layer!r}; choose one with --weights-layer: "
            f"{', '.join(convolutions)}."
        )
    fitting = [name for name in before if len(_weight(convolutions[name])) == classifier.n_filters]
    return (fitting or before)[-1]


def _before_features(classifier: Classifier) -> list[tuple[str, nn.Module]]:
    """The modules that run before the feature layer's (last) output, in the order of execution."""
    order = execution_order(classifier.network.network, _probe(classifier, 1))
    end = max(index for index, executed in enumerate(order) if executed.name == classifier.feature_layer)
    return [(executed.name, executed.module) for executed in order[:end]]


def _weight(convolution: nn.Module) -> Tensor:
    weight = convolution.weight
    assert isinstance(weight, Tensor)
    return weight.detach()


def _has_weights(module: nn.Module) -> bool:
    """Whether it is a layer of its own with weights of two dimensions or more, so that norms do not count."""
    return any(parameter.ndim >= 2 for parameter in module.parameters(recurse=False))


def matches_features(classifier: Classifier, convolution: nn.Module) -> bool:
    """Whether filter k of the convolution makes channel k of the feature layer, and no other channel.

    The network runs with the output of some filters changed: this must change the same channels alone. In a ResNet the
    last convolution of a block matches and the others do not, though all may have K filters.
    """
    n_filters = classifier.n_filters
    if len(_weight(convolution)) != n_filters:
        return False
    if convolution is classifier.layer():
        return True
    # filters are changed once up and once down: a ReLU may hide one of the two
    channels = torch.linspace(0, n_filters - 1, min(PROBED, n_filters)).round().long().repeat_interleave(2)
    images = 1 + torch.arange(len(channels))  # the first image is not changed
    features: list[Tensor] = []

    def disturb(output: Tensor) -> Tensor:
        disturbed = output.clone()
        step = 1 + 2 * output.abs().max()
        signs = torch.tensor([1.0, -1.0], device=output.device).repeat(len(channels) // 2)
        disturbed[images, channels] += step * signs[:, None, None]
        return disturbed

    def keep(output: Tensor) -> None:
        features.append(output.detach().clone())

    with torch.no_grad(), watched([(convolution, disturb), (classifier.layer(), keep)]):
        classifier.network(_probe(classifier, 1 + len(channels)))
    change = (features[-1][1:] - features[-1][:1]).abs().amax((2, 3)).cpu()  # (2 PROBED, K)
    own = torch.zeros_like(change, dtype=torch.bool)
    own[torch.arange(len(channels)), channels] = True
    # rounding may differ between the images of a batch
    return bool(change[own].max() > 0 and (change[~own] <= 1e-4 * change[own].max()).all())


def _probe(classifier: Classifier, count: int) -> Tensor:
    """`count` copies of one image of noise, always the same."""
    size = classifier.preprocessing.size or 224
    image = torch.rand(1, 3, size, size, generator=torch.Generator().manual_seed(0))
    return image.repeat(count, 1, 1, 1).to(classifier.device)
