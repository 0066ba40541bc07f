"""Pictures in the frame of their annotations: as they are stored, or turned upright as their EXIF says."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass

from csg_analyze.data.decoding import opened_rgb, sides_and_orientation
from csg_analyze.data.sources import Source
from csg_analyze.data.voc.tally import Account

Size = tuple[int, int]


@dataclass(frozen=True)
class Picture:
    """A picture as its annotator saw it. size: height and width of that. turned: whether it is stored otherwise."""

    file: str
    size: Size
    turned: bool = False


def picture_seen(
    source: Source, file: str, image: str, told: Size | None, masks: Callable[[], Size | None], account: Account
) -> Picture | None:
    """The picture that an annotation was drawn on; None, counted as left out, where the file cannot be that.

    told: height and width that the annotation gives; masks: those of a mask, asked for where told is None and matters.
    A file whose EXIF says to turn it was seen turned or as it is stored: the annotation's sides decide where only one
    of them fits, else it is turned, as whatever shows pictures does.
    """
    stored, orientation = sides_and_orientation(source.read(file), file)
    upright = stored[::-1] if orientation >= 5 else stored
    size = masks() if told is None and orientation > 1 else told
    if size is not None and size not in (stored, upright):
        sides = f"{size[1]}x{size[0]} for a file of {stored[1]}x{stored[0]}"
        account.left_out.add("image", "annotated in other dimensions than its file has", f"{image}: {sides}")
        return None
    if orientation == 1:
        return Picture(file, stored)
    turned = size is None or size == upright
    if size is None or stored == upright:
        why = "turned upright as its EXIF says; whether its annotator saw it so, the annotation does not tell"
    else:
        why = "turned upright as its EXIF says" if turned else "not turned as its EXIF says"
        why += ", in which dimensions it is annotated"
    account.notes.add("image", why, image)
    return Picture(file, upright if turned else stored, turned)


@dataclass(frozen=True)
class Upright:
    """A source of which some images are read turned upright, as .bmp, and all else as it is."""

    source: Source
    turned: frozenset[str]

    def folders(self, under: str = "") -> list[str]:
        """See Source."""
        return self.source.folders(under)

    def files(self, under: str) -> list[str]:
        """See Source."""
        return self.source.files(under)

    def read(self, name: str) -> bytes:
        """See Source."""
        data = self.source.read(name)
        if name not in self.turned:
            return data
        stream = io.BytesIO()
        opened_rgb(data, name, upright=True).save(stream, "bmp")
        return stream.getvalue()

    def close(self) -> None:
        """See Source."""
        self.source.close()
