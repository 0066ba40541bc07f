"""Writes csg_analyze/classes/imagenet.tsv: WordNet id, names and torchvision's name of ImageNet's classes, in order.

Run it from the root of the repository, where timm is installed. Nothing that a user runs needs it.
"""

from __future__ import annotations

from pathlib import Path

from timm.data import ImageNetInfo
from torchvision.models._meta import _IMAGENET_CATEGORIES

TARGET = Path(__file__).parents[1] / "csg_analyze" / "classes" / "imagenet.tsv"


def main() -> None:
    """Write the file anew."""
    info = ImageNetInfo()
    lines = []
    for index, category in enumerate(_IMAGENET_CATEGORIES):
        names = str(info.index_to_description(index, detailed=False))
        lines.append(f"{info.index_to_label_name(index)}\t{names}\t{category}\n")
    TARGET.write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
