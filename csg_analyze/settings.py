"""The settings of a run, and of how checkpoints are loaded: fields are flags as well.

Importing this module does not import torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from csg_analyze.errors import UsageError
from csg_analyze.flags import OnCommandLine
from csg_analyze.plan import Options

if TYPE_CHECKING:
    from csg_analyze.checkpoints import Classifier


@dataclass(frozen=True)
class Loading:
    """How to load a classifier, as far as its file does not record it. mean, std: numbers, or text as typed."""

    arch: Annotated[
        str | None,
        "Architecture, if the file does not record it: resnet20, resnet18, timm:NAME ...; hf:DIR, a folder of "
        "transformers; or package.module:factory, your own code, which is imported and run.",
    ] = None
    arch_option: Annotated[
        list[str] | None, "NAME=VALUE for what builds the network, e.g. num_classes=12; may be given several times."
    ] = None
    num_classes: Annotated[int | None, "Number of classes the head must have."] = None
    layer: Annotated[str | None, "Feature layer; default: the last one whose maps reach the head."] = None
    mean: Annotated[str | None, "Channel means for pixels in [0, 1], e.g. .485,.456,.406"] = None
    std: Annotated[str | None, "Channel standard deviations, e.g. .229,.224,.225"] = None
    size: Annotated[int | None, "Image size in pixels."] = None
    resize: Annotated[int | None, "Shorter side in pixels before the crop to --size; default: --size."] = None
    channels: Annotated[
        Literal["rgb", "bgr"] | None,
        "Order in which the network takes the channels; --mean and --std are red, green, blue in any case.",
    ] = None
    weights: Annotated[str | None, "Which weights, where a file holds several sets: model_ema, teacher ..."] = None
    allow_pickle: Annotated[
        bool, typer.Option("--allow-pickle", help="Run Python code in the file; only if you trust it.")
    ] = False
    device: Annotated[str | None, "cpu, cuda, cuda:1, mps; default: the fastest there is."] = None

    def load(self, path: Path) -> Classifier:
        """The classifier in a file. Raises UsageError as `load_classifier` does, and if mean or std are no numbers."""
        from csg_analyze.checkpoints import load_classifier
        from csg_analyze.checkpoints.factories import option_values

        return load_classifier(
            path,
            architecture=self.arch,
            arch_options=option_values(self.arch_option or ()),
            n_classes=self.num_classes,
            layer=self.layer,
            mean=_numbers("mean", self.mean),
            std=_numbers("std", self.std),
            size=self.size,
            resize=self.resize,
            channels=self.channels,
            weights=self.weights,
            allow_pickle=self.allow_pickle,
            device=self.device,
        )


@dataclass(frozen=True)
class Run:
    """The settings of a run. Annotated fields are flags as well.

    checkpoints: files, or classifiers in hand. data: a spec, or data in hand, see `DataInHand`. class_map: a file, a
    dict, "index" or "order". class_names: of data in hand, in the order of its labels.
    analyzers: names, or one; None: all. options: of analyzers and inputs, by name. out: None writes no folder. command:
    the command line to record in the report.
    """

    checkpoints: Annotated[
        Sequence[Any],
        OnCommandLine(list[Path], typer.Argument(help="Checkpoint files to analyse and compare.", show_default=False)),
    ] = field(default_factory=tuple)
    data: Annotated[
        Any,
        OnCommandLine(
            str | None,
            "scenes | folder:PATH | hf:PATH | csv:FILE ...; `list` has all; default: as the checkpoint records.",
        ),
    ] = None
    split: Annotated[Literal["test", "train"], "Which part of the data."] = "test"
    limit: Annotated[int | None, "Largest number of images, classes balanced."] = None
    class_map: Annotated[
        Any,
        OnCommandLine(
            str | None, "CSV or JSON: which class of the model each class of the data is; or index, or order."
        ),
    ] = None
    all_outputs: Annotated[
        bool,
        typer.Option("--all-outputs", help="Predict among all classes of the model, also those that the data lacks."),
    ] = False
    title: Annotated[str | None, "Title of the report."] = None
    paper: Annotated[str | None, "Show the paper's numbers for comparison: cifar10 | imagenet | voc."] = None
    remark: Annotated[str | None, "A sentence for the table over seeds, e.g. on how the recipe was chosen."] = None
    light: Annotated[
        bool, typer.Option("--light", help="Leave out pages of their own, figures as files, and files over 1 MB.")
    ] = False
    out: Annotated[Path | None, "The report folder; default: a new one under reports/."] = None
    force: Annotated[bool, typer.Option("--force", help="Replace an existing report folder.")] = False
    loading: Loading = field(default_factory=Loading)
    cache: Annotated[Path | None, "Folder for cached activations; default: the user's cache folder."] = None
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Neither read nor write the cache.")] = False
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress.")] = False
    analyzers: Sequence[str] | None = None
    options: Options = field(default_factory=dict)
    command: Sequence[str] = ()
    class_names: Sequence[str] | None = None


def _numbers(name: str, values: str | Sequence[float] | None) -> list[float] | None:
    if values is None:
        return None
    parts = values.split(",") if isinstance(values, str) else values
    try:
        return [float(part) for part in parts]
    except ValueError:
        raise UsageError(
            f"--{name} needs three numbers separated by commas, e.g. .485,.456,.406; not {values!r}."
        ) from None
