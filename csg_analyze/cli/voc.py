"""VOC data on the command line: its flags, and its preparation."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from csg_analyze.cli.commands import Quiet
from csg_analyze.errors import UsageError
from csg_analyze.progress import say, track, untracked


def voc_data(
    data: str | None,
    *,
    voc_root: Annotated[
        str | None, typer.Option(help="A VOC devkit, or the output of prepare-voc; as --data voc:ROOT.")
    ] = None,
    classes: Annotated[
        str | None, typer.Option(help="Of VOC data: class names separated by commas; default: six animals, else all.")
    ] = None,
    instances: Annotated[
        Literal["image", "crop"] | None, typer.Option(help="Of VOC data: whole images, or all objects cut out.")
    ] = None,
    crop_size: Annotated[int | None, typer.Option(help="Of VOC data: side of a cut-out object in pixels.")] = None,
    difficult: Annotated[
        Literal["keep", "skip"] | None,
        typer.Option(
            help="Of VOC data: objects marked difficult, kept as the paper's authors do (the default) or left out as "
            "VOC's own evaluation does."
        ),
    ] = None,
) -> str | None:
    """The data spec from --data and the flags for VOC data.

    Raises UsageError if both name data, or if flags refine data that is not VOC data or not named.
    """
    from csg_analyze.data.voc import refined

    if voc_root is not None and data is not None:
        raise UsageError("--voc-root and --data both name the data; give one of them.")
    spec = data if voc_root is None else f"voc:{voc_root}"
    refinements = {"classes": classes, "instances": instances, "crop_size": crop_size, "difficult": difficult}
    options = {name: str(value) for name, value in refinements.items() if value is not None}
    if not options:
        return spec
    if spec is None:
        flags = ", ".join("--" + name.replace("_", "-") for name in options)
        raise UsageError(f"{flags} need the VOC data named as well: give --voc-root or --data voc:ROOT.")
    return refined(spec, options)


def prepare_voc(
    root: Annotated[str, typer.Argument(help="A VOC devkit: a folder or an archive.", show_default=False)],
    out: Annotated[Path, typer.Option(help="The folder to write, as voc:OUT reads it.")],
    parts: Annotated[
        Path | None, typer.Option(help="Annotations_Part of Pascal-Part, if it is outside the devkit.")
    ] = None,
    classes: Annotated[
        str | None, typer.Option(help="Class names separated by commas; default: the paper's six animals, else all.")
    ] = None,
    crop_size: Annotated[int, typer.Option(help="Side of a cut-out object in pixels.")] = 128,
    split: Annotated[
        Literal["seeded", "authors"],
        typer.Option(
            help="Which pictures are for training. seeded: 70 % of the pictures with objects, by --seed; authors: 70 % "
            "of ImageSets/Main/trainval.txt, drawn as by the authors' script with seed 0. Use it for their published "
            "checkpoints, which were trained on most pictures of any other test set."
        ),
    ] = "seeded",
    seed: Annotated[int, typer.Option(help="Seed of --split seeded.")] = 0,
    quiet: Quiet = False,
) -> None:
    """Cut every object out of a VOC devkit by its mask, as the paper's authors do, for csg-train and csg-analyze.

    The masks are those of Pascal-Part, else of SegmentationObject. An interrupted preparation continues.

    Differences from the authors' script: its squares are one pixel smaller; it merges parts to HEAD, TORSO, FLIMB,
    BLIMB and TAIL, while here parts keep their names in Pascal-Part; it numbers objects through all pictures; its .jpg
    files are more strongly compressed.
    """
    from csg_analyze.data.voc.preparing import prepare_voc as prepare
    from csg_analyze.data.voc.spec import parsed_names

    names = None if classes is None else parsed_names(classes)
    done = prepare(
        root,
        out,
        parts=parts,
        classes=names,
        crop_size=crop_size,
        split=split,
        seed=seed,
        track=untracked if quiet else track,
    )
    for note in done.account.notes.phrases():
        say(f"note: {note}")
    for reason in done.left_out.phrases():
        say(f"left out: {reason}")
    counted = ", ".join(f"{name} {count}" for name, count in done.instances.items())
    print(f"{sum(done.instances.values())} objects ({counted})")
    print(f"{done.pictures['train']} pictures for training, {done.pictures['test']} for testing")
    say(f"analyse it with --data voc:{out}")
