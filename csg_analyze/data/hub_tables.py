"""Tables of the Hugging Face hub's library `datasets`: what save_to_disk wrote, and parquet files."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any, Protocol

from csg_analyze.errors import UsageError

Features = Mapping[str, Any]
"""Column -> its type, as `datasets.Features` has it."""


class HubTable(Protocol):
    """One split."""

    features: Features

    def __len__(self) -> int: ...

    def column(self, name: str) -> list[Any]:
        """All values of a small column."""
        ...

    def cell(self, row: int, name: str) -> Any:
        """One value, an image as {"bytes": ..., "path": ...}; safe to call from several threads."""
        ...


class SavedTable:
    """A Dataset of the library, as load_from_disk gives it: mapped into memory, not read."""

    def __init__(self, dataset: Any) -> None:
        self.features: Features = dataset.features
        self._dataset = dataset
        self._encoded: dict[str, Any] = {}
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._dataset)

    def column(self, name: str) -> list[Any]:
        """See HubTable."""
        return list(self._dataset.select_columns([name]).to_dict()[name])

    def cell(self, row: int, name: str) -> Any:
        """See HubTable."""
        with self._lock:
            if name not in self._encoded:
                self._encoded[name] = _encoded(self._dataset, name)
            return self._encoded[name][row][name]


def _encoded(dataset: Any, name: str) -> Any:
    """The column alone, with images as they are stored."""
    from datasets import Image

    alone = dataset.with_format(None).select_columns([name])
    return alone.cast_column(name, Image(decode=False)) if isinstance(dataset.features[name], Image) else alone


class ParquetTable:
    """Parquet files in their order, read by row groups, of which a few are held."""

    def __init__(self, paths: Sequence[Path]) -> None:
        from datasets import Features as HubFeatures
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile

        self._files = []
        for path in paths:
            try:
                self._files.append(ParquetFile(path))
            except (OSError, ArrowException) as error:
                raise UsageError(f"{str(path)!r} is no intact parquet file ({error}).") from error
        self.features: Features = HubFeatures.from_arrow_schema(self._files[0].schema_arrow)
        self._groups = [(file, group) for file in self._files for group in range(file.num_row_groups)]
        self._starts = [0]
        for file, group in self._groups:
            self._starts.append(self._starts[-1] + file.metadata.row_group(group).num_rows)
        self._lock = Lock()
        self._group = lru_cache(maxsize=4)(self._read_group)

    def __len__(self) -> int:
        return self._starts[-1]

    def column(self, name: str) -> list[Any]:
        """See HubTable."""
        return [value for file in self._files for value in self._read(file.read, name).column(name).to_pylist()]

    def cell(self, row: int, name: str) -> Any:
        """See HubTable."""
        place = bisect_right(self._starts, row) - 1
        with self._lock:
            group = self._group(place, name)
        return group.column(name)[row - self._starts[place]].as_py()

    def _read_group(self, place: int, name: str) -> Any:
        file, group = self._groups[place]
        return self._read(lambda columns: file.read_row_group(group, columns=columns), name)

    @staticmethod
    def _read(read: Any, name: str) -> Any:
        from pyarrow import ArrowException

        try:
            return read(columns=[name])
        except (OSError, ArrowException) as error:
            raise UsageError(f"a parquet file is damaged: column {name!r} cannot be read ({error}).") from error


def saved_tables(folder: Path) -> Mapping[str, HubTable]:
    """What save_to_disk wrote: split -> table, or one table without a name. Raises UsageError if it cannot be read."""
    from datasets import Dataset, load_from_disk

    try:
        loaded = load_from_disk(str(folder))
    except Exception as error:  # whatever the library raises for files that are missing or damaged
        said = " ".join(str(error).split())
        raise UsageError(f"{str(folder)!r} is not what save_to_disk wrote, or damaged ({said}).") from error
    if isinstance(loaded, Dataset):
        return {"": SavedTable(loaded)}
    return {str(name): SavedTable(dataset) for name, dataset in loaded.items()}
