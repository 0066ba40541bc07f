"""The lists of image ids in `ImageSets` and `metadata`, as they exist."""

from __future__ import annotations

import codecs
import re
from collections.abc import Container

_FLAGGED = re.compile(r"(.*\S)\s+[-+]?[01]")


def lines_of(data: bytes) -> list[str]:
    """The lines of a list that are not blank, without what surrounds them; any line ends, with or without a BOM."""
    utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    text = data.decode("utf-16" if utf16 else "utf-8-sig", errors="replace")
    return [line.strip() for line in text.splitlines() if line.strip()]


def image_ids(data: bytes, known: Container[str]) -> list[str]:
    """The ids of a list in its order, each once: one a line, or, as in VOC's lists of one class, followed by a flag.

    An id may have spaces in it: "img 1" is an id and "img", flagged by 1, as well. known: the ids of a devkit's files;
    where every line could be flagged, the list is read in the way that finds more of them.
    """
    lines = lines_of(data)
    flagged = [match[1] for line in lines if (match := _FLAGGED.fullmatch(line))]
    if len(flagged) == len(lines) and sum(name in known for name in flagged) > sum(line in known for line in lines):
        lines = flagged
    return list(dict.fromkeys(lines))
