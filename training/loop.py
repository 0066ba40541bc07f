"""Training from beginning to end: one loop for every strategy, resumable after every epoch."""

from __future__ import annotations

from pathlib import Path

from csg_analyze.data import Dataset
from csg_analyze.devices import choose_device
from training.epoch import run_epoch
from training.output import check_before, is_complete, outcome, write_checkpoint
from training.progress import Reporter, TensorBoard, log_path, reading, reporter_for, write_log
from training.recipes import Recipe, Training
from training.setting import Setting, begin, prepare
from training.state import Run, restore_state, save_state, state_path


def train(
    recipe: Recipe,
    *,
    training: Training,
    data: str | tuple[Dataset, Dataset],
    out: Path | str,
    seed: int = 0,
    start: Path | None = None,
    device: str | None = None,
    resume: bool = False,
    force: bool = False,
    reporter: Reporter | None = None,
    tensorboard: Path | None = None,
) -> Path:
    """Train a network, write its checkpoint to `out` and its log to `out`.log.csv; returns `out`.

    training: "std", "csg" or "control". Calls that differ in nothing else make twins: same initial weights, data order
    and augmentation. data: a spec, or the training and test split. start: a checkpoint to fine-tune; csg goes on with
    its gate. resume: go on from `out`.resume, the state after the last epoch, bit for bit as if there had been no
    interruption (on the same machine); a run that is complete is left as it is. force: replace what is there.
    reporter: who is told how it goes; None: a bar or lines on stderr.
    Raises UsageError for whatever cannot be used, before training where that can be known, and for a loss that is no
    finite number. KeyboardInterrupt passes through after saying how to go on. Both leave the state file.
    """
    out, reporter = Path(out), reporter or reporter_for()
    state = state_path(out)
    check_before(out, resume=resume, force=force)
    where, progress = choose_device(device), reading(reporter)
    setting = prepare(recipe, training, data, seed=seed, start=start, device=where, progress=progress)
    if resume and not force and is_complete(out, setting.identity):
        reporter.say(f"{out} is complete already")
        return out
    run = begin(setting)
    if resume and state.exists():
        restore_state(state, run, setting.identity)
        reporter.say(f"going on after epoch {len(run.rows)} of {recipe.epochs}")
    elif resume:
        reporter.say(f"nothing to resume ({state} does not exist); starting from scratch")
    board = None if tensorboard is None else TensorBoard(tensorboard, epochs_done=len(run.rows))
    try:
        run_epochs(setting, run, out, reporter, board)
    finally:
        if board is not None:
            board.close()
    write_checkpoint(out, setting, run)
    state.unlink(missing_ok=True)
    reporter.say(f"{out}: {outcome(run)}")
    return out


def run_epochs(setting: Setting, run: Run, out: Path, reporter: Reporter, board: TensorBoard | None) -> None:
    """All epochs that are left, the state and the log written after each."""
    epochs, state = setting.recipe.epochs, state_path(out)
    saved = len(run.rows)
    try:
        save_state(state, run, setting.identity)
        with reporter:
            for note in setting.start.notes:
                reporter.say(f"note: {note}")
            if saved:  # a kill between state and log leaves the log one row short
                write_log(log_path(out), run.rows)
            reporter.begin(saved * setting.steps, epochs * setting.steps, epochs)
            while saved < epochs:
                row = run_epoch(setting, run, reporter)
                run.rows.append(row)
                save_state(state, run, setting.identity)
                saved = len(run.rows)
                write_log(log_path(out), run.rows)
                reporter.epoch(row)
                if board is not None:
                    board.epoch(row)
    except KeyboardInterrupt:
        if state.exists():
            reporter.say(f"interrupted; {state} holds the run after {saved} of {epochs} epochs: go on with --resume")
        raise
