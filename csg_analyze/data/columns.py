"""Tables of images and labels: their options in a spec, and which columns hold what."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from csg_analyze.data.dataset import Split
from csg_analyze.data.listing import SPLIT_NAMES
from csg_analyze.errors import UsageError, unknown

IMAGE_COLUMNS = (
    "path", "file", "filename", "file_name", "filepath", "file_path", "image", "image_path", "image_file", "img",
    "img_path", "png", "jpg", "jpeg",
)  # fmt: skip
LABEL_COLUMNS = (
    "label", "labels", "class", "target", "class_name", "classname", "category", "cls", "y", "label_name", "class_id",
)  # fmt: skip
SPLIT_COLUMNS = ("split", "set", "subset", "partition")
"""What columns are usually called, in lower case."""


def with_options(argument: str, allowed: Collection[str], kind: str) -> tuple[str, Mapping[str, str]]:
    """`PATH?label=fine_label` -> the path and the options. Raises UsageError for an option that is not allowed."""
    path, mark, written = argument.rpartition("?")
    if not mark or "=" not in written:  # a file may have a question mark in its name
        return argument, {}
    options = dict(part.partition("=")[::2] for part in written.split("&") if part)
    for name in options:
        if name not in allowed:
            raise unknown(f"option of {kind} data", name, allowed)
    return path, options


def chosen_column(
    role: str, chosen: str | None, candidates: Sequence[str], columns: Iterable[str], what: str, *, usual: str = ""
) -> str:
    """The column of a role ("image", "label"): the chosen one, else the only candidate, else the one called `usual`.

    what: the data as the user wrote it. Raises UsageError if the chosen one is not there, and for no or several.
    """
    columns = list(columns)
    if chosen is not None:
        if chosen not in columns:
            raise unknown(f"column of {what!r}", chosen, columns)
        return chosen
    if len(candidates) > 1 and usual in candidates:
        return usual
    if len(candidates) != 1:
        several = (
            f"several columns that may hold the {role} ({listed(candidates)})" if candidates else f"no {role} column"
        )
        raise UsageError(f"{what!r} has {several}, of {listed(columns)}; say which with ?{role}=NAME behind the path.")
    return candidates[0]


def matching_split(names: Iterable[str], split: Split, what: str) -> str:
    """Of the names of splits the one that is meant: test before validation.

    Raises UsageError if there is none for this split.
    """
    by_lower = {name.lower(): name for name in names}
    for name in SPLIT_NAMES[split]:
        if name in by_lower:
            return by_lower[name]
    expected = " or ".join(SPLIT_NAMES[split])
    raise UsageError(f"{what!r} has no split {expected}, only {listed(list(by_lower.values()))}.")


def listed(names: Sequence[str]) -> str:
    """Names with commas between, the first eight of many."""
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")


def number_or_text(text: str) -> str | int:
    """A label as it is written: whole numbers are indices."""
    stripped = text.strip()
    return int(stripped) if stripped.removeprefix("-").isdecimal() else stripped
