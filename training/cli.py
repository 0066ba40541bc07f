"""csg-train std | csg | control: the flags of a training are the fields of a `Recipe`'s groups.

Importing this module imports no torch, so that --help answers at once.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer

from csg_analyze import console, flags
from csg_analyze.errors import UsageError
from training.recipes import RECIPES, Recipe, Training, adjusted, find_recipe

HELP = f"""Train a network, with class-specific gates (csg), without (std), or around a prescribed head (control).

Called with the same flags and seed, they give twins: same initial weights, data order and augmentation.
--debug shows the traceback of any error. Recipes: {", ".join(RECIPES)}.

Twins need not differ in the gate alone: with --scheme alternate, CSG epochs take the place of STD epochs and train the
network with settings of their own. A report of csg-analyze says in what its twins differ.
"""
SUMMARIES: dict[Training, str] = {
    "std": "Train with plain cross-entropy.",
    "csg": "Train with a class-specific gate on the last convolutional stage (Algorithm 1 of the paper).",
    "control": "Train around a prescribed head without any gate, for as many STD epochs as csg has.",
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run csg-train; exits with 0, with 2 and one sentence for bad input, with 130 when interrupted."""
    sys.exit(console.run_app(build_app(), program="csg-train", arguments=arguments))


def build_app() -> typer.Typer:
    """The application: one command a training."""
    app = typer.Typer(help=HELP, no_args_is_help=True, pretty_exceptions_enable=False)
    app.callback()(console.program_flags)
    for training, summary in SUMMARIES.items():
        app.command(name=training)(training_command(training, summary))
    return app


def training_command(training: Training, summary: str) -> Callable[..., None]:
    """The command of one training: `run_training`'s own flags, then one for every field of a recipe but its name."""
    fields = flags.changes_of(Recipe, without=("name",))
    return flags.command(run_training, fixed={"training": training}, more=fields, summary=summary)


def run_training(
    training: Training,
    *,
    out: Annotated[Path, "The checkpoint to write; OUT.log.csv and OUT.resume lie beside it."],
    data: Annotated[str, "scenes | folder:PATH | hf:PATH ...; csg-analyze list has all"] = "scenes",
    recipe: Annotated[str | None, "Settings to start from; default: by data and network."] = None,
    seed: Annotated[int, "Of initial weights, order and augmentation."] = 0,
    seeds: Annotated[
        str | None, "Train a group instead, e.g. 0-2: {seed} in OUT (and in START) is each seed's number."
    ] = None,
    start: Annotated[Path | None, "Fine-tune this checkpoint (weights, normalisation; csg: its gate, if any)."] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an interrupted run, bit for bit.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace what is there.")] = False,
    device: Annotated[str | None, "cpu, cuda, cuda:1, mps; default: the fastest there is."] = None,
    tensorboard: Annotated[Path | None, "Write TensorBoard events into this folder."] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress.")] = False,
    **fields: str | bool | None,
) -> None:
    """Find the recipe, change it as the flags say, train. fields: of the recipe, as typed; None: not given."""
    changes = {name: value for name, value in fields.items() if value is not None}
    arch = changes.get("arch")
    chosen = adjusted(find_recipe(recipe, data=data, arch=str(arch) if arch else None), changes)
    if seeds is not None and seed:
        raise UsageError(f"--seed {seed} and --seeds {seeds} contradict each other; give one of them.")
    if seeds is not None and tensorboard is not None:
        raise UsageError("--tensorboard takes one training; call csg-train once a seed for it.")
    from training.group import parse_seeds, train_group  # after the flags were checked: torch takes seconds
    from training.loop import train
    from training.progress import reporter_for

    options: dict[str, Any] = {
        "training": training, "data": data, "out": out, "start": start, "device": device, "resume": resume,
        "force": force, "reporter": reporter_for(quiet=quiet),
    }  # fmt: skip
    with _stop_like_interrupt():
        if seeds is None:
            train(chosen, seed=seed, tensorboard=tensorboard, **options)
        else:
            train_group(chosen, seeds=parse_seeds(seeds), **options)


@contextmanager
def _stop_like_interrupt() -> Iterator[None]:
    """Within it, SIGTERM ends a training as Ctrl-C does: with a state to go on from."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
