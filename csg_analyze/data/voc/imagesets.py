"""The lists of image ids in `ImageSets` and `metadata`."""

from __future__ import annotations

import codecs
import re
from collections.abc import Container, Iterable

_FLAGGED = re.compile(r"(.*\S)\s+[-+]?[01]")


def lines_of(data: bytes) -> list[str]:
    """The lines of a list, stripped, without blank ones; with any line ends, with or without a BOM."""
    utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    text = data.decode("utf-16" if utf16 else "utf-8-sig", errors="replace")
    return [line.strip() for line in text.splitlines() if line.strip()]


def image_ids(data: bytes, file_ids: Container[str]) -> list[str]:
    """The ids of a list in its order, without repetitions: one per line, in VOC's lists of one class with a flag.

    An id may contain spaces, so that "img 1" is either that id or "img" with the flag 1. file_ids: the ids of a
    devkit's files. If all lines could have a flag, the list is read in the way that gives more of these.
    """
    lines = lines_of(data)
    flagged = [match[1] for line in lines if (match := _FLAGGED.fullmatch(line))]
    if len(flagged) == len(lines) and _count(flagged, file_ids) > _count(lines, file_ids):
        lines = flagged
    return list(dict.fromkeys(lines))


def _count(names: Iterable[str], file_ids: Container[str]) -> int:
    return sum(name in file_ids for name in names)
