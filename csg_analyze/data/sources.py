"""Folders and archives as one kind of source: files are listed and read by name, never unpacked to disk."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import Protocol

from csg_analyze.data.archives import UNREADABLE, TarArchive, ZipArchive, visible
from csg_analyze.errors import UsageError

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".gif"})


class Readable(Protocol):
    """Files, or what else is encoded, by name."""

    def read(self, name: str) -> bytes:
        """A file's bytes; safe to call from several threads. Raises UsageError if it cannot be read."""
        ...

    def close(self) -> None:
        """Close the open file, if there is one."""
        ...


class Source(Readable, Protocol):
    """A tree of files. Names are relative, parts joined by "/"; hidden files and folders are left out."""

    def folders(self, under: str = "") -> list[str]:
        """Names of the folders directly in the folder `under`, sorted. Raises UsageError if it cannot be read."""
        ...

    def files(self, under: str) -> list[str]:
        """Names of all files at any depth below the folder `under`, sorted; none if there is no such folder.

        Raises UsageError if a folder below it cannot be read.
        """
        ...


def open_source(path: Path, memory_budget: int) -> Source:
    """The folder or archive at `path`. Content decides which it is, not the suffix.

    A compressed .tar is decompressed into memory. Raises UsageError if nothing is there, if it is not an intact
    archive, and if a compressed .tar takes more than `memory_budget` bytes.
    """
    try:
        if path.is_dir():
            return Folder(path)
        if not path.exists():
            raise UsageError(f"there is nothing at {str(path)!r}; check the path.")
        return ZipArchive(path) if zipfile.is_zipfile(path) else TarArchive(path, memory_budget)
    except UNREADABLE as error:
        raise UsageError(
            f"{str(path)!r} is neither a folder nor an intact .zip or .tar archive ({error}); give one of these."
        ) from error


class Folder:
    """A folder on disk; links are followed."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def folders(self, under: str = "") -> list[str]:
        """See Source."""
        try:
            inside = (self.root / under).iterdir()
            return sorted(path.name for path in inside if visible(path.name) and path.is_dir())
        except OSError as error:
            raise _not_listed(self.root / under, error) from error

    def files(self, under: str) -> list[str]:
        """See Source."""
        listed: list[str] = []
        walked: set[str] = set()

        def refuse(error: OSError) -> None:
            # a folder that does not exist holds no files; one that cannot be read may hold some
            if not isinstance(error, (FileNotFoundError, NotADirectoryError)):
                raise _not_listed(error.filename, error)

        for folder, inner, files in os.walk(self.root / under, onerror=refuse, followlinks=True):
            # a link to a folder above it would never end
            real = os.path.realpath(folder)
            inner[:] = [] if real in walked else [name for name in inner if visible(name)]
            if real not in walked:
                relative = Path(folder).relative_to(self.root)
                listed += [(relative / name).as_posix() for name in files if visible(name)]
            walked.add(real)
        return sorted(listed)

    def read(self, name: str) -> bytes:
        """See Source."""
        try:
            return (self.root / name).read_bytes()
        except OSError as error:
            raise UsageError(f"cannot read {str(self.root / name)!r}: {error.strerror or error}.") from error

    def close(self) -> None:
        """See Source."""


def _not_listed(folder: Path | str, error: OSError) -> UsageError:
    return UsageError(f"cannot list {str(folder)!r}: {error.strerror or error}.")


def images_in(source: Source, under: str) -> list[str]:
    """Names of all image files at any depth below the folder `under`, sorted."""
    return [name for name in source.files(under) if _is_image(name)]


def _is_image(name: str) -> bool:
    return name[name.rfind(".") :].lower() in IMAGE_SUFFIXES
