"""How a dataset looks in a notebook: what it holds, and the first image of each class."""

from __future__ import annotations

import io

import torch
from markupsafe import Markup
from PIL import Image
from torch import Tensor

from csg_analyze.data.dataset import Dataset
from csg_analyze.errors import UsageError
from csg_analyze.html import pieces

CLASSES = 12
"""Classes at most of which an image is shown."""

SIDE = 64
"""Pixels of the longer side of a shown image; smaller ones are enlarged by a whole number."""


def html_of_dataset(dataset: Dataset) -> str:
    """The dataset in a few lines and pictures."""
    names = dataset.class_names
    height, width = dataset.image_size
    extras = {"boxes": dataset.boxes, "masks": dataset.masks}
    lines = {
        "images": f"{len(dataset):,} of {width}x{height} pixels",
        "classes": f"{len(names)}: {', '.join(names[:CLASSES])}{', ...' * (len(names) > CLASSES)}" if names else "",
        "objects": ", ".join(name for name, values in extras.items() if values is not None),
        "fingerprint": dataset.fingerprint[:16],
        "notes": "; ".join(dataset.notes),
        "left out": "; ".join(dataset.left_out),
    }
    title = " ".join(filter(None, ("dataset:", dataset.spec, dataset.split)))
    return pieces.together(pieces.heading(title), pieces.facts(lines), _pictures(dataset))


def _pictures(dataset: Dataset) -> Markup:
    """The first image of each of the first classes that have one, with the name of the class below it."""
    labels, first = dataset.labels.tolist(), dict[int, int]()
    for index, label in enumerate(labels):
        first.setdefault(label, index)
        if len(first) == CLASSES:
            break
    if not first:
        return Markup("")
    shown = dict(sorted(first.items()))
    try:
        images = dataset.images[torch.tensor(list(shown.values()))]
    except UsageError as error:  # a file that cannot be read any more
        return pieces.paragraph(str(error))
    form = Markup(
        '<figure style="display:inline-block;margin:4px;text-align:center">{}<figcaption>{}</figcaption></figure>'
    )
    named = [dataset.class_names[label] if dataset.class_names else f"class {label}" for label in shown]
    return Markup("").join(
        form.format(pieces.picture(_png(image), name), pieces.shown(name, 16))
        for image, name in zip(images, named, strict=True)
    )


def _png(image: Tensor) -> bytes:
    """An image, uint8 (3, H, W), as a small PNG."""
    picture = Image.fromarray(image.permute(1, 2, 0).contiguous().numpy())
    times = SIDE // max(picture.size)
    if times > 1:
        picture = picture.resize((picture.width * times, picture.height * times), Image.Resampling.NEAREST)
    picture.thumbnail((SIDE, SIDE))
    stream = io.BytesIO()
    picture.save(stream, format="png")
    return stream.getvalue()
