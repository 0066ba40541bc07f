"""Archives, .zip or .tar, as a `Source`: listed and read in place, never unpacked to disk."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import weakref
import zipfile
import zlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from threading import Lock
from typing import IO, Any

from csg_analyze.data.memory import gigabytes
from csg_analyze.errors import UsageError

UNREADABLE = (
    OSError, EOFError, zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError,
    RuntimeError,  # zipfile: encrypted
    NotImplementedError,  # zipfile: an unknown compression
    KeyError,  # tarfile: a link whose target is not in the archive
)  # fmt: skip
"""What zipfile and tarfile raise for a file that they cannot read."""

# the first bytes of a compressed file -> the function that opens it decompressed
_COMPRESSIONS: Mapping[bytes, Callable[[IO[bytes]], Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
}
_CHUNK = 2**22


class Archive:
    """What .zip and .tar share: a table of the members, and one open file that threads read in turn."""

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
        except UNREADABLE as error:
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
    """A .tar. A compressed one is held in memory, decompressed: it cannot be read out of order."""

    def __init__(self, path: Path, memory_budget: int) -> None:
        stream = path.open("rb")
        try:
            self._stream = _decompressed(stream, path, memory_budget)
            self._in_memory = self._stream is not stream
            self._tar = tarfile.open(fileobj=self._stream, mode="r:")  # noqa: SIM115
            members = self._tar.getmembers()
            # tarfile takes a damaged header for the end of the archive, without an error
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

    def span(self, name: str) -> tuple[int, int] | None:
        """Where a file lies in the archive on disk: its first byte and their number; None of a compressed archive."""
        member = self._members[name]
        return (member.offset_data, member.size) if member.isfile() and not self._in_memory else None

    def close(self) -> None:
        """See Source."""
        self._tar.close()
        self._stream.close()


def _decompressed(stream: IO[bytes], path: Path, memory_budget: int) -> IO[bytes]:
    """The stream itself if it is not compressed, else its decompressed content in memory."""
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
    """A member's name without "./" and without a leading "/"; empty if the member is hidden."""
    # plain string operations: an archive may have a million members, and PurePosixPath is slow
    parts = [part for part in name.split("/") if part not in ("", ".")]
    return "/".join(parts) if all(visible(part) for part in parts) else ""


def _with_parents(folders: set[str]) -> set[str]:
    """The folders and all folders above them."""
    complete: set[str] = set()
    while folders := folders - complete - {""}:
        complete |= folders
        folders = {folder.rpartition("/")[0] for folder in folders}
    return complete


def visible(name: str) -> bool:
    """Whether a file or folder of that name counts: hidden ones, and those that macOS adds to archives, do not."""
    return not name.startswith(".") and name != "__MACOSX"
