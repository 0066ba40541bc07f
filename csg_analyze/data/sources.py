"""Files in a folder, a .zip or a .tar, read alike and never unpacked to disk."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import tarfile
import weakref
import zipfile
import zlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from threading import Lock
from typing import IO, Any, Protocol

from csg_analyze.data.memory import gigabytes
from csg_analyze.errors import UsageError

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".gif"})

# the first bytes of a compressed file -> what reads it decompressed
_COMPRESSIONS: Mapping[bytes, Callable[[IO[bytes]], Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
}
_CHUNK = 2**22
_UNREADABLE = (
    OSError, EOFError, zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError,
    RuntimeError,  # zipfile: encrypted
    NotImplementedError,  # zipfile: a compression it does not know
    KeyError,  # tarfile: a link to what is not in it
)  # fmt: skip


class Source(Protocol):
    """A tree of files. Names are relative, parts joined by "/"; hidden files and folders are left out."""

    def folders(self, under: str = "") -> list[str]:
        """Names of the folders directly in the folder `under`, sorted. Raises UsageError where it cannot be read."""
        ...

    def files(self, under: str) -> list[str]:
        """Names of all files at any depth below the folder `under`, sorted; none where there is no such folder.

        Raises UsageError where a folder there cannot be read.
        """
        ...

    def read(self, name: str) -> bytes:
        """A file's bytes; safe to call from several threads. Raises UsageError where it cannot be read."""
        ...

    def close(self) -> None:
        """Let go of the open file, if there is one."""
        ...


def open_source(path: Path, memory_budget: int) -> Source:
    """The folder or archive at `path`, told by its content; a compressed .tar is decompressed into memory.

    Raises UsageError where nothing is there, where it is no archive or a corrupt one, and where a compressed .tar
    takes more than `memory_budget` bytes.
    """
    try:
        if path.is_dir():
            return Folder(path)
        if not path.exists():
            raise UsageError(f"there is nothing at {str(path)!r}; check the path.")
        return ZipArchive(path) if zipfile.is_zipfile(path) else TarArchive(path, memory_budget)
    except _UNREADABLE as error:
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
            return sorted(path.name for path in inside if _visible(path.name) and path.is_dir())
        except OSError as error:
            raise _not_listed(self.root / under, error) from error

    def files(self, under: str) -> list[str]:
        """See Source."""
        found: list[str] = []
        walked: set[str] = set()

        def refuse(error: OSError) -> None:
            # a folder that is not there holds no files; of one that cannot be read nobody knows what it holds
            if not isinstance(error, (FileNotFoundError, NotADirectoryError)):
                raise _not_listed(error.filename, error)

        for folder, inner, files in os.walk(self.root / under, onerror=refuse, followlinks=True):
            # a link to a folder above would otherwise be walked for ever
            real = os.path.realpath(folder)
            inner[:] = [] if real in walked else [name for name in inner if _visible(name)]
            if real not in walked:
                relative = Path(folder).relative_to(self.root)
                found += [(relative / name).as_posix() for name in files if _visible(name)]
            walked.add(real)
        return sorted(found)

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


class Archive:
    """What .zip and .tar share: a table of members, and one handle that readers take turns at."""

    def __init__(self, path: Path, files: Mapping[str, Any], folders: Iterable[str]) -> None:
        self.path = path
        self._members = {name: files[name] for name in sorted(files)}
        self._folders = _with_parents({*folders, *(name.rpartition("/")[0] for name in files)})
        self._lock = Lock()

    def folders(self, under: str = "") -> list[str]:
        """See Source."""
        split = (folder.rpartition("/") for folder in self._folders)
        return sorted(name for parent, _, name in split if parent == under)

    def files(self, under: str) -> list[str]:
        """See Source."""
        prefix = f"{under}/" if under else ""
        return [name for name in self._members if name.startswith(prefix)]

    def read(self, name: str) -> bytes:
        """See Source."""
        try:
            with self._lock:
                return self._read(self._members[name])
        except _UNREADABLE as error:
            raise UsageError(f"cannot read {name!r} in {str(self.path)!r}: {error}.") from error

    def _read(self, member: Any) -> bytes:
        raise NotImplementedError


class ZipArchive(Archive):
    """A .zip."""

    def __init__(self, path: Path) -> None:
        self._zip = zipfile.ZipFile(path)
        members = self._zip.infolist()
        names = {member.filename: _clean(member.filename.replace("\\", "/")) for member in members}
        files = {names[m.filename]: m for m in members if names[m.filename] and not m.is_dir()}
        super().__init__(path, files, (names[m.filename] for m in members if names[m.filename] and m.is_dir()))

    def _read(self, member: zipfile.ZipInfo) -> bytes:
        return self._zip.read(member)

    def close(self) -> None:
        """See Source."""
        self._zip.close()


class TarArchive(Archive):
    """A .tar; a compressed one is held decompressed in memory, since it cannot be read out of order."""

    def __init__(self, path: Path, memory_budget: int) -> None:
        stream = path.open("rb")
        try:
            self._stream = _decompressed(stream, path, memory_budget)
            self._tar = tarfile.open(fileobj=self._stream, mode="r:")  # noqa: SIM115
            members = self._tar.getmembers()
            # a damaged header ends the list without an error, as if nothing came after it
            self._stream.seek(self._tar.offset)
            if self._stream.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
                raise tarfile.ReadError("a header in it is damaged, or it was cut off")
        except BaseException:
            stream.close()
            raise
        weakref.finalize(self, self._stream.close)  # as ZipFile does by itself
        files = {_clean(m.name): m for m in members if m.isfile() or m.islnk() or m.issym()}
        folders = {_clean(member.name) for member in members if member.isdir()}
        files.pop("", None)
        super().__init__(path, files, folders - {""})

    def _read(self, member: tarfile.TarInfo) -> bytes:
        content = self._tar.extractfile(member)
        data = b"" if content is None else content.read()
        if len(data) < member.size:
            raise EOFError(f"ends after {len(data)} of {member.size} bytes")
        return data

    def close(self) -> None:
        """See Source."""
        self._tar.close()
        self._stream.close()


def _decompressed(stream: IO[bytes], path: Path, memory_budget: int) -> IO[bytes]:
    """The stream itself where it is not compressed, else its content in memory."""
    start = stream.read(6)
    stream.seek(0)
    opener = next((opener for magic, opener in _COMPRESSIONS.items() if start.startswith(magic)), None)
    if opener is None:
        return stream
    content = io.BytesIO()
    with stream, opener(stream) as plain:
        while chunk := plain.read(_CHUNK):
            content.write(chunk)
            if content.tell() > memory_budget:
                raise UsageError(
                    f"{str(path)!r} takes more than {gigabytes(memory_budget)} decompressed, too much for this "
                    "machine's memory; unpack it, or make a .zip or an uncompressed .tar of it."
                )
    content.seek(0)
    return content


def _clean(name: str) -> str:
    """A member's name without "./" and a leading "/"; empty for what is to be ignored."""
    # plain string operations: archives have a million members, and PurePosixPath takes its time
    parts = [part for part in name.split("/") if part not in ("", ".")]
    return "/".join(parts) if all(_visible(part) for part in parts) else ""


def _with_parents(folders: set[str]) -> set[str]:
    found: set[str] = set()
    while folders := folders - found - {""}:
        found |= folders
        folders = {folder.rpartition("/")[0] for folder in folders}
    return found


def _visible(name: str) -> bool:
    return not name.startswith(".") and name != "__MACOSX"


def images_in(source: Source, under: str) -> list[str]:
    """Names of all image files at any depth below the folder `under`, sorted."""
    return [name for name in source.files(under) if _is_image(name)]


def _is_image(name: str) -> bool:
    return name[name.rfind(".") :].lower() in IMAGE_SUFFIXES
