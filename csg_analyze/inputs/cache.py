"""Arrays kept between runs, under a key of all that determines their bytes."""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import platformdirs
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from csg_analyze.errors import UsageError
from csg_analyze.files import replacing
from csg_analyze.inputs.contents import code_version, contents_of
from csg_analyze.metrics.keeping import Arrays


@dataclass(frozen=True)
class Cache:
    """`metrics.keeping.Keep` as a folder with one safetensors file per entry; with the folder None, nothing is kept.

    An entry is written whole or not at all, and holds the SHA-256 of its arrays. A damaged entry is computed again,
    with a warning. Deleting the folder is always safe.
    """

    folder: Path | None

    def fetch(self, name: str, key: Mapping[str, object], compute: Callable[[], Arrays]) -> Arrays:
        """The arrays that `compute` gives, from the cache if it holds an entry of `key` (values for JSON).

        name: of the input; the file name begins with it.
        """
        if self.folder is None:
            return compute()
        written_key = json.dumps(key, sort_keys=True)
        path = self.folder / f"{name}-{hashlib.sha256(written_key.encode()).hexdigest()[:32]}.safetensors"
        if path.exists():
            arrays = _read(path, written_key)
            if arrays is not None:
                return arrays
            warnings.warn(f"the cache entry {path.name} is damaged; computing it again", stacklevel=2)
        arrays = compute()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"cannot make the cache folder {str(self.folder)!r}: {error}; use --no-cache.") from error
        with replacing(path) as temporary:
            contiguous = {k: np.ascontiguousarray(v) for k, v in arrays.items()}
            save_file(contiguous, temporary, metadata={"key": written_key, "digest": _digest(contiguous)})
        return arrays

    def under(self, name: str, depends: Sequence[object], compute: Callable[[], Arrays]) -> Arrays:
        """As `Keep.under`; the key holds the contents of `depends` and the version of all code."""
        if self.folder is None:
            return compute()
        return self.fetch(name, {"code": code_version(), "depends": contents_of(depends)}, compute)

    def of(self, function: Callable[..., Arrays], *arguments: object, **options: object) -> Arrays:
        """As `Keep.of`."""
        name = function.__qualname__.strip("_").replace("_", "-")
        depends = (f"{function.__module__}.{function.__qualname__}", arguments, options)
        return self.under(name, depends, lambda: function(*arguments, **options))


UNCACHED = Cache(None)


def _read(path: Path, written_key: str) -> Arrays | None:
    """The arrays of an entry; None if it is damaged."""
    try:
        with safe_open(path, framework="numpy") as stream:
            metadata = stream.metadata() or {}
            arrays = {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118 (not a dict)
    except (SafetensorError, OSError, ValueError):
        return None
    whole = metadata.get("key") == written_key and metadata.get("digest") == _digest(arrays)
    return arrays if whole else None


def _digest(arrays: Arrays) -> str:
    digest = hashlib.sha256()
    for name in sorted(arrays):
        digest.update(f"{name}{arrays[name].dtype}{arrays[name].shape}".encode())
        digest.update(np.ascontiguousarray(arrays[name]).data)
    return digest.hexdigest()


def default_folder() -> Path:
    """The environment variable CSG_ANALYZE_CACHE, else the user's cache folder."""
    named = os.environ.get("CSG_ANALYZE_CACHE")
    return Path(named) if named else platformdirs.user_cache_path("csg-analyze")
