"""Pictures as their annotators saw them: as stored, or turned upright as EXIF says."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass

from csg_analyze.data.decoding import opened_rgb, sides_and_orientation
from csg_analyze.data.sources import Source
from csg_analyze.data.voc.tally import Account

Size = tuple[int, int]


@dataclass(frozen=True)
class AnnotatedPicture:
    """A picture as its annotator saw it. size: height and width. turned: whether its file has to be turned."""

    file: str
    size: Size
    turned: bool = False


def picture_as_annotated(
    source: Source,
    file: str,
    image: str,
    annotated: Size | None,
    mask_size: Callable[[], Size | None],
    account: Account,
) -> AnnotatedPicture | None:
    """The picture that was annotated; None, counted as left out, if the file has other dimensions.

    annotated: height and width in the annotation. mask_size: gives those of a mask; called only where `annotated` is
    None and matters. The annotator of a file that EXIF says to turn saw it turned or as stored: if only one of the two
    fits the annotated dimensions, it is that one; else the turned one, as image viewers show it.
    """
    stored, orientation = sides_and_orientation(source.read(file), file)
    upright = stored[::-1] if orientation >= 5 else stored
    size = mask_size() if annotated is None and orientation > 1 else annotated
    if size is not None and size not in (stored, upright):
        sides = f"{size[1]}x{size[0]} for a file of {stored[1]}x{stored[0]}"
        account.left_out.add("image", "annotated in other dimensions than its file has", f"{image}: {sides}")
        return None
    if orientation == 1:
        return AnnotatedPicture(file, stored)
    turned = size is None or size == upright
    if size is None or stored == upright:
        reason = "turned upright as its EXIF says; whether its annotator saw it so, the annotation does not tell"
    else:
        reason = "turned upright as its EXIF says" if turned else "not turned as its EXIF says"
        reason += ", in which dimensions it is annotated"
    account.notes.add("image", reason, image)
    return AnnotatedPicture(file, upright if turned else stored, turned)


@dataclass(frozen=True)
class Upright:
    """A source whose images named in `turned` are read upright, as .bmp, and all other files as they are."""

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
