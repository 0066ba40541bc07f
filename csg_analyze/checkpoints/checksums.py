"""The checksums of a checkpoint file, which PyTorch writes and does not check when it reads."""

from __future__ import annotations

import lzma
import zipfile
import zlib
from pathlib import Path

CHUNK = 2**20
UNCHECKED = "the file carries no checksums (older format of PyTorch, or saved without): damage to it would go unnoticed"


def has_checksums(path: Path) -> bool:
    """Whether the file is a zip archive with checksums. Raises zipfile.BadZipFile for a broken archive."""
    if not _begins_as_zip(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(member.CRC for member in archive.infolist())


def damage(path: Path) -> str | None:
    """The damage of a file, as the middle of a sentence; None if there is none.

    All members of a zip archive are compared with their checksums. Files without checksums count as undamaged.
    """
    if not _begins_as_zip(path):
        return None
    if not zipfile.is_zipfile(path):
        return "its end is cut off or damaged"
    try:
        with zipfile.ZipFile(path) as archive:
            if not any(member.CRC for member in archive.infolist()):
                return None
            reasons = (_damage_of(archive, member) for member in archive.infolist())
            return next((reason for reason in reasons if reason), None)
    except Exception:  # zipfile raises several kinds of errors for a broken directory
        return "its table of contents is damaged"


def _begins_as_zip(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(2) == b"PK"


def _damage_of(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> str | None:
    name = repr(member.filename)
    try:
        with archive.open(member) as stream:
            while stream.read(CHUNK):
                pass
    except NotImplementedError:
        return f"its part {name} is compressed in a way that cannot be read here"
    except RuntimeError:
        return f"its part {name} is encrypted"
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError):
        return f"its part {name} is damaged (it does not match its checksum)"
    return None
