"""Writing files completely or not at all, and their fingerprints."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from csg_analyze.errors import UsageError


def spelled(name: str) -> str:
    """A name as text: bytes of a file's name that are none, which Python keeps as surrogates, are written as escapes.

    Tables and files of any format can hold it then.
    """
    return name if name.isascii() else name.encode("utf-8", "backslashreplace").decode("utf-8")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`, which replaces `path` on success and is deleted on any error.

    Raises UsageError if the folder does not exist or cannot be written.
    """
    path = Path(path)
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".partial", dir=path.parent)
    except OSError as error:
        raise UsageError(f"cannot write {str(path)!r}: {error.strerror or error}; choose another place.") from error
    os.close(descriptor)
    temporary = Path(name)
    try:
        yield temporary
        # mkstemp makes files private; use the permissions of other new files
        mask = os.umask(0)
        os.umask(mask)
        temporary.chmod(0o666 & ~mask)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hex."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def free_folder(path: Path) -> Path:
    """`path`, or if it exists the first of `path-2`, `path-3` ... that does not exist."""
    folder, number = path, 1
    while folder.exists():
        number += 1
        folder = path.with_name(f"{path.name}-{number}")
    return folder
