"""Folders of torch.distributed.checkpoint -> their tensors, without PyTorch's own reader, which executes pickles.

A folder holds `.metadata`, a pickle of which tensor lies where, and files of tensors. Other values are pickles of any
kind and stay unread.
"""

from __future__ import annotations

import pickle
import warnings
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import torch
from torch import Tensor
from torch.distributed.checkpoint import filesystem, metadata
from torch.distributed.checkpoint.state_dict_loader import load

from csg_analyze.errors import UsageError

METADATA = ".metadata"
_RECORDS = {
    name: getattr(metadata, name)
    for name in (
        "Metadata", "MetadataIndex", "StorageMeta", "TensorProperties", "TensorStorageMetadata",
        "BytesStorageMetadata", "ChunkStorageMetadata", "_MEM_FORMAT_ENCODING",
    )
}  # fmt: skip
_LOCATIONS = {name: getattr(filesystem, name) for name in ("_StorageInfo", "_StoragePrefix")}
_PATHS = {
    "PosixPath": PurePosixPath, "PurePosixPath": PurePosixPath,
    "WindowsPath": PureWindowsPath, "PureWindowsPath": PureWindowsPath,
}  # fmt: skip


def read_distributed(folder: Path) -> dict[str, Tensor]:
    """All tensors by name, whole, on the CPU.

    Raises UsageError for metadata with other Python objects than PyTorch's own, and for files that are missing or
    damaged.
    """
    found = _read_metadata(folder / METADATA)
    try:
        places = {str(info.relative_path) for info in found.storage_data.values()}
        if lost := sorted(place for place in places if not _is_file_in(folder, place)):
            raise UsageError(f"{str(folder)!r} lacks {len(lost)} of its {len(places)} files (first: {lost[0]!r}).")
        entries = {
            name: torch.empty(entry.size, dtype=entry.properties.dtype, device="meta")
            for name, entry in found.state_dict_metadata.items()
            if isinstance(entry, metadata.TensorStorageMetadata)
        }
        on_disk = sum((folder / place).stat().st_size for place in places)
        if sum(entry.nbytes for entry in entries.values()) > on_disk:
            raise UsageError(f"{str(folder)!r} is damaged: its metadata tells of more than its files hold.")
        # nothing but tensors is asked for, as the planner would unpickle the rest
        tensors: dict[str, Any] = {name: torch.zeros_like(entry, device="cpu") for name, entry in entries.items()}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it says that there is one process, which is meant
            load(tensors, storage_reader=_Reader(folder, found), no_dist=True)
    except UsageError:
        raise
    except Exception as error:  # torch raises many kinds of errors for damaged files
        raise UsageError(f"the tensors in {str(folder)!r} cannot be read: a file in it is damaged.") from error
    return tensors


class _Reader(filesystem.FileSystemReader):
    """PyTorch's reader with metadata that was read already."""

    def __init__(self, folder: Path, found: metadata.Metadata) -> None:
        super().__init__(folder)
        self.found = found

    def read_metadata(self, *_args: Any, **_kwargs: Any) -> metadata.Metadata:
        """The metadata."""
        return self.found


class _MetadataUnpickler(pickle.Unpickler):
    """Makes PyTorch's records of tensors, and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        known: Any = {
            "torch.distributed.checkpoint.metadata": _RECORDS,
            "torch.distributed.checkpoint.filesystem": _LOCATIONS,
            "torch.serialization": {"_get_layout": torch.serialization._get_layout},
            "pathlib": _PATHS,
            "pathlib._local": _PATHS,
        }.get(module, {})
        if name in known:
            return known[name]
        if module == "torch" and (name == "Size" or isinstance(getattr(torch, name, None), torch.dtype)):
            return getattr(torch, name)
        raise pickle.UnpicklingError(f"{module}.{name}")


def _read_metadata(path: Path) -> metadata.Metadata:
    try:
        with path.open("rb") as stream:
            found = _MetadataUnpickler(stream).load()
    except pickle.UnpicklingError as error:
        raise UsageError(
            f"{str(path)!r} holds Python objects ({error}) other than torch.distributed.checkpoint's, or is damaged; "
            "save the state_dict() with torch.save and give that."
        ) from error
    except Exception as error:  # unpickling raises whatever its operations raise
        raise UsageError(f"{str(path)!r} is damaged; copy, download or save it again.") from error
    if not isinstance(found, metadata.Metadata) or not isinstance(found.storage_data, dict):
        raise UsageError(f"{str(path)!r} is not the metadata of a torch.distributed.checkpoint folder.")
    found.storage_meta = found.storage_meta or metadata.StorageMeta()
    return found


def _is_file_in(folder: Path, place: str) -> bool:
    return "/" not in place and "\\" not in place and (folder / place).is_file()
