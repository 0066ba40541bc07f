"""The tensors of a file that fit a network best, whatever stands before their names."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from csg_analyze.checkpoints.skeletons import Skeleton
from csg_analyze.checkpoints.statements import is_normalisation
from csg_analyze.checkpoints.unwrapping import named_prefixes, preferred_prefix

AUTHORS_GATE = "lmask.mask"  # the paper's own checkpoints keep the gate here, as (K, C)
UNCOUNTED = "num_batches_tracked"
"""Files from before torch 0.4.1 do not count the batches of batch norm; nothing in eval mode reads the count."""
AUXILIARY = ("aux1.", "aux2.", "AuxLogits.")
"""Training-only branches of GoogLeNet and Inception."""
_ASIDE = re.compile(
    r"optim|sched|criteri|loss|proj|predictor|contrast|dino|queue|moment|teacher|ema|swa|avg|averag|aux|_k$|total_"
)
_HEAD_WORDS = re.compile(r"head|fc|classif|linear|logit|cls|out|dense|last|top")

NAMED_TENSORS = 5


@dataclass(frozen=True)
class Match:
    """A set of weights in a file, held against a network.

    prefix: what stands before their names. sources: network's name -> place in the file. missing, unknown: names that
    only the network, only the file has. misshapen: sentences. ignored: other parts of the file -> their number of
    tensors. rivals: prefixes of other sets that would do. head: the module in the file, if not in its own place.
    """

    prefix: str
    sources: Mapping[str, str]
    missing: tuple[str, ...] = ()
    misshapen: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    ignored: Mapping[str, int] = field(default_factory=dict)
    rivals: tuple[str, ...] = ()
    head: str | None = None

    @property
    def fits(self) -> bool:
        """Whether all of the network is there, and nothing of another network."""
        return not (self.missing or self.misshapen or self.unknown)

    @property
    def differences(self) -> str:
        """What does not fit, in words; empty if all does."""
        if not self.sources:
            return f"none of its {len(self.missing)} weights is in the file, which holds {_listed([*self.ignored])}"
        parts = [_listed(self.misshapen)] if self.misshapen else []
        parts += [f"{len(self.missing)} weights are missing ({_listed(self.missing)})"] if self.missing else []
        parts += [f"{len(self.unknown)} are unknown to it ({_listed(self.unknown)})"] if self.unknown else []
        return " and ".join(parts)


def best_match(tensors: Mapping[str, Tensor], network: Skeleton, wanted: str | None = None) -> Match:
    """The set of weights that fits best; of several that fit, the wanted one, or else the one that is no average.

    tensors: by place. wanted: as `--weights` names it. Raises UsageError if there is no set of that name.
    """
    counts = _prefixes(tensors, network) or Counter({"": 0})
    most = max(counts.values())
    plausible = [prefix for prefix, count in counts.items() if 2 * count >= most]
    matches = {prefix: _match(tensors, network, prefix, plausible) for prefix in plausible}
    usable = [prefix for prefix, match in matches.items() if match.fits]
    named = named_prefixes(plausible, wanted)
    if not set(named) & set(usable):
        return matches[max(named, key=counts.__getitem__)]
    best = preferred_prefix([prefix for prefix in usable if prefix in named])
    return replace(matches[best], rivals=tuple(prefix for prefix in usable if prefix != best))


def _prefixes(tensors: Mapping[str, Tensor], network: Skeleton) -> Counter[str]:
    """What stands before the network's names in the file -> how many names, and how many shapes, agree."""
    counts: Counter[str] = Counter()
    for place, tensor in tensors.items():
        for prefix, name in _splits(place):
            if name in network.shapes:
                counts[prefix] += 1 + network.takes(name, tuple(tensor.shape))
    return counts


def _splits(place: str) -> Iterator[tuple[str, str]]:
    """("", "a.b"), ("a.", "b")."""
    yield "", place
    for dot in re.finditer(r"\.", place):
        yield place[: dot.end()], place[dot.end() :]


def _match(tensors: Mapping[str, Tensor], network: Skeleton, prefix: str, prefixes: Sequence[str]) -> Match:
    """The weights behind a prefix. prefixes: of all sets, whose tensors count for none but their own."""
    sources = {name: prefix + name for name in network.shapes if prefix + name in tensors}
    others = [each for each in prefixes if each != prefix]
    taken = {*sources.values(), *(each + name for each in others for name in network.shapes)}
    left = {place: tensor for place, tensor in tensors.items() if place not in taken}
    head = None if network.head & sources.keys() else _head_elsewhere(left, network, prefix)
    if head is not None:
        moved = {name: f"{head}.{name.rpartition('.')[2]}" for name in network.head}
        sources |= moved
        left = {place: tensor for place, tensor in left.items() if place not in moved.values()}
    missing = tuple(name for name in network.shapes if name not in sources and not name.endswith(UNCOUNTED))
    faults = (_fault(name, tensors[place], network) for name, place in sources.items())
    misshapen = tuple(fault for fault in faults if fault)
    rows = {len(tensors[place]) for name, place in sources.items() if name in network.head and tensors[place].ndim}
    if len(rows) > 1 and not misshapen:
        misshapen = (f"its head's weights and biases have {' and '.join(map(str, sorted(rows)))} rows",)
    unknown = tuple(place for place, tensor in left.items() if _of_the_network(place, tensor, network, prefix))
    ignored = Counter(
        _divergence(place, prefix)
        for place in left
        if place not in unknown and not place.removeprefix(prefix).startswith((*AUXILIARY, AUTHORS_GATE))
    )
    return Match(prefix, sources, missing, misshapen, unknown, ignored, head=head)


def _fault(name: str, tensor: Tensor, network: Skeleton) -> str | None:
    """Why a tensor cannot be the network's of that name; None if it can."""
    if not network.takes(name, tuple(tensor.shape)):
        rows = ("classes", *network.shapes[name][1:]) if name in network.head else network.shapes[name]
        return f"{name!r} has shape {_shape(tensor.shape)} instead of {_shape(rows)}"
    if tensor.is_quantized or tensor.layout is not torch.strided or tensor.is_meta:
        return f"{name!r} holds no plain numbers (it is quantised, sparse or empty)"
    if name in network.floating and not tensor.is_floating_point():
        return f"{name!r} holds {str(tensor.dtype).removeprefix('torch.')} instead of floating-point numbers"
    return None


def _of_the_network(place: str, tensor: Tensor, network: Skeleton, prefix: str) -> bool:
    """Whether a tensor that the network lacks lies among its own, so that the file is of another network.

    Parts of other names count as well where they convolve, unless their name says that they stand aside.
    """
    if not place.startswith(prefix) or place.endswith(UNCOUNTED) or is_normalisation(place, tensor):
        return False
    name = place.removeprefix(prefix)
    part = name.partition(".")[0]
    if name.startswith(AUXILIARY) or name.endswith(("total_ops", "total_params")):  # counters of a profiler
        return False
    return part in network.parts or (tensor.ndim == 4 and not _ASIDE.search(part.lower()))


def _head_elsewhere(left: Mapping[str, Tensor], network: Skeleton, prefix: str) -> str | None:
    """The module outside the network's own names that can only be its head: `head.fc` beside `backbone.`.

    The nearest place counts, then the head's own name, then a name that says so. None if no or several modules do, or
    if it is one layer of a head of several.
    """
    modules = {name.rpartition(".")[0] for name in network.head}
    if len(modules) != 1:
        return None
    own = modules.pop().rpartition(".")[2]
    weight = max(network.head, key=lambda name: len(network.shapes[name]))
    ending = "." + weight.rpartition(".")[2]
    candidates = [
        place.removesuffix(ending)
        for place, tensor in left.items()
        if place.endswith(ending) and network.takes(weight, tuple(tensor.shape)) and len(tensor) > 1
        and all(f"{place.removesuffix(ending)}.{name.rpartition('.')[2]}" in left for name in network.head)
    ]  # fmt: skip
    scopes = [scope for scope, _ in _splits(prefix)][::-1]
    scope = next((scope for scope in scopes if any(place.startswith(scope) for place in candidates)), "")
    apart = (place for place in candidates if place.startswith(scope))
    near = [place for place in apart if not _ASIDE.search(place.removeprefix(scope).lower())]
    named = [place for place in near if place.rpartition(".")[2] == own]
    telling = [place for place in near if _HEAD_WORDS.search(place.removeprefix(scope).lower())]
    head = next((choice[0] for choice in (named, telling) if len(choice) == 1), None)
    if head is None:
        return None
    branch = scope + head.removeprefix(scope).partition(".")[0] + "."
    more = [place for place in left if place.startswith(branch) and not place.startswith(head + ".")]
    return None if more else head


def _divergence(place: str, prefix: str) -> str:
    """The shortest beginning of a place that is no beginning of the prefix: `state_dict.criterion`."""
    keys = place.split(".")
    beginnings = (".".join(keys[:length]) for length in range(1, len(keys) + 1))
    return next((each for each in beginnings if not prefix.startswith(each + ".")), place)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED_TENSORS} more" if len(names) > NAMED_TENSORS else ""
    return ", ".join(names[:NAMED_TENSORS]) + more


def _shape(shape: Iterable[object]) -> str:
    return f"({', '.join(map(str, shape))})"
