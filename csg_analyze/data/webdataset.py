"""WebDataset shards: tar archives whose members share a key, `000123.jpg` beside `000123.cls`."""

from __future__ import annotations

import glob
import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from csg_analyze.data.archives import UNREADABLE, TarArchive
from csg_analyze.data.columns import LABEL_COLUMNS, listed, matching_split, number_or_text
from csg_analyze.data.dataset import Split
from csg_analyze.data.listing import Listing, classes_of, indices_of, split_named, whole_note
from csg_analyze.data.sources import IMAGE_SUFFIXES
from csg_analyze.errors import UsageError

LABELS = ("cls", "cls.txt", "json", "txt")
"""Endings of members that hold a label, the first that is there counts."""
CLASS_NAMES = "classnames.txt"
"""A file beside the shards with one class name per line, as some publishers put there."""
_BRACES = re.compile(r"\{(?:(\d+)\.\.(\d+)|([^{}]*,[^{}]*))\}")


@dataclass(frozen=True)
class Sample:
    """name: of the image, shard and member. label: None if the shard has none."""

    name: str
    label: str | int | None


class Shards:
    """The members of several shards by name, `SHARD/MEMBER`; files are opened for every read, as there may be many."""

    def __init__(self, paths: Sequence[Path], memory_budget: int) -> None:
        self._archives: dict[str, TarArchive] = {}
        self._spans: dict[str, tuple[Path, int, int]] = {}
        self.members: dict[str, list[str]] = {}
        for path in paths:
            try:
                archive = TarArchive(path, memory_budget)
            except UNREADABLE as error:
                raise UsageError(f"{str(path)!r} is no intact .tar ({error}).") from error
            self.members[path.name] = archive.files("")
            spans = {name: archive.span(name) for name in archive.files("")}
            for name, span in spans.items():
                if span is None:
                    self._archives[f"{path.name}/{name}"] = archive
                else:
                    self._spans[f"{path.name}/{name}"] = (path, *span)
            if None not in spans.values():
                archive.close()

    def read(self, name: str) -> bytes:
        """See Readable."""
        if name in self._archives:
            return self._archives[name].read(name.partition("/")[2])
        path, first, size = self._spans[name]
        try:
            with path.open("rb") as stream:
                stream.seek(first)
                return stream.read(size)
        except OSError as error:
            raise UsageError(f"cannot read {str(path)!r}: {error.strerror or error}.") from error

    def close(self) -> None:
        """See Readable."""
        for archive in set(self._archives.values()):
            archive.close()


def list_webdataset(argument: str, split: Split, memory_budget: int) -> Listing:
    """The images of one split in shards, in the order of shards and members.

    argument: a .tar, a folder of them, or a pattern of paths with {000..003}, {a,b}, * and ?. Shards are divided by the
    names of their split, if these name any; else all are taken, with a note. Labels are numbers or names in `.cls`,
    `.txt` or a `.json` with "label". Raises UsageError for shards that cannot be read, and for images without labels.
    """
    paths = find_shards(argument)
    by_split: dict[Split | None, list[Path]] = {}
    for path in paths:
        by_split.setdefault(_split_of(path, argument), []).append(path)
    divided = len(by_split) > 1 or (_is_folder(argument) and None not in by_split)
    if divided and split not in by_split:
        matching_split([str(name) for name in by_split if name], split, argument)  # says what is missing
    used = by_split[split] if divided else paths
    notes = () if divided else (whole_note(split, named=used[0].name),)
    left = by_split.get(None, []) if divided else []
    names = _class_names(used[0])
    shards = Shards(used, memory_budget)
    samples = list(_samples(shards, argument))
    labelled = [(sample.name, sample.label) for sample in samples if sample.label is not None]
    if not labelled:
        raise UsageError(
            f"{argument!r} has {len(samples)} images, but no labels; expected members such as KEY.jpg with KEY.cls, "
            'KEY.txt or a KEY.json with "label".'
        )
    labels = [label for _, label in labelled]
    if names is None:
        others = [path for path in paths if divided and path not in used and path not in left]
        elsewhere = _samples(Shards(others, memory_budget), argument)
        names = classes_of([*labels, *(each.label for each in elsewhere if each.label is not None)], argument)
    elif not all(isinstance(label, int) and 0 <= label < len(names) for label in labels):
        raise UsageError(f"{CLASS_NAMES} beside {argument!r} names {len(names)} classes, but a label is another.")
    else:
        labels = [names[label] for label in labels if isinstance(label, int)]
    without = len(samples) - len(labelled)
    phrases = [f"{without} images without a label"] if without else []
    phrases += [f"{len(left)} shards whose names say no split ({left[0].name})"] if left else []
    return Listing(shards, [name for name, _ in labelled], indices_of(labels, names), names, notes, tuple(phrases))


def find_shards(argument: str) -> list[Path]:
    """The shards that a path or pattern names, sorted. Raises UsageError if there are none."""
    written = os.path.expandvars(str(Path(argument).expanduser()))
    if _is_folder(argument):
        found = sorted(path for path in Path(written).rglob("*.tar*") if path.is_file())
    else:
        found = [Path(name) for text in expanded(written) for name in sorted(glob.glob(text)) or [text]]  # noqa: PTH207
        missing = [str(path) for path in found if not path.is_file()]
        if missing:
            raise UsageError(f"there is no shard {missing[0]!r}; check the pattern {argument!r}.")
    if not found:
        raise UsageError(f"{argument!r} holds no .tar; expected WebDataset shards, e.g. train-000000.tar.")
    twice = [path.name for path in found if [other.name for other in found].count(path.name) > 1]
    if twice:
        raise UsageError(f"{argument!r} names several shards {twice[0]!r}; name those of one folder.")
    return found


def expanded(pattern: str) -> list[str]:
    """A pattern without braces for each choice: `a-{08..10}.tar` -> a-08.tar, a-09.tar, a-10.tar."""
    found = _BRACES.search(pattern)
    if found is None:
        return [pattern]
    first, last, listed_ones = found.groups()
    choices = (listed_ones or "").split(",")
    if first is not None:
        choices = [str(number).zfill(len(first)) for number in range(int(first), int(last) + 1)]
    head, tail = pattern[: found.start()], pattern[found.end() :]
    return [text for choice in choices for text in expanded(f"{head}{choice}{tail}")]


def _is_folder(argument: str) -> bool:
    return Path(os.path.expandvars(argument)).expanduser().is_dir()


def _split_of(path: Path, argument: str) -> Split | None:
    """The split that a shard's name says, or the folder that it lies in within the folder that was named."""
    inside = _is_folder(argument) and path.parent != Path(os.path.expandvars(argument)).expanduser()
    return split_named(path.name) or (split_named(path.parent.name) if inside else None)


def _class_names(shard: Path) -> tuple[str, ...] | None:
    for folder in (shard.parent, shard.parent.parent):
        if (file := folder / CLASS_NAMES).is_file():
            names = tuple(line.strip() for line in file.read_text(encoding="utf-8").splitlines() if line.strip())
            return names if len(set(names)) == len(names) > 1 else None
    return None


def _samples(shards: Shards, argument: str) -> Iterator[Sample]:
    """Every image with its label, in the order of the shards."""
    for shard, members in shards.members.items():
        keys: dict[str, dict[str, str]] = {}
        for member in members:
            folder, _, name = member.rpartition("/")
            key, _, ending = name.partition(".")
            keys.setdefault(f"{folder}/{key}" if folder else key, {})[ending.lower()] = member
        for key, endings in keys.items():
            images = [ending for ending in endings if f".{ending.rpartition('.')[2]}" in IMAGE_SUFFIXES]
            images = [ending for ending in images if "." not in ending] or images  # jpg before seg.png
            if len(images) > 1:
                raise UsageError(f"{key!r} in {shard!r} of {argument!r} has several images ({listed(images)}).")
            if images:
                named = next((endings[ending] for ending in LABELS if ending in endings), None)
                label = None if named is None else _label(shards.read(f"{shard}/{named}"), named)
                yield Sample(f"{shard}/{endings[images[0]]}", label)


def _label(content: bytes, member: str) -> str | int | None:
    try:
        text = content.decode("utf-8").strip()
        if not member.lower().endswith(".json"):
            return number_or_text(text) if text else None
        values = json.loads(text)
    except ValueError as error:
        raise UsageError(f"{member!r} holds no label: {error}.") from error
    found = [values[name] for name in LABEL_COLUMNS if name in values] if isinstance(values, dict) else []
    if found and not isinstance(found[0], str | int):
        raise UsageError(f"{member!r} has a label {found[0]!r}; expected a name or an index.")
    return found[0] if found else None
