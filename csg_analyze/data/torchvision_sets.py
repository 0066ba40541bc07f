"""torchvision's datasets for image classification by name, where their files are on disk; nothing is downloaded."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from csg_analyze.data.dataset import Dataset, Split
from csg_analyze.data.geometry import Progress
from csg_analyze.data.in_hand import DataInHand
from csg_analyze.data.listing import whole_note
from csg_analyze.errors import UsageError, unknown


@dataclass(frozen=True)
class TorchvisionSet:
    """How torchvision calls the parts of a dataset.

    expected: what torchvision looks for below the root. train, test: arguments for that split; None for both: the set
    is not divided. n_classes: of sets whose classes torchvision gives no names, only indices.
    """

    expected: str
    train: Mapping[str, Any] | None = None
    test: Mapping[str, Any] | None = None
    n_classes: int | None = None

    def of(self, split: Split) -> Mapping[str, Any]:
        """The arguments for a split."""
        return (self.train if split == "train" else self.test) or {}


def _by_flag(expected: str, n_classes: int | None = None) -> TorchvisionSet:
    return TorchvisionSet(expected, {"train": True}, {"train": False}, n_classes)


def _by_name(expected: str, train: str = "train", test: str = "test", n_classes: int | None = None) -> TorchvisionSet:
    return TorchvisionSet(expected, {"split": train}, {"split": test}, n_classes)


SETS: Mapping[str, TorchvisionSet] = {
    "CIFAR10": _by_flag("cifar-10-batches-py/ with data_batch_1 ... test_batch"),
    "CIFAR100": _by_flag("cifar-100-python/ with train, test and meta"),
    "Country211": _by_name("country211/ with train/ and test/"),
    "DTD": _by_name("dtd/dtd/ with images/ and labels/"),
    "EuroSAT": TorchvisionSet("eurosat/2750/ with one folder per class"),
    "FashionMNIST": _by_flag("FashionMNIST/raw/ with train-images-idx3-ubyte and the like"),
    "FGVCAircraft": _by_name("fgvc-aircraft-2013b/data/ with images/ and images_variant_test.txt", train="trainval"),
    "Flowers102": _by_name("flowers-102/ with jpg/, imagelabels.mat and setid.mat"),
    "Food101": _by_name("food-101/ with images/ and meta/"),
    "GTSRB": _by_name("gtsrb/ with GTSRB/Training/, GTSRB/Final_Test/Images/ and GT-final_test.csv", n_classes=43),
    "ImageNet": _by_name("meta.bin, train/ and val/, as torchvision unpacks its archives", test="val"),
    "Imagenette": _by_name("imagenette2/, imagenette2-320/ or imagenette2-160/ with train/ and val/", test="val"),
    "KMNIST": _by_flag("KMNIST/raw/ with train-images-idx3-ubyte and the like"),
    "MNIST": _by_flag("MNIST/raw/ with train-images-idx3-ubyte and the like"),
    "OxfordIIITPet": _by_name("oxford-iiit-pet/ with images/ and annotations/", train="trainval"),
    "RenderedSST2": _by_name("rendered-sst2/ with train/ and test/"),
    "StanfordCars": _by_name("stanford_cars/ with devkit/, cars_train/, cars_test/ and cars_test_annos_withlabels.mat"),
    "STL10": _by_name("stl10_binary/ with train_X.bin, test_X.bin and the like"),
    "SVHN": _by_name("train_32x32.mat and test_32x32.mat", n_classes=10),
    "USPS": _by_flag("usps.bz2 and usps.t.bz2", n_classes=10),
}
"""Name, as torchvision spells it -> its parts. Validation images are for training where training alone has them."""

_FORM = "write torchvision:NAME:ROOT, e.g. torchvision:MNIST:data"


class Labelled:
    """A dataset of torchvision's with its labels in `targets`, wherever it keeps them: no image is read for them."""

    def __init__(self, images: Any, progress: Callable[[int], None] | None = None) -> None:
        """progress: told of every image that is read."""
        self.images, self.progress = images, progress
        self.targets = _targets(images)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, i: int) -> Any:
        if self.progress is not None:
            self.progress(i)
        return self.images[i]


def load_torchvision(
    argument: str,
    split: Split,
    *,
    size: int | None = None,
    resize: int | None = None,
    limit: int | None = None,
    progress: Progress | None = None,
) -> Dataset:
    """One split of a dataset of torchvision's. argument: `NAME:ROOT`; upper and lower case of the name are the same.

    Classes have torchvision's names, the first of several; grey images become RGB; pixels are those that torchvision
    gives. size, resize, limit: as in `load_dataset`. Raises UsageError for names that are not among SETS, and for files
    that are missing or not the original ones.
    """
    typed, _, root = argument.partition(":")
    names = {name.lower(): name for name in SETS}
    if typed.lower() not in names:
        raise unknown("dataset of torchvision", typed, names) if typed else UsageError(f"no dataset is named; {_FORM}.")
    name = names[typed.lower()]
    if not root:
        raise UsageError(f"torchvision:{name} names no folder; {_FORM}.")
    known, folder = SETS[name], Path(os.path.expandvars(root)).expanduser()
    images = _opened(name, known, folder, split)
    class_names = _class_names(images, known)
    tell = None if progress is None else _counted(progress, len(images))
    data = DataInHand(Labelled(images, tell), class_names).opened(size, resize, limit)
    prefix = f"{split}-" if known.of(split) else ""
    return replace(
        data,
        spec=f"torchvision:{argument}",
        split=split,
        sample_ids=tuple(f"{prefix}{int(each.rpartition(' ')[2]):05d}" for each in data.sample_ids),
        notes=(*(() if prefix else (whole_note(split),)), *data.notes),
    )


def _counted(progress: Progress, total: int) -> Callable[[int], None]:
    """Tells `progress` of every hundredth image, and of the last."""

    def tell(i: int) -> None:
        if (i + 1) % 100 == 0 or i + 1 == total:
            progress(i + 1, total)

    return tell


def _opened(name: str, known: TorchvisionSet, folder: Path, split: Split) -> Any:
    import torchvision.datasets

    arguments = dict(known.of(split))
    if name == "Imagenette":
        sizes = {"imagenette2": "full", "imagenette2-320": "320px", "imagenette2-160": "160px"}
        arguments["size"] = next((size for part, size in sizes.items() if (folder / part).is_dir()), "full")
    if name == "ImageNet":  # without meta.bin, torchvision would unpack archives into the folder
        if not (folder / "meta.bin").is_file():
            raise _missing(name, known, folder, "no meta.bin", " (folders of classes alone are read by folder:PATH)")
    elif name != "USPS":
        arguments["download"] = False
    try:
        return getattr(torchvision.datasets, name)(folder, **arguments)
    except (RuntimeError, OSError, ValueError, KeyError, EOFError) as error:
        raise _missing(name, known, folder, " ".join(str(error).split())) from error


def _missing(name: str, known: TorchvisionSet, folder: Path, said: str, way_out: str = "") -> UsageError:
    said = said.partition(" You can use download=True")[0].rstrip(".")
    return UsageError(f"no intact {name} in {str(folder)!r} ({said}); expected there: {known.expected}{way_out}.")


def _class_names(images: Any, known: TorchvisionSet) -> tuple[str, ...]:
    names = getattr(images, "classes", None)
    if names is None:
        return tuple(map(str, range(known.n_classes or 0)))
    return tuple(name if isinstance(name, str) else name[0] for name in names)


def _targets(images: Any) -> Any:
    for attribute in ("targets", "_labels", "labels"):
        if getattr(images, attribute, None) is not None:
            return getattr(images, attribute)
    return [label for _, label in images._samples]
