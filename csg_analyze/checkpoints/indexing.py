"""Makes `index.json`: `python -m csg_analyze.checkpoints.indexing [own] [torchvision] [timm]`, by default all three.

It needs timm and takes minutes, most of them for timm; what is not named is taken from the file as it is. Networks of
the same tensors are compared: by how they are built, or else by their logits for the same weights and images.
"""

from __future__ import annotations

import math
import sys
import warnings
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from importlib.metadata import version

import torch
from torch import Tensor, nn

from csg_analyze.checkpoints.choosing import library_of, preference
from csg_analyze.checkpoints.index import PATH, Index, Known, index_text, known_as, read_index
from csg_analyze.checkpoints.skeletons import on_meta
from csg_analyze.errors import UsageError
from csg_analyze.models import CAFFE, NETWORKS, architectures, build, timm_architectures

LIBRARIES = ("own", "torchvision", "timm")
AFFORDABLE = 150_000_000
"""Networks of more parameters are compared by how they are built alone."""
SIZES = (64, 79)
"""Images to compare logits on, with an even and an odd side, where paddings differ; else of the usual ones."""
USUAL_SIZES = (224, 256, 288, 384, 448, 518, 32)
TOLERANCE = 1e-9
N_CLASSES = 1009
"""No layer but the head has so many rows."""
_WITHOUT_EFFECT = {
    "training", "momentum", "p", "drop_prob", "drop_rate", "inplace", "num_classes", "out_features", "feature_info",
    "default_cfg", "pretrained_cfg", "grad_checkpointing", "fused_attn", "track_running_stats", "scale_by_keep",
    "init_values", "weight_init",
}  # fmt: skip


def names_in(library: str) -> list[str]:
    """The names of a library's networks as `build` takes them."""
    if library == "own":
        return [*NETWORKS, *CAFFE]
    if library == "torchvision":
        return [name for name in architectures() if name not in NETWORKS and name not in CAFFE]
    return timm_architectures()


def entry(name: str) -> Known:
    """The index's entry of a network, which is compared with no other yet."""
    with on_meta():
        shapes = {each: tuple(tensor.shape) for each, tensor in build(name, N_CLASSES).state_dict().items()}
    return known_as(name, shapes, [each for each, shape in shapes.items() if shape[:1] == (N_CLASSES,)])


def same_tensors(networks: Mapping[str, Known]) -> Iterator[list[str]]:
    """Groups of two or more networks that have the same tensors."""
    groups: dict[object, list[str]] = {}
    for name, known in networks.items():
        groups.setdefault(known.tensors, []).append(name)
    yield from (names for names in groups.values() if len(names) > 1)


def functions(names: list[str]) -> tuple[list[int], dict[str, str]]:
    """For networks of the same tensors: numbers, equal for those that compute the same, and what tells others from the
    first, by name. What cannot be compared counts as another function.
    """
    plans = [anatomy(name) for name in names]
    answers = [answer(name) for name in names] if len({repr(plan) for plan in plans}) > 1 else []
    numbers: list[int] = []
    firsts: list[int] = []
    for position, plan in enumerate(plans):
        for number, first in enumerate(firsts):
            if plan == plans[first] or agree(answers[position], answers[first]):
                numbers.append(number)
                break
        else:
            numbers.append(len(firsts))
            firsts.append(position)
    libraries = [name.partition(":")[0] if ":" in name else "" for name in names]
    told = {}
    for position, name in enumerate(names):
        if numbers[position]:
            # of one library if possible: how another one builds says nothing
            first = next((p for p in range(len(names)) if not numbers[p] and libraries[p] == libraries[position]), 0)
            told[name] = difference(plans[position], plans[first])
    return numbers, told


def anatomy(name: str) -> dict[str, str]:
    """A network's modules and their plain attributes: `layer2.0.conv1.stride` -> `(2, 2)`."""
    with on_meta():
        network = build(name, 3)
    plan: dict[str, str] = {}
    for place, module in network.named_modules():
        plan[place] = type(module).__name__
        for key, value in sorted(vars(module).items()):
            if key.startswith("_") or key in _WITHOUT_EFFECT or isinstance(value, Tensor | nn.Module):
                continue
            if isinstance(value, str | int | float | tuple | list | None):
                plan[f"{place}.{key}".lstrip(".")] = repr(value)
            elif callable(value):
                plan[f"{place}.{key}".lstrip(".")] = getattr(value, "__qualname__", type(value).__name__)
    return plan


def difference(plan: Mapping[str, str], other: Mapping[str, str]) -> str:
    """In what a network first differs from another, in words; empty if only its forward pass does."""
    for place in plan:
        mine, others = plan[place], other.get(place, "nothing")
        if mine != others and max(len(mine), len(others)) < 60:
            return f"{place} is {mine} instead of {others}"
    return ""


def answer(name: str) -> dict[int, Tensor]:
    """Size -> logits of a network with weights that depend on the names and shapes of its tensors alone."""
    with torch.random.fork_rng():
        network = build(name, 3)
    if sum(parameter.numel() for parameter in network.parameters()) > AFFORDABLE:
        return {}
    generator = torch.Generator().manual_seed(0)
    state = network.state_dict()
    for each in sorted(state):
        if state[each].is_floating_point():
            state[each].copy_(_drawn(each, state[each], generator))
    network = network.double().eval()
    found: dict[int, Tensor] = {}
    for size in (*SIZES, *USUAL_SIZES):
        if size in SIZES or not found:
            try:
                with torch.no_grad():
                    logits = network(torch.rand(2, 3, size, size, generator=generator.manual_seed(1)).double())
            except (RuntimeError, AssertionError, ValueError):  # the network takes another size
                continue
            found[size] = logits
    return found


def _drawn(name: str, tensor: Tensor, generator: torch.Generator) -> Tensor:
    """Values of usual size; variances down to a thousandth, so that the epsilon added to them shows."""
    values = torch.randn(tensor.shape, generator=generator)
    if name.endswith("running_var"):
        return (values.abs().clamp(max=3) - 3).mul(2.3).exp()
    if tensor.ndim > 1:
        return values / math.sqrt(tensor[0].numel())
    return 1 + 0.2 * values if name.endswith("weight") else 0.2 * values


def agree(one: Mapping[int, Tensor], other: Mapping[int, Tensor]) -> bool:
    """Whether two networks' logits are equal, for every size that both take; False if there is none."""
    common = one.keys() & other.keys()
    return bool(common) and all(
        one[size].isfinite().all() and (one[size] - other[size]).abs().max() <= TOLERANCE * one[size].abs().max()
        for size in common
    )


def made_index(libraries: list[str], before: Index | None) -> Index:
    """The index with the networks of these libraries made anew, and the rest as before."""
    networks: dict[str, Known] = {}
    anew = []
    for library in LIBRARIES:
        if library not in libraries:
            kept = before.networks.items() if before else ()
            networks |= {name: known for name, known in kept if library_of(name) == library}
            continue
        say(f"{library}: names and shapes of {len(names_in(library))} networks")
        for name in names_in(library):
            try:
                known = entry(name)
            except UsageError as error:  # a library may list what cannot be built here
                say(f"left out: {name}: {error}")
                continue
            if known.head:  # else it gives no classes
                networks[name] = known
                anew.append(name)
    versions = {} if before is None else dict(before.versions)
    versions |= {library: version(library) for library in libraries if library != "own"}
    return compared(Index(versions, networks, {} if before is None else before.differences), anew)


def compared(index: Index, anew: Collection[str]) -> Index:
    """The index in which networks of the same tensors are told apart, wherever one of them is new."""
    networks = dict(index.networks)
    differences = {name: text for name, text in index.differences.items() if name in networks}
    for group in same_tensors(networks):
        if not set(group) & set(anew):
            continue
        names = sorted(group, key=preference)
        numbers, told = functions(names)
        say(", ".join(f"{name} {number}" for name, number in zip(names, numbers, strict=True)))
        differences = {name: text for name, text in differences.items() if name not in names} | told
        networks |= {name: replace(networks[name], function=n) for name, n in zip(names, numbers, strict=True)}
    return Index(index.versions, networks, dict(sorted(differences.items())))


def say(line: str) -> None:
    """Progress for whoever makes the index."""
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    chosen = sys.argv[1:] or list(LIBRARIES)
    made = made_index(chosen, read_index() if PATH.exists() else None)
    PATH.write_text(index_text(made), encoding="utf-8")
    say(f"{len(made.networks)} networks, {PATH.stat().st_size:,} bytes")
