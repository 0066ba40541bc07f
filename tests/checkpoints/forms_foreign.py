"""Files that are not PyTorch's, and damaged ones."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import pickle
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save
from torch import nn

from tests.checkpoints.forms import Make, refused


def bytes_of(network: nn.Module, old: bool = False) -> bytes:
    stream = io.BytesIO()
    torch.save(network.state_dict(), stream, _use_new_zipfile_serialization=not old)
    return stream.getvalue()


def written(name: str, content: Callable[[nn.Module], bytes]) -> Make:
    def make(network: nn.Module, folder: Path) -> Path:
        (folder / name).write_bytes(content(network))
        return folder / name

    return make


def archive(name: str, *members: str) -> Make:
    def make(_network: nn.Module, folder: Path) -> Path:
        with zipfile.ZipFile(folder / name, "w") as target:
            for member in members:
                target.writestr(member, "x")
        return folder / name

    return make


def tar(network: nn.Module, folder: Path) -> Path:
    (folder / "w.pt").write_bytes(bytes_of(network))
    with tarfile.open(folder / "w.tar", "w") as target:
        target.add(folder / "w.pt", "w.pt")
    return folder / "w.tar"


def npz(network: nn.Module, folder: Path) -> Path:
    np.savez(folder / "w.npz", **{name: t.numpy() for name, t in network.state_dict().items()})
    return folder / "w.npz"


def saved_model(_network: nn.Module, folder: Path) -> Path:
    (folder / "saved_model.pb").write_bytes(b"\x08\x01")
    return folder


ONNX = b"\x08\x07\x12\x07pytorch\x1a\x052.9.0:\x00"
FORMS = (
    refused("ONNX", written("m.onnx", lambda n: ONNX), "is an ONNX model"),
    refused("ONNX of another name", written("m.pth", lambda n: ONNX + bytes(99)), "is an ONNX model"),
    refused(
        "Keras 3 (`.keras`)",
        archive("m.keras", "metadata.json", "config.json", "model.weights.h5"),
        "is a Keras model, not PyTorch's",
    ),
    refused(
        "HDF5 (`.h5`)",
        written("m.h5", lambda n: b"\x89HDF\r\n\x1a\n" + bytes(99)),
        "is an HDF5 file (Keras or h5py), not PyTorch's",
    ),
    refused("TensorFlow SavedModel", saved_model, "is a TensorFlow SavedModel, not PyTorch's"),
    refused(
        "gzip",
        written("w.pt.gz", lambda n: gzip.compress(bytes_of(n))),
        "is compressed with gzip; unpack it and give the file inside",
    ),
    refused("bzip2", written("w.pt", lambda n: bz2.compress(bytes_of(n))), "is compressed with bzip2; unpack it"),
    refused("xz", written("w.pt", lambda n: lzma.compress(bytes_of(n))), "is compressed with xz; unpack it"),
    refused("npz", npz, "is an npz archive of numpy arrays, not a checkpoint"),
    refused("npy", written("w.npy", lambda n: b"\x93NUMPY\x01\x00" + bytes(99)), "is a numpy array, not a checkpoint"),
    refused("a plain tar", tar, "is a tar archive; unpack it and give the file inside"),
    refused("a plain zip", archive("w.zip", "a.jpg", "b.jpg"), "is a zip archive of other things (first: 'a.jpg')"),
    refused(
        "a pickle that torch.save did not write",
        written("w.pkl", lambda n: pickle.dumps([1, 2])),
        "is a pickle that torch.save did not write",
    ),
    refused(
        "a pointer of Git LFS",
        written("w.pt", lambda n: b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n"),
        "is a pointer of Git LFS, not the file itself",
    ),
    refused(
        "text or HTML",
        written("w.pt", lambda n: b"<!doctype html>\n<p>not found"),
        "is a text file, not a PyTorch checkpoint",
    ),
    refused("an empty file", written("w.pt", lambda n: b""), "is empty (0 bytes)"),
    refused(
        "anything else",
        written("w.dat", lambda n: bytes(range(129, 256)) * 9),
        "is no PyTorch checkpoint, nor of another kind that is known here",
    ),
    refused(
        "a checkpoint cut off",
        written("w.pt", lambda n: bytes_of(n)[:9999]),
        "cannot be used, its end is cut off or damaged",
    ),
    refused(
        "a legacy checkpoint cut off",
        written("w.pt", lambda n: bytes_of(n, old=True)[:-9]),
        "is a PyTorch checkpoint that is cut off or damaged",
    ),
    refused(
        "safetensors cut off",
        written("w.safetensors", lambda n: save(n.state_dict())[:-9]),
        "is a safetensors file that is cut off or damaged",
    ),
    refused(
        "safetensors in name only",
        written("w.safetensors", lambda n: bytes(range(129, 256)) * 9),
        "is a safetensors file that is cut off or damaged",
    ),
)
