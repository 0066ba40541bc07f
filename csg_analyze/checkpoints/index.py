"""Which networks have tensors of given names and shapes: a shipped list of digests, `index.json`.

A network is known by its outermost parts (`conv1`, `layer1`, `blocks`): each has a digest of its tensors' names and
shapes, without those whose shape changes with the number of classes, the head's. So neither the number of classes
matters, nor what lies beside the weights, nor what stands before their names. Tensors that depend on the size of images
(a ViT's positions) are parts of their own, `encoder@`, so that a network for another size is found as the nearest.
`indexing` makes the file.
"""

from __future__ import annotations

import hashlib
import json
import re
from base64 import urlsafe_b64encode
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path

Shape = tuple[int, ...]
PATH = Path(__file__).with_name("index.json")
UNCOUNTED = ("num_batches_tracked", "total_ops", "total_params")
"""Endings of names that files may have or lack: counts of batch norm and of profilers."""
_SIZED = re.compile(r"(pos_embed\w*|position_bias_table|position_index|rel_pos_\w+|attention_biases|attn_mask)$")
SIZED = "@"
"""Ends the part of the tensors that depend on the size of images."""


@dataclass(frozen=True)
class Known:
    """A network of the index.

    name: as `build` takes it. parts: outermost part -> digest. head: names of the head's tensors -> their shapes
    without the number of classes. function: among networks of the same tensors, those of one number compute the same.
    """

    name: str
    parts: Mapping[str, str]
    head: Mapping[str, Shape]
    function: int = 0

    @cached_property
    def tensors(self) -> tuple[object, ...]:
        """What networks of the same names and shapes have in common."""
        return tuple(self.parts.items()), tuple(self.head.items())


@dataclass(frozen=True)
class Found:
    """Networks whose tensors are in a file behind a prefix. lacking: parts that are there in no or another shape."""

    prefix: str
    networks: tuple[Known, ...]
    lacking: tuple[str, ...] = ()

    @property
    def names(self) -> set[str]:
        """The networks' names."""
        return {known.name for known in self.networks}


@dataclass(frozen=True)
class Index:
    """versions: of the libraries. networks: by name. differences: name -> what tells it from those of its tensors."""

    versions: Mapping[str, str]
    networks: Mapping[str, Known]
    differences: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def _with_part(self) -> Mapping[tuple[str, str], list[Known]]:
        """(part, digest) -> the networks that have it."""
        places: dict[tuple[str, str], list[Known]] = defaultdict(list)
        for known in self.networks.values():
            for part in known.parts.items():
                places[part].append(known)
        return places

    @cached_property
    def _heads(self) -> Mapping[str, set[frozenset[str]]]:
        """Part -> the sets of names that networks have for heads in it; none, for those without."""
        heads: dict[str, set[frozenset[str]]] = defaultdict(set)
        for known in self.networks.values():
            inside = parted(known.head)
            for part in known.parts:
                heads[part].add(frozenset(name for name, _ in inside.get(part, ())))
        return heads

    def alike(self, known: Known) -> list[Known]:
        """All networks with the same tensors, itself included."""
        return [other for other in self.networks.values() if other.tensors == known.tensors]

    def search(self, shapes: Mapping[str, Shape]) -> Found | None:
        """The networks of which most tensors are in a file, all of them if there are any; None if there are none.

        shapes: place in the file -> shape. Of networks that are alike in all but the head, those count whose head is
        there, if there are any.
        """
        seen: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
        for (prefix, part), items in _below(shapes, self._heads.keys()).items():
            for names in self._heads[part]:
                rest = [(name, shape) for name, shape in items if name not in names]
                for known in self._with_part.get((part, digest(rest)), ()):
                    seen[prefix, known.name][part] = len(rest)
        if not seen:
            return None

        def rank(place: tuple[str, str]) -> tuple[bool, int]:
            return len(seen[place]) == len(self.networks[place[1]].parts), sum(seen[place].values())

        best = max(seen, key=rank)
        prefix, first = best[0], self.networks[best[1]]
        equal = [self.networks[name] for where, name in seen if where == prefix and rank((where, name)) == rank(best)]
        lacking = tuple(part for part in first.parts if part not in seen[best])
        with_head = [known for known in equal if _has_head(shapes, prefix, known)]
        return Found(prefix, tuple(with_head or equal), lacking)


def parted(shapes: Mapping[str, Shape]) -> dict[str, list[tuple[str, Shape]]]:
    """Outermost part -> its tensors, under the rest of their names."""
    parts: dict[str, list[tuple[str, Shape]]] = {}
    for name, shape in shapes.items():
        part, _, rest = name.partition(".")
        if not rest.endswith(UNCOUNTED):
            parts.setdefault(part + SIZED * is_sized(name), []).append((rest, shape))
    return parts


def is_sized(name: str) -> bool:
    """Whether a tensor of that name has another shape for images of another size."""
    return _SIZED.search(name) is not None


def digest(items: Iterable[tuple[str, Shape]]) -> str:
    """Six letters that stand for names and shapes in any order."""
    text = ";".join(f"{name}:{','.join(map(str, shape))}" for name, shape in sorted(items))
    return urlsafe_b64encode(hashlib.sha256(text.encode()).digest())[:6].decode()


def known_as(name: str, shapes: Mapping[str, Shape], head: Iterable[str], function: int = 0) -> Known:
    """The entry of a network. shapes: of its state dict. head: the names that change with the number of classes."""
    heads = set(head)
    rest = parted({each: shape for each, shape in shapes.items() if each not in heads})
    parts = {part: digest(items) for part, items in sorted(rest.items())}
    return Known(name, parts, {each: shapes[each][1:] for each in sorted(heads)}, function)


def _below(shapes: Mapping[str, Shape], parts: Iterable[str]) -> dict[tuple[str, str], list[tuple[str, Shape]]]:
    """(prefix, part) -> the tensors in it, for every place in the file where a part of that name may begin."""
    wanted = {part.rstrip(SIZED) for part in parts}
    found: dict[tuple[str, str], list[tuple[str, Shape]]] = {}
    for place, shape in shapes.items():
        if place.endswith(UNCOUNTED):
            continue
        keys = place.split(".")
        for depth, part in enumerate(keys):
            if part in wanted:
                prefix = "".join(f"{key}." for key in keys[:depth])
                part += SIZED * is_sized(place)
                found.setdefault((prefix, part), []).append((".".join(keys[depth + 1 :]), shape))
    return found


def _has_head(shapes: Mapping[str, Shape], prefix: str, known: Known) -> bool:
    return all(shapes.get(prefix + name, (-1, -1))[1:] == shape for name, shape in known.head.items())


@lru_cache(maxsize=1)
def read_index() -> Index:
    """The index that is shipped."""
    return parse_index(PATH.read_text(encoding="utf-8"))


def parse_index(text: str) -> Index:
    """The index in a text that `index_text` wrote."""
    content = json.loads(text)
    layouts = [(parts, {name: tuple(shape) for name, shape in head.items()}) for parts, head in content["layouts"]]
    networks = {}
    for name, (layout, digests, function) in content["networks"].items():
        parts, head = layouts[layout]
        cut = (digests[start : start + 6] for start in range(0, len(digests), 6))
        networks[name] = Known(name, dict(zip(parts, cut, strict=True)), head, function)
    return Index(content["versions"], networks, content["differences"])


def index_text(index: Index) -> str:
    """The index as JSON, a network a line. Networks share layouts: the names of their parts, and their heads."""
    layouts: dict[str, int] = {}
    lines = []
    for name, known in index.networks.items():
        layout = json.dumps([list(known.parts), {each: list(shape) for each, shape in known.head.items()}])
        number = layouts.setdefault(layout, len(layouts))
        lines.append(f"{json.dumps(name)}: {json.dumps([number, ''.join(known.parts.values()), known.function])}")
    differences = [f"{json.dumps(name)}: {json.dumps(text)}" for name, text in index.differences.items()]
    return "\n".join(_block(index.versions, layouts, lines, differences)) + "\n"


def _block(
    versions: Mapping[str, str], layouts: Iterable[str], networks: list[str], differences: list[str]
) -> Iterator[str]:
    yield f'{{"versions": {json.dumps(dict(versions))},'
    yield '"layouts": [\n' + ",\n".join(layouts) + "],"
    yield '"networks": {\n' + ",\n".join(networks) + "},"
    yield '"differences": {\n' + ",\n".join(differences) + "}}"
