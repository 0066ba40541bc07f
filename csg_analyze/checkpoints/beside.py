"""What the files beside a checkpoint say of it: the folders that timm and transformers write."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from csg_analyze.checkpoints.folder_settings import CONFIG
from csg_analyze.models import TIMM


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
