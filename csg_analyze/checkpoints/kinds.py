"""Files that are no checkpoint of PyTorch's: told by their bytes, refused by name, with the way there."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

TORCHSCRIPT = "TorchScript"
EXPORTED = "torch.export"

_STATE_DICT = "load it where it was made and give torch.save(model.state_dict(), ...)"
_UNPACK = "unpack it and give the file inside"
_CONVERT = "convert its weights to a PyTorch state dict and give that"
_BY_BYTES: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\x89HDF\r\n\x1a\n", f"is an HDF5 file (Keras or h5py), not PyTorch's; {_CONVERT}"),
    (0, b"\x1f\x8b", f"is compressed with gzip; {_UNPACK}"),
    (0, b"BZh", f"is compressed with bzip2; {_UNPACK}"),
    (0, b"\xfd7zXZ\x00", f"is compressed with xz; {_UNPACK}"),
    (0, b"\x28\xb5\x2f\xfd", f"is compressed with zstd; {_UNPACK}"),
    (0, b"7z\xbc\xaf\x27\x1c", f"is a 7z archive; {_UNPACK}"),
    (0, b"\x93NUMPY", f"is a numpy array, not a checkpoint; {_CONVERT}"),
    (257, b"ustar", f"is a tar archive; {_UNPACK}"),
    (4, b"TFL3", f"is a TensorFlow Lite file, not PyTorch's; {_CONVERT}"),
    (0, b"GGUF", f"is a GGUF file, which holds no image classifier of PyTorch's; {_CONVERT}"),
    (0, b"version https://git-lfs", "is a pointer of Git LFS, not the file itself; fetch it with git lfs pull"),
)
_BY_NAME: tuple[tuple[str, str], ...] = (
    (r"\.onnx$", f"is an ONNX model, which has no PyTorch modules to look into; {_STATE_DICT}"),
    (r"\.(pb|tflite|index|meta)$|\.data-\d+-of-\d+$", f"is a TensorFlow file, not PyTorch's; {_CONVERT}"),
    (r"\.(h5|hdf5)$", f"is an HDF5 file (Keras or h5py), not PyTorch's; {_CONVERT}"),
)
_LEGACY = b"\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # torch.save's magic number, pickled


def refusal(path: Path, head: bytes) -> str | None:
    """What the file is and what to do, as the end of a sentence; None where it may be a checkpoint.

    head: its first 4096 bytes.
    """
    if is_legacy(head):
        return None
    for offset, signature, reason in _BY_BYTES:
        if head[offset : offset + len(signature)] == signature:
            return reason
    if _is_text(head):
        return "is a text file, not a PyTorch checkpoint; give a .pt, .pth or .safetensors file"
    if head.startswith(b"PK"):
        return _refused_archive(path)
    for pattern, reason in _BY_NAME:
        if re.search(pattern, path.name, re.IGNORECASE):
            return reason
    if head[:1] == b"\x08" and head[2:3] == b"\x12" and re.search(rb"pytorch|onnx|tf2onnx", head[:64]):
        return _BY_NAME[0][1]
    if head[:1] == b"\x80":
        return "is a pickle that torch.save did not write, no PyTorch checkpoint; torch.save a state dict of it"
    return None


def is_legacy(head: bytes) -> bool:
    """Whether the file begins as torch.save wrote them before version 1.6."""
    return _LEGACY in head[:32]


def is_safetensors(path: Path, head: bytes) -> bool:
    """Whether the file begins as safetensors do: the length of a JSON header, then the header.

    One that says so by its name, and begins as nothing else, is a damaged one.
    """
    length = int.from_bytes(head[:8], "little")
    if head[8:9] == b"{" and 2 <= length <= path.stat().st_size:
        return True
    return path.suffix == ".safetensors" and not (head.startswith((b"PK", b"\x80")) or refusal(path, head))


def program_kind(path: Path) -> str | None:
    """`TORCHSCRIPT` or `EXPORTED` for archives of code with weights; None for any other file."""
    names = _member_names(path)
    inner = {name.partition("/")[2] for name in names} | names
    if "constants.pkl" in inner and any(name.startswith("code/") for name in inner):
        return TORCHSCRIPT
    if inner & {"archive_format", "serialized_exported_program.json"}:
        return EXPORTED
    return None


def _refused_archive(path: Path) -> str | None:
    """The refusal of a zip archive that torch.save did not write; None for a damaged one, which its checksums tell."""
    names = _member_names(path)
    if not names or program_kind(path) or any(name == "data.pkl" or name.endswith("/data.pkl") for name in names):
        return None
    if "model.weights.h5" in names:
        return f"is a Keras model, not PyTorch's; {_CONVERT}"
    if all(name.endswith(".npy") for name in names):
        return f"is an npz archive of numpy arrays, not a checkpoint; {_CONVERT}"
    return f"is a zip archive of other things (first: {min(names)!r}); {_UNPACK}"


def _member_names(path: Path) -> set[str]:
    try:
        with zipfile.ZipFile(path) as archive:
            return set(archive.namelist())
    except Exception:  # zipfile raises several kinds of errors for what is no archive, or a broken one
        return set()


def _is_text(head: bytes) -> bool:
    try:
        return all(character.isprintable() or character.isspace() for character in head.decode())
    except UnicodeDecodeError:
        return False
