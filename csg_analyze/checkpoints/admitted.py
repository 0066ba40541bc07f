"""What a checkpoint may hold besides tensors without being trusted: values that training scripts leave in files.

PyTorch's safe loading refuses every class it does not know. Those below are harmless, or a stand-in of this module
takes their place: numpy's own unpickling trusts what a crafted file says of its memory, so none of it runs here before
kind, shape and number of bytes were compared.
"""

from __future__ import annotations

import argparse
import datetime
import math
import types
from collections.abc import Callable
from pathlib import PurePosixPath, PureWindowsPath
from pickle import UnpicklingError
from typing import Any

import numpy as np
from torch.torch_version import TorchVersion


class PlainDtype:
    """Stands for numpy.dtype: kind and width of plain numbers and texts, such as `f8`, and their byte order."""

    def __init__(self, code: str, align: bool = False, copy: bool = False) -> None:
        self.code, self.order = str(code), "="  # native

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.order = str(state[1])

    def dtype(self) -> np.dtype[Any]:
        """The dtype. Raises UnpicklingError for one that can hold Python objects or has fields."""
        dtype: np.dtype[Any] = np.dtype(self.code)
        if self.order in "<>":
            dtype = np.dtype(self.order + dtype.str[1:])
        if dtype.kind not in "biufcUS" or dtype.names is not None:
            raise UnpicklingError(f"unsupported GLOBAL numpy.dtype({self.code!r})")  # as torch words it
        return dtype


class PlainArray:
    """Stands for numpy.ndarray. values: the array, once its state was read."""

    values: np.ndarray[Any, Any] = np.zeros(0)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, dtype, fortran, raw = state
        if math.prod(shape) == 0:
            self.values = np.zeros(shape, dtype.dtype())
            return
        self.values = np.frombuffer(raw, dtype.dtype()).reshape(shape, order="F" if fortran else "C").copy()


def _scalar(dtype: PlainDtype, raw: bytes) -> object:
    return np.frombuffer(raw, dtype.dtype(), count=1)[0].item()


def _array(*_kind_shape_and_code: object) -> PlainArray:
    return PlainArray()


def _mapping(*_factory: object) -> dict[Any, Any]:
    return {}


def _bytes(*content: bytes) -> bytes:
    return b"".join(content)  # not bytes(n), which asks for n bytes of memory


_NUMPY = {"dtype": PlainDtype, "ndarray": PlainArray}
_MULTIARRAY: dict[str, Callable[..., Any]] = {"scalar": _scalar, "_reconstruct": _array}

ADMITTED: list[Callable[..., Any] | tuple[Callable[..., Any], str]] = [
    argparse.Namespace,
    types.SimpleNamespace,
    datetime.datetime,
    datetime.date,
    datetime.time,
    datetime.timedelta,
    datetime.timezone,
    TorchVersion,
    *((kind, f"builtins.{kind.__name__}") for kind in (list, dict, int, float, str, bool, tuple)),
    (_bytes, "builtins.bytes"),
    (_mapping, "collections.defaultdict"),
    # a path of another system cannot be made here, one that names no place in this system's files can
    *((PurePosixPath, f"{module}.{name}") for module in ("pathlib", "pathlib._local") for name in
      ("PosixPath", "PurePosixPath")),
    *((PureWindowsPath, f"{module}.{name}") for module in ("pathlib", "pathlib._local") for name in
      ("WindowsPath", "PureWindowsPath")),
    *((stand_in, f"numpy.{name}") for name, stand_in in _NUMPY.items()),
    *((stand_in, f"numpy.{core}.multiarray.{name}") for core in ("core", "_core")
      for name, stand_in in _MULTIARRAY.items()),
]  # fmt: skip
"""For `torch.serialization.safe_globals`."""
