"""What the files beside a checkpoint say of it: the folders that timm and transformers write."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from csg_analyze.models import TIMM

CONFIG, PROCESSOR = "config.json", "preprocessor_config.json"
MAX_BYTES = 16 * 2**20
_PLACEHOLDER = re.compile(r"(?i)label[_ ]?\d+|\d+")


def read_beside(folder: Path) -> dict[str, Mapping[str, Any]]:
    """Name -> content, of the files of settings in a folder that are there and hold named values."""
    found: dict[str, Mapping[str, Any]] = {}
    for name in (CONFIG, PROCESSOR):
        path = folder / name
        try:
            if path.stat().st_size <= MAX_BYTES:
                content = json.loads(path.read_text(encoding="utf-8"))
                found |= {name: content} if isinstance(content, dict) else {}
        except (OSError, ValueError, RecursionError):
            continue
    return found


def timm_described(beside: Mapping[str, Mapping[str, Any]]) -> tuple[str, dict[str, Any]] | None:
    """Architecture and options of the network of timm that a folder holds; None if it is of another library."""
    config = beside.get(CONFIG, {})
    name, library = config.get("architecture"), config.get("model_type", "timm_wrapper")
    if not isinstance(name, str) or library != "timm_wrapper" or "pretrained_cfg" not in config:
        return None
    options = config.get("model_args") or {}
    return TIMM + name, dict(options) if isinstance(options, Mapping) else {}


def transformers_described(beside: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether a folder holds a network of transformers."""
    return isinstance(beside.get(CONFIG, {}).get("model_type"), str) and timm_described(beside) is None


def names_of_classes(beside: Mapping[str, Mapping[str, Any]]) -> tuple[str, ...] | None:
    """The names of classes in the order of the network's outputs; None if there are none, or only placeholders."""
    config = beside.get(CONFIG, {})
    settings = config.get("pretrained_cfg")
    labels = config.get("label_names") or (settings.get("label_names") if isinstance(settings, Mapping) else None)
    names = _in_order(labels or config.get("id2label"))
    return None if names is None or all(_PLACEHOLDER.fullmatch(name) for name in names) else names


def _in_order(labels: object) -> tuple[str, ...] | None:
    """Labels by number, or in a list; None for other things."""
    if isinstance(labels, Mapping):
        labels = [labels.get(str(index)) for index in range(len(labels))]
    if not isinstance(labels, Sequence) or isinstance(labels, str) or not labels:
        return None
    names = tuple(label for label in labels if isinstance(label, str))
    return names if len(names) == len(labels) else None
