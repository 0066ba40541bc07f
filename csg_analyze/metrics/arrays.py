"""The array types used throughout, with the project's fixed orientations, and how whatever is given becomes arrays.

activations (N, K), gate (C, K), mutual information (K, C), confusion (true class, predicted class).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import chain
from numbers import Number
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray: TypeAlias = NDArray[np.floating]
IntArray: TypeAlias = NDArray[np.integer]
BoolArray: TypeAlias = NDArray[np.bool_]


class Arguments:
    """The arguments of one call as arrays that fit together; a letter of their axes is one length in all of them.

    Takes NumPy arrays, tensors of any device (detached), lists and other sequences, Series and frames of pandas. What
    is an array already is neither copied nor changed. Axes are separated by blanks: "N K"; "..." stands for any
    others before or after, and a number for exactly that length. All raise ValueError, in one sentence, for what is no
    array of such numbers.
    """

    def __init__(self) -> None:
        self._shapes: list[tuple[str, str, str]] = []
        self._lengths: dict[str, tuple[int, str]] = {}
        self._rows: dict[str, tuple[str, Any]] = {}

    def numbers(self, name: str, values: ArrayLike, axes: str, *, finite: bool = False) -> FloatArray:
        """Numbers of any type, which they keep. finite: neither NaN nor infinite."""
        array = self._placed(name, values, axes)
        if array.dtype.kind not in "biuf":
            raise ValueError(f"{name} must be numbers, not {_kind(array)}.")
        if finite and array.dtype.kind == "f":
            with np.errstate(over="ignore", invalid="ignore"):
                total = np.sum(array, dtype=np.float64)  # needs no memory; only an overflow needs a second look
            if not np.isfinite(total) and not np.isfinite(array).all():
                raise ValueError(f"{name} must be finite; there are NaN or infinite values.")
        return array

    def integers(self, name: str, values: ArrayLike, axes: str) -> IntArray:
        """Whole numbers of an integer type."""
        array = self._placed(name, values, axes)
        if not array.size and isinstance(values, Sequence):
            array = array.astype(np.int64)  # an empty list says nothing about its type
        if array.dtype.kind not in "iu":
            raise ValueError(f"{name} must be integers, not {_kind(array)}{_remedy(array)}.")
        # NumPy mixes unsigned integers of 64 bits with others to floats
        return array.astype(np.int64) if array.dtype == np.uint64 else array

    def labels(self, name: str, values: ArrayLike, axes: str, n_classes: int | None = None) -> tuple[IntArray, int]:
        """Classes as integers from 0 to n_classes - 1, and n_classes, by default the largest label + 1."""
        array = self.integers(name, values, axes)
        low, high = (int(array.min()), int(array.max())) if array.size else (0, -1)
        n_classes = high + 1 if n_classes is None else n_classes
        if low < 0 or high >= n_classes:
            raise ValueError(f"{name} run from {low} to {high}, but must lie in 0..{n_classes - 1}.")
        return array, n_classes

    def truths(self, name: str, values: ArrayLike, axes: str) -> BoolArray:
        """True or false; numbers that are all 0 or 1 are taken as such."""
        array = self._placed(name, values, axes)
        if array.dtype.kind != "b":
            if array.dtype.kind not in "iuf" or not np.isin(array, (0, 1)).all():
                raise ValueError(f"{name} must be true or false (or 0 and 1), not {_kind(array)}.")
            array = array.astype(np.bool_)
        return array

    def _placed(self, name: str, values: ArrayLike, axes: str) -> NDArray[Any]:
        """The values as an array that has the axes. Raises ValueError if it has not."""
        array = values if type(values) is np.ndarray else _as_array(values, name)
        wanted = axes.split()
        found = str(array.shape) if array.ndim or np.isscalar(values) else f"a {type(values).__name__}"
        self._shapes.append((name, axes, found))
        named = [axis for axis in wanted if axis != "..."]
        if array.ndim != len(named) and not (array.ndim > len(named) < len(wanted)):
            raise ValueError(self._shapes_differ())
        lengths = array.shape[array.ndim - len(named) :] if wanted[0] == "..." else array.shape[: len(named)]
        for place, (axis, length) in enumerate(zip(named, lengths, strict=True)):
            if axis.isdigit():
                if length != int(axis):
                    raise ValueError(self._shapes_differ())
                continue
            said = _counted(name, length, place, len(wanted))
            known, before = self._lengths.setdefault(axis, (length, said))
            if known != length:
                raise ValueError(f"there are {before} but {said}.")
        if getattr(values, "index", None) is not None and hasattr(values, "iloc") and wanted[0] != "...":
            self._same_rows(name, values, wanted[0])
        return array

    def _same_rows(self, name: str, values: Any, axis: str) -> None:
        """Pandas would put rows of one name beside each other; in another order they would give wrong numbers."""
        first, index = self._rows.setdefault(axis, (name, values.index))
        if not index.equals(values.index):
            raise ValueError(
                f"{first} and {name} have different indices; put the rows of both in one order, or give arrays."
            )

    def _shapes_differ(self) -> str:
        """The sentence on all arguments so far, of which the last does not fit."""
        wanted = " and ".join(f"{name} {_in_brackets(axes)}" for name, axes, _ in self._shapes)
        found = " and ".join(shape for _, _, shape in self._shapes)
        return f"{wanted.replace(' ', ' must be ', 1)}, not {found}."


def _as_array(values: Any, name: str) -> NDArray[Any]:
    try:
        array = _converted(values)
    except (TypeError, ValueError, RuntimeError) as error:  # of tensors without data, too
        said = " ".join(str(error).split())
        reason = "its rows differ in length" if "inhomogeneous" in said else said[:200].rstrip(".!")
        raise ValueError(f"{name}: this {type(values).__name__} is no array of numbers: {reason}.") from error
    if isinstance(values, np.ma.MaskedArray) and np.ma.is_masked(values):
        raise ValueError(f"some values of {name} are masked; give an array without a mask.")
    return array


def _converted(values: Any) -> NDArray[Any]:
    # whoever gives a tensor or a frame has imported its library
    torch, pandas = sys.modules.get("torch"), sys.modules.get("pandas")
    if torch is not None:
        if isinstance(values, torch.Tensor):
            return _of_tensor(values, torch)
        if isinstance(values, list | tuple) and any(isinstance(each, torch.Tensor) for each in values):
            return np.asarray([_converted(each) for each in values])
    if pandas is not None and isinstance(values, pandas.Series | pandas.DataFrame):
        array = values.to_numpy()
        columns = values.to_frame() if isinstance(values, pandas.Series) else values
        if array.dtype == object and all(map(pandas.api.types.is_numeric_dtype, columns.dtypes)):
            array = values.to_numpy(dtype=np.float64, na_value=np.nan)  # numbers, of which some are missing
        return np.asarray(array)
    return np.asarray(values)


def _of_tensor(values: Any, torch: Any) -> NDArray[Any]:
    tensor = values.detach()
    if tensor.layout != torch.strided:
        tensor = tensor.to_dense()
    if tensor.dtype == torch.bfloat16:  # NumPy has no such type
        tensor = tensor.float()
    return np.asarray(tensor.resolve_conj().resolve_neg().cpu().numpy())


def _kind(array: NDArray[Any]) -> str:
    """What is in an array, for an error."""
    if array.dtype.kind in "OUST":
        no_numbers = (each for each in array.flat if not isinstance(each, Number))
        odd = next(chain(no_numbers, array.flat), "")
        return "text" if isinstance(odd, str | bytes) else f"Python objects ({type(odd).__name__})"
    missing = array.dtype.kind == "f" and np.isnan(array).any()
    return f"{array.dtype} with missing values" if missing else str(array.dtype)


def _remedy(array: NDArray[Any]) -> str:
    """How labels of another type become integers, where that is plain."""
    if array.dtype.kind in "OUST":
        return "; `numpy.unique(labels, return_inverse=True)[1]` numbers them"
    return "; `.astype(int)` converts them" if array.dtype.kind == "f" and (array == np.round(array)).all() else ""


def _in_brackets(axes: str) -> str:
    return f"({axes.replace(' ', ', ')}{'' if ' ' in axes else ','})"


def _counted(name: str, length: int, place: int, ndim: int) -> str:
    """A length in words: "3 rows of activations", "4 labels"."""
    if ndim == 1:
        return f"{length} {name}" if name.endswith("s") else f"{length} entries of {name}"
    kind = ("rows", "columns")[place] if place < 2 else f"places along axis {place}"
    return f"{length} {kind} of {name}"
