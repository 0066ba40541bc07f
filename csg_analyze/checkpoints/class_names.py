"""The names of a network's classes, as its file or the settings beside it say them."""

from __future__ import annotations

from csg_analyze.checkpoints.folder_settings import CONFIG
from csg_analyze.checkpoints.reading import Contents
from csg_analyze.checkpoints.statements import class_names_in, said_in


def class_names_of(contents: Contents, n_classes: int) -> tuple[tuple[str, ...] | None, tuple[str, ...]]:
    """Names in the order of the network's outputs, None if nobody says them, and remarks on where they come from.

    Of another program's file, names count only if there is one for each of the outputs.
    """
    if contents.own:
        recorded = contents.about.get("class_names")
        return (tuple(recorded) if recorded else None), ()
    in_file = list(class_names_in(contents.said))
    beside = [(f"{CONFIG}: {place}", names) for place, names in class_names_in(said_in(contents.beside.get(CONFIG)))]
    fitting = [(place, names) for place, names in (*in_file, *beside) if len(names) == n_classes]
    if fitting:
        place, names = fitting[0]
        first = ", ".join(names[:3]) + (" ..." if len(names) > 3 else "")
        return names, (f"class names are those of the file's {place!r}: {first}",)
    others = tuple(
        f"the file's {place!r} names {len(names)} classes, but the network has {n_classes} outputs: not used"
        for place, names in (*in_file, *beside)
    )
    return None, others[:1]
