"""Whether a file holds what was written: PyTorch stores checksums, and reads without a look at them."""

from __future__ import annotations

import lzma
import zipfile
import zlib
from pathlib import Path

CHUNK = 2**20
UNCHECKED = "the file carries no checksums (older format of PyTorch, or saved without): damage to it would go unnoticed"


def has_checksums(path: Path) -> bool:
    """Whether the file is a zip archive with checksums; raises zipfile.BadZipFile where it is a broken one."""
    if not _begins_as_zip(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(member.CRC for member in archive.infolist())


def damage(path: Path) -> str | None:
    """What keeps a file from being read as it was written, as the middle of a sentence; None where nothing is known.

    Every member of a zip archive is read and compared with its checksum. Files without checksums are not judged.
    """
    if not _begins_as_zip(path):
        return None
    if not zipfile.is_zipfile(path):
        return "its end is cut off or damaged"
    try:
        with zipfile.ZipFile(path) as archive:
            if not any(member.CRC for member in archive.infolist()):
                return None
            found = (_damage_of(archive, member) for member in archive.infolist())
            return next((words for words in found if words), None)
    except Exception:  # zipfile raises half a dozen kinds for a directory that makes no sense
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
