"""A file or folder -> nested plain values and tensors, without executing any content of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file

from csg_analyze.checkpoints.checksums import UNCHECKED, damage, has_checksums
from csg_analyze.checkpoints.kinds import is_safetensors, program_kind, refusal
from csg_analyze.checkpoints.torch_files import read_archive, read_torch_file
from csg_analyze.errors import UsageError
from csg_analyze.files import sha256_of

USUAL = ("model.safetensors", "pytorch_model.bin")
"""What Hugging Face's and timm's folders call the weights."""
SUFFIXES = (".safetensors", ".pt", ".pth", ".th", ".ckpt", ".tar", ".bin", ".pt2")
INDEX = ".index.json"
BESIDE = ("config.json", "preprocessor_config.json")
"""Settings that Hugging Face's and timm's folders hold beside the weights."""
MAX_BESIDE = 8 * 2**20  # bytes; a configuration with the names of 20,000 classes has 1 MB
MAX_INDEX = 64 * 2**20  # bytes; one of a network with 10,000 tensors has 1 MB
UNCHECKED_SAFETENSORS = "safetensors files carry no checksums: damage to them would go unnoticed"


@dataclass(frozen=True)
class Container:
    """What a checkpoint holds.

    files: those that its weights were read from. notes: remarks for a report. beside: settings in the same folder, by
    the name of their file.
    """

    content: object
    files: tuple[Path, ...]
    notes: tuple[str, ...] = ()
    beside: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def sha256(self) -> str:
        """The SHA-256 of the file's bytes; of several files, that of their names and digests in order of name."""
        if len(self.files) == 1:
            return sha256_of(self.files[0])
        lines = [f"{sha256_of(path)}  {path.name}\n" for path in sorted(self.files)]
        return hashlib.sha256("".join(lines).encode()).hexdigest()


def open_container(path: Path, *, allow_pickle: bool = False) -> Container:
    """Read a checkpoint: a file, a folder that holds one, or the index of one in several files (shards).

    Nothing in it is executed unless `allow_pickle` is True. Raises UsageError for what is missing, empty, damaged (by
    its checksums, too), of another kind, or needs unpickling.
    """
    try:
        if not path.exists():
            raise UsageError(f"there is no checkpoint at {str(path)!r}; check the path.")
        if path.is_dir():
            return _open_folder(path, allow_pickle)
        found = (_open_shards if path.name.endswith(INDEX) else _open_file)(path, allow_pickle)
        return replace(found, beside=settings_in(path.parent)) if path.name.removesuffix(INDEX) in USUAL else found
    except OSError as error:
        raise UsageError(f"cannot read {str(path)!r}: {error.strerror or error}.") from error


def _open_file(path: Path, allow_pickle: bool) -> Container:
    with path.open("rb") as stream:
        head = stream.read(4096)
    if not head:
        raise UsageError(f"{str(path)!r} is empty (0 bytes); the file was not written or not copied whole.")
    # first of all: the length that safetensors begin with may look like any other kind's mark
    if is_safetensors(path, head):
        return Container(_read_safetensors(path), (path,), (UNCHECKED_SAFETENSORS,))
    if reason := refusal(path, head):
        raise UsageError(f"{str(path)!r} {reason}.")
    if reason := damage(path):
        raise UsageError(f"{str(path)!r} cannot be used, {reason}; copy, download or save it again.")
    content: object
    if kind := program_kind(path):
        content = read_archive(path, kind, allow_pickle=allow_pickle)
    else:
        content = read_torch_file(path, allow_pickle=allow_pickle)
    return Container(content, (path,), () if has_checksums(path) else (UNCHECKED,))


def _read_safetensors(path: Path) -> object:
    try:
        return load_file(path)
    except (SafetensorError, ValueError, KeyError) as error:
        raise UsageError(
            f"{str(path)!r} is a safetensors file that is cut off or damaged; copy, download or save it again."
        ) from error


def _open_folder(folder: Path, allow_pickle: bool) -> Container:
    """The one checkpoint in a folder; safetensors before pickles of the same weights."""
    from csg_analyze.checkpoints.distributed import METADATA, read_distributed

    if (folder / METADATA).is_file():
        files = (folder / METADATA, *sorted(folder.glob("*.distcp")))
        return Container(read_distributed(folder), files, ("the folder's files have no checksums of their own",))
    if (folder / "saved_model.pb").exists():
        raise UsageError(f"{str(folder)!r} is a TensorFlow SavedModel, not PyTorch's; give a PyTorch state dict.")
    indices = [
        path for path in sorted(folder.iterdir()) if path.name.endswith((f".safetensors{INDEX}", f".bin{INDEX}"))
    ]
    files_found = list(_checkpoint_files(folder, indices))
    usual = [folder / name for name in USUAL]
    candidates = (
        [path for path in usual if path in files_found][:1]
        or [path for path in indices if ".safetensors" in path.name][:1]
        or indices
        or files_found
    )
    if not candidates:
        raise UsageError(f"{str(folder)!r} is a folder without a checkpoint ({', '.join(SUFFIXES)}); give the file.")
    if len(candidates) > 1:
        names = ", ".join(path.name for path in candidates[:10])
        raise UsageError(f"{str(folder)!r} is a folder with {len(candidates)} checkpoints ({names}); give one of them.")
    found = open_container(candidates[0], allow_pickle=allow_pickle)
    passed = [path.name for path in (*files_found, *indices) if path not in (*found.files, candidates[0])]
    more = (f"{candidates[0].name} was read, not {', '.join(passed)}",) if passed else ()
    return Container(found.content, found.files, (*found.notes, *more), settings_in(folder))


def settings_in(folder: Path) -> dict[str, Mapping[str, Any]]:
    """The settings in a folder, by the name of their file. Raises UsageError for a file that is no JSON object."""
    found: dict[str, Mapping[str, Any]] = {}
    for path in (folder / name for name in BESIDE):
        if not path.is_file():
            continue
        problem = f"{str(path)!r} is not the JSON object of settings that its name promises; mend it or take it away."
        if path.stat().st_size > MAX_BESIDE:
            raise UsageError(problem)
        try:
            settings = json.loads(path.read_text(encoding="utf-8"))
        except (ValueError, RecursionError) as error:
            raise UsageError(problem) from error
        if not isinstance(settings, dict):
            raise UsageError(problem)
        found[path.name] = settings
    return found


def _checkpoint_files(folder: Path, indices: Sequence[Path]) -> Iterator[Path]:
    """Files with a checkpoint's suffix, without the shards of an index."""
    shards = {name for index in indices for name in _weight_map(index).values()}
    for path in sorted(folder.iterdir()):
        if path.is_file() and path.suffix.lower() in SUFFIXES and path.name not in shards:
            yield path


def _open_shards(index: Path, allow_pickle: bool) -> Container:
    """The tensors of all files that an index names."""
    places = _weight_map(index)
    files = [index.parent / name for name in sorted(set(places.values()))]
    if lost := [path.name for path in files if not path.is_file()]:
        raise UsageError(f"{str(index)!r} names {len(files)} files, of which {', '.join(lost[:5])} are missing.")
    opened = {path.name: open_container(path, allow_pickle=allow_pickle) for path in files}
    content: dict[str, object] = {}
    for tensor, name in places.items():
        shard = opened[name].content
        if not isinstance(shard, dict) or tensor not in shard:
            raise UsageError(f"{str(index)!r} expects {tensor!r} in {name!r}, which does not hold it.")
        content[tensor] = shard[tensor]
    notes = dict.fromkeys(note for each in opened.values() for note in each.notes)
    return Container(content, (index, *files), tuple(notes))


def _weight_map(index: Path) -> dict[str, str]:
    """Tensor -> name of the file beside the index that holds it."""
    problem = f"{str(index)!r} is not the index of a checkpoint in several files: it has no weight_map of names."
    if index.stat().st_size > MAX_INDEX:
        raise UsageError(problem)
    try:
        places = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        names = {str(tensor): str(name) for tensor, name in places.items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UsageError(problem) from error
    if not names or any("/" in name or "\\" in name or name.endswith(INDEX) for name in names.values()):
        raise UsageError(problem)
    return names
