"""The demo: twins trained on the embedded scenes. Only this module of the toolkit calls the trainer."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from csg_analyze.errors import UsageError
from csg_analyze.files import free_folder

CHECKPOINTS = ("std.pt", "csg.pt")
REPORT = "report"
TITLE = "STD and CSG on scenes"
OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "adv-detect": {"train_sizes": "50,100,200", "test_size": 100, "adaptive": True},
    "robustness": {"n_images": 100},
}
"""Fewer attacked images than by default, so that the demo takes only minutes on two cores."""


def prepare_folder(out: Path | None, force: bool) -> Path:
    """An empty or unfinished demo folder: `out`, or the first under reports/ without a finished report.

    Raises UsageError for a finished demo without force, and for a folder with other files.
    """
    if out is None:
        out = Path("reports") / "demo"
        if (out / REPORT).exists():
            out = free_folder(out)
    contents = [path.name for path in out.iterdir()] if out.is_dir() else []
    foreign = [name for name in contents if name != REPORT and not name.startswith(CHECKPOINTS)]
    if out.exists() and not out.is_dir():
        raise UsageError(f"{str(out)!r} is a file; give a folder with --out.")
    if foreign:
        raise UsageError(f"{str(out)!r} has other files ({foreign[0]!r}); give a new folder with --out.")
    if REPORT in contents and not force:
        raise UsageError(f"{str(out)!r} has a finished demo; give another --out, or --force to start anew.")
    if force and contents:
        shutil.rmtree(out)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot make the folder {str(out)!r}: {error.strerror or error}.") from error
    return out


def train_twins(folder: Path, *, seed: int, quiet: bool) -> list[Path]:
    """Train STD and CSG with one recipe and seed; keep finished checkpoints, and resume interrupted trainings."""
    from training.loop import train
    from training.progress import reporter_for
    from training.recipes import RECIPES, Training
    from training.state import state_path

    recipe = RECIPES["scenes-resnet8"]
    paths: dict[Training, Path] = {"std": folder / CHECKPOINTS[0], "csg": folder / CHECKPOINTS[1]}
    for training, path in paths.items():
        if not path.exists():
            reporter, interrupted = reporter_for(quiet=quiet), state_path(path).exists()
            train(recipe, training=training, data="scenes", out=path, seed=seed, resume=interrupted, reporter=reporter)
    return list(paths.values())
