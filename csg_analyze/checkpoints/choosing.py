"""Which of the networks that have a file's tensors is taken, and what is said of the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from csg_analyze.checkpoints.index import Found, Index, Known
from csg_analyze.checkpoints.sayings import style_said
from csg_analyze.errors import UsageError
from csg_analyze.models import CAFFE, NETWORKS, TIMM

LISTED = 6


class Choice(NamedTuple):
    """The name of a network, and remarks for a report."""

    name: str
    notes: tuple[str, ...] = ()


def chosen(found: Found, about: Mapping[str, object], index: Index) -> Choice:
    """The network that a file holds, of those with its tensors. about: plain values that the file says.

    Where these compute differently, the function is taken that the file names, or else torchvision's, which most files
    have, with a note that lists the others. Raises UsageError, listing them, if torchvision has none.
    """
    by_function: dict[object, list[Known]] = {}
    for known in found.networks:
        by_function.setdefault((known.tensors, known.function), []).append(known)
    kinds = [min(kind, key=lambda known: preference(known.name)).name for kind in by_function.values()]
    kinds.sort(key=preference)
    if len(kinds) == 1:
        return Choice(kinds[0])
    style = style_said(about)
    usual = [name for name in kinds if (name in CAFFE if style == "caffe" else library_of(name) == "torchvision")]
    if not usual:
        raise UsageError(
            f"its weights fit several networks that compute differently: {described(kinds, index)}; name the one it is "
            f"with --arch, e.g. --arch {kinds[0]}."
        )
    taken = usual[0]
    if style is not None:
        return Choice(taken, (f"the file says style={style!r}, so it was taken for {taken}",))
    others = [name for name in kinds if name != taken]
    return Choice(
        taken,
        (
            f"taken for {taken}, whose tensors these networks have too, which compute differently: "
            f"{described(others, index)}; if it is one of them, give --arch, e.g. --arch {others[0]}",
        ),
    )


def described(names: Sequence[str], index: Index) -> str:
    """Networks with what tells each from the first of their tensors."""
    texts = [f"{name} ({index.differences[name]})" if index.differences.get(name) else name for name in names[:LISTED]]
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(texts) + more


def preference(name: str) -> tuple[int, int, str]:
    """Sorts networks that compute the same: this project's, torchvision's, timm's; then the plainest name."""
    return 3 if name.startswith(TIMM) else 2 if name in CAFFE else 0 if name in NETWORKS else 1, len(name), name


def library_of(name: str) -> str:
    """Which library builds a network of that name."""
    return "timm" if name.startswith(TIMM) else "own" if name in NETWORKS or name in CAFFE else "torchvision"
