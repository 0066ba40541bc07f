"""Training from beginning to end: one loop for every strategy, resumable after every epoch."""

from __future__ import annotations

from pathlib import Path

from csg_analyze.data import Dataset
from csg_analyze.devices import choose_device
from training.epoch import run_epoch
from training.output import check_before, is_complete, outcome, write_checkpoint
from training.progress import Reporter, TensorBoard, log_path, reading, reporter_for, write_log
from training.recipes import Recipe, Training
from training.setup import Setup, begin, prepare
from training.state import TrainingState, restore_state, save_state, state_path


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
    state_file = state_path(out)
    check_before(out, resume=resume, force=force)
    chosen, progress = choose_device(device), reading(reporter)
    setup = prepare(recipe, training, data, seed=seed, start=start, device=chosen, progress=progress)
    if resume and not force and is_complete(out, setup.identity):
        reporter.say(f"{out} is complete already")
        return out
    state = begin(setup)
    if resume and state_file.exists():
        restore_state(state_file, state, setup.identity)
        reporter.say(f"going on after epoch {len(state.rows)} of {recipe.optimisation.epochs}")
    elif resume:
        reporter.say(f"nothing to resume ({state_file} does not exist); starting from scratch")
    board = None if tensorboard is None else TensorBoard(tensorboard, epochs_done=len(state.rows))
    try:
        run_epochs(setup, state, out, reporter, board)
    finally:
        if board is not None:
            board.close()
    write_checkpoint(out, setup, state)
    state_file.unlink(missing_ok=True)
    reporter.say(f"{out}: {outcome(state)}")
    return out


def run_epochs(setup: Setup, state: TrainingState, out: Path, reporter: Reporter, board: TensorBoard | None) -> None:
    """All epochs that are left, the state and the log written after each."""
    epochs, state_file = setup.recipe.optimisation.epochs, state_path(out)
    saved = len(state.rows)
    try:
        save_state(state_file, state, setup.identity)
        with reporter:
            for note in setup.start.notes:
                reporter.say(f"note: {note}")
            if saved:  # a kill between state and log leaves the log one row short
                write_log(log_path(out), state.rows)
            reporter.begin(saved * setup.steps, epochs * setup.steps, epochs)
            while saved < epochs:
                row = run_epoch(setup, state, reporter)
                state.rows.append(row)
                save_state(state_file, state, setup.identity)
                saved = len(state.rows)
                write_log(log_path(out), state.rows)
                reporter.epoch(row)
                if board is not None:
                    board.epoch(row)
    except KeyboardInterrupt:
        if state_file.exists():
            reporter.say(
                f"interrupted; {state_file} holds the run after {saved} of {epochs} epochs: go on with --resume"
            )
        raise
