"""What files of other programs say of their network, and which networks are meant by it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from csg_analyze.checkpoints.index import Index
from csg_analyze.models import TIMM, TORCHVISION

SAYING = ("arch", "architecture", "model_name", "model", "backbone", "network", "net")
"""Under which names programs keep the name of the network: timm, Lightning modules and most scripts."""
_PREFIXES = re.compile(r"^(?:hf[-_]hub:|timm[:/]|torchvision[:.](?:models\.)?|models\.|tv_)+")
_CAFFE = re.compile(r"style\s*=\s*['\"]caffe['\"]")
_PYTORCH = re.compile(r"style\s*=\s*['\"]pytorch['\"]")


def sayings(about: Mapping[str, object]) -> list[str]:
    """The names that a file gives its network, as they stand there. about: plain values beside the weights."""
    values = (about.get(key) for key in SAYING)
    return [value for value in dict.fromkeys(values) if isinstance(value, str) and value.strip()]


def networks_meant(saying: str, index: Index) -> list[str]:
    """The networks of the index that may be meant, this project's and torchvision's before timm's.

    Case, `-`, `_`, the library's name before it and the tag of timm's weights after it (`.a1_in1k`) make no difference.
    """
    if saying in index.networks:
        return [saying, *(name for name in _named(squeezed(saying), index) if name != saying)]
    return _named(squeezed(saying), index)


def agrees(saying: str, name: str) -> bool:
    """Whether a network's name is what is said, or a variant of it: `resnet18` and `resnet18-cifar-kuangliu`."""
    return bool(squeezed(saying)) and squeezed(name).startswith(squeezed(saying))


def squeezed(name: str) -> str:
    """A name of a network without library, tag, case, `-` and `_`."""
    base = _PREFIXES.sub("", name.strip().lower()).rpartition("/")[2].partition(".")[0]
    return re.sub(r"[-_ ]", "", base)


def style_said(about: Mapping[str, object]) -> str | None:
    """`caffe` or `pytorch`, the style of ResNets that the text of an OpenMMLab configuration names; None if neither."""
    config = about.get("cfg")
    text = config if isinstance(config, str) else ""
    styles = [style for style, words in (("caffe", _CAFFE), ("pytorch", _PYTORCH)) if words.search(text)]
    return styles[0] if len(styles) == 1 else None


def _named(wanted: str, index: Index) -> list[str]:
    found: Iterable[str] = (name for name in index.networks if wanted and squeezed(name) == wanted)
    return sorted(found, key=lambda name: (name.startswith(TIMM), name.startswith(TORCHVISION)))
