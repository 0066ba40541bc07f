"""The part of a VOC devkit that makes up a dataset, as users write it: `voc:ROOT?classes=bird,cat&instances=crop`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

from csg_analyze.errors import UsageError, unknown

Instances = Literal["image", "crop"]
Difficult = Literal["keep", "skip"]

SIX_ANIMALS = ("bird", "cat", "dog", "cow", "horse", "sheep")
"""The paper's classes, in its order."""

CROP_SIZE = 128
"""The paper's side of a cut-out instance in pixels."""


@dataclass(frozen=True)
class VocSpec:
    """Which part of a devkit makes up the dataset.

    classes: in this order. None: the paper's six animals if the devkit has them all, else all its classes, sorted.
    instances: "image", one sample per image, with all objects of its class; or "crop", one sample per object, cut out
    as a square around it and resized to crop_size x crop_size pixels. Folders that `prepare-voc` made hold crops.
    difficult: "keep" treats objects that are marked difficult like all others, as the CSG authors do (their masks have
    no such mark). "skip" leaves them out, as VOC's own evaluation does, and ignores their pixels in masks; with boxes
    alone they count as background.
    """

    root: str
    classes: tuple[str, ...] | None = None
    instances: Instances = "image"
    crop_size: int = CROP_SIZE
    difficult: Difficult = "keep"

    @property
    def text(self) -> str:
        """The spec as a user writes it, without the options that have their default."""
        options = {
            "classes": ",".join(self.classes or ()),
            "instances": "" if self.instances == "image" else self.instances,
            "crop_size": "" if self.crop_size == CROP_SIZE else str(self.crop_size),
            "difficult": "" if self.difficult == "keep" else self.difficult,
        }
        written = "&".join(f"{name}={value}" for name, value in options.items() if value)
        return f"voc:{self.root}" + (f"?{written}" if written else "")

    @classmethod
    def parsed(cls, argument: str) -> VocSpec:
        """The spec whose text after `voc:` is `argument`. Raises UsageError for an unknown option or value."""
        root, mark, written = argument.rpartition("?")
        if not mark or "=" not in written:  # a folder may have a question mark in its name
            return cls(argument)
        options = dict(part.partition("=")[::2] for part in written.split("&") if part)
        return cls(root).with_options(options)

    def with_options(self, options: Mapping[str, str]) -> VocSpec:
        """The same with other values, as text, for some options. Raises UsageError as `parsed` does."""
        changed = self
        for name, value in options.items():
            if name == "classes":
                changed = replace(changed, classes=parsed_names(value))
            elif name == "instances":
                if value not in get_args(Instances):
                    raise unknown("value of instances", value, get_args(Instances))
                changed = replace(changed, instances="crop" if value == "crop" else "image")
            elif name == "crop_size":
                if not value.isdecimal() or int(value) < 8:
                    raise UsageError(f"the side of cut-out objects must be at least 8 pixels, not {value!r}.")
                changed = replace(changed, crop_size=int(value))
            elif name == "difficult":
                if value not in get_args(Difficult):
                    raise unknown("value of difficult", value, get_args(Difficult))
                changed = replace(changed, difficult="skip" if value == "skip" else "keep")
            else:
                raise unknown("option of voc data", name, ("classes", "instances", "crop_size", "difficult"))
        return changed

    def chosen(self, available: Sequence[str]) -> tuple[str, ...]:
        """The classes of the dataset, among those `available` in the devkit.

        Raises UsageError, suggesting the nearest, for a class that is not among them. If none is available, nothing
        can be compared and the requested classes are returned as they are.
        """
        if self.classes is not None:
            for name in self.classes:
                if available and name not in available:
                    raise unknown("class", name, available)
            return self.classes
        return SIX_ANIMALS if set(SIX_ANIMALS) <= set(available) else tuple(sorted(available))


def refined(spec: str, options: Mapping[str, str]) -> str:
    """A voc spec with some options changed. Raises UsageError for data of another kind."""
    kind, _, argument = spec.partition(":")
    if kind != "voc":
        flags = ", ".join("--" + name.replace("_", "-") for name in options)
        raise UsageError(f"{flags} can only be given for voc data, not for {spec!r}.")
    return VocSpec.parsed(argument).with_options(options).text


def parsed_names(text: str) -> tuple[str, ...]:
    """`bird,cat` -> the names. Raises UsageError if there is none."""
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not names:
        raise UsageError("the list of classes is empty; give names with commas between, e.g. bird,cat.")
    return names
