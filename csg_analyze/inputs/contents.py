"""Fingerprints of what a result depends on: the contents of arguments, and the code that is run."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

PACKAGE = Path(__file__).resolve().parent.parent
COMPUTING = ("numpy", "scipy", "scikit-learn", "numba", "torch", "captum", "opencv-python-headless")
"""Packages whose versions may change a number."""


def contents_of(*values: object) -> str:
    """SHA-256 in hex of arrays (dtype, shape and bytes), plain values, and tuples, lists and dicts of them.

    Raises TypeError for anything else, whose contents are unknown.
    """
    digest = hashlib.sha256()
    for value in values:
        _add(digest, value)
    return digest.hexdigest()


def _add(digest: hashlib._Hash, value: object) -> None:
    if isinstance(value, np.ndarray) and value.dtype.kind in "biufc":
        digest.update(f"{value.dtype}{value.shape}".encode())
        digest.update(np.ascontiguousarray(value).reshape(-1).view(np.uint8).data if value.size else b"")
    elif isinstance(value, dict):
        _add(digest, [part for name in sorted(value) for part in (name, value[name])])
    elif isinstance(value, tuple | list):
        digest.update(f"{len(value)} values".encode())
        for part in value:
            _add(digest, part)
    elif value is None or isinstance(value, str | int | float | np.generic):
        digest.update(repr(value).encode())
    else:
        raise TypeError(f"the contents of a {type(value).__name__} are unknown")
    digest.update(b"\0")


@cache
def code_version() -> str:
    """SHA-256 in hex of this package's source files and of the versions of the packages that it computes with.

    Any change of the code counts, also of a comment: results that are kept are then computed again.
    """
    digest = hashlib.sha256()
    for path in sorted(PACKAGE.rglob("*.py")):
        digest.update(f"{path.relative_to(PACKAGE)}\0".encode())
        digest.update(path.read_bytes())
    for package in COMPUTING:
        digest.update(f"{package} {_installed(package)}\0".encode())
    return digest.hexdigest()


def _installed(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
