"""Several seeds of one training: a group, trained one after the other and resumed as one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from csg_analyze.data import Dataset
from csg_analyze.errors import UsageError
from csg_analyze.files import sha256_of
from training.identity import Identity
from training.loop import train
from training.output import check_before, is_complete
from training.progress import Reporter, reading, reporter_for
from training.recipes import Recipe, Training
from training.setup import load_splits
from training.state import check_state, state_path

SEED = "{seed}"


def parse_seeds(text: str) -> tuple[int, ...]:
    """`0-2` or `0,3,5-7` -> the seeds, ascending. Raises UsageError for anything else, and for a seed named twice."""
    seeds: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"(\d+)(?:-(\d+))?", part.strip())
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if last < first:
            raise UsageError(f"--seeds takes whole numbers and ranges of them, as in 0-2 or 0,3,5; not {text!r}.")
        seeds.extend(range(first, last + 1))
    if len(set(seeds)) < len(seeds):
        raise UsageError(f"--seeds {text} names a seed twice.")
    return tuple(sorted(seeds))


def path_of(path: Path, seed: int) -> Path:
    """Where a seed's checkpoint lies: its number in place of `{seed}`, or behind the stem (csg.pt -> csg-seed0.pt)."""
    if SEED in path.name:
        return path.with_name(path.name.replace(SEED, str(seed)))
    return path.with_name(f"{path.stem}-seed{seed}{path.suffix}")


def start_of(start: Path | None, seed: int) -> Path | None:
    """The checkpoint a seed is fine-tuned from: the same for all, or one each where the name holds `{seed}`."""
    return start if start is None or SEED not in start.name else path_of(start, seed)


def train_group(
    recipe: Recipe,
    *,
    training: Training,
    data: str | tuple[Dataset, Dataset],
    out: Path | str,
    seeds: Sequence[int],
    start: Path | None = None,
    resume: bool = False,
    force: bool = False,
    reporter: Reporter | None = None,
    **further: Any,
) -> list[Path]:
    """Train one checkpoint a seed with `train`; returns their paths, `path_of(out, seed)`.

    The data is read once. resume: what is complete is left as it is, what was interrupted goes on, the rest is
    trained. further: other arguments of `train`. Raises UsageError before any training where one of the files cannot be
    written or belongs to a training with another recipe, data or start.
    """
    out, reporter = Path(out), reporter or reporter_for()
    paths = {seed: path_of(out, seed) for seed in seeds}
    starts = {seed: start_of(start, seed) for seed in seeds}
    for seed, checkpoint in starts.items():
        if checkpoint is not None and not checkpoint.is_file():
            raise UsageError(f"there is no {str(checkpoint)!r} to start seed {seed} from.")
    splits = load_splits(recipe, data, progress=reading(reporter))
    for seed, path in paths.items():
        checkpoint = starts[seed]
        if not force:
            sha256 = None if checkpoint is None else sha256_of(checkpoint)
            identity = Identity.of(training, recipe, seed, splits, sha256)
            check_state(state_path(path), identity)
            is_complete(path, identity)
        check_before(path, resume=resume, force=force)
    for number, (seed, path) in enumerate(paths.items(), 1):
        reporter.say(f"seed {seed} ({number} of {len(paths)}): {path}")
        train(
            recipe, training=training, data=splits, out=path, seed=seed, start=starts[seed], resume=resume,
            force=force, reporter=reporter, **further,
        )  # fmt: skip
    return list(paths.values())
