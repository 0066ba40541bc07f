"""What makes two runs the same run: everything that their weights depend on, the machine aside.

A checkpoint and a resumable state record it, --resume goes on with that run alone, and reports read from it which
seeds are a group and which checkpoints are twins.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from csg_analyze.checkpoints.origin import Origin, origin_of
from csg_analyze.data import Dataset
from csg_analyze.errors import UsageError
from csg_analyze.flags import named
from training.recipes import Recipe, Training

_FINGERPRINTS = ("data", "test data", "start")
_WITHOUT_FLAG = ("training", *_FINGERPRINTS)


@dataclass(frozen=True)
class Identity:
    """A run, before it begins as well as after.

    data, test_data: fingerprints of the images. start: SHA-256 of the checkpoint that is fine-tuned, if any.
    """

    training: Training
    recipe: Recipe
    seed: int
    data: str
    test_data: str
    start: str | None

    @classmethod
    def of(
        cls, training: Training, recipe: Recipe, seed: int, splits: tuple[Dataset, Dataset], start: str | None
    ) -> Identity:
        """The run on these training and test images."""
        train, test = splits
        return cls(training, recipe, seed, train.fingerprint, test.fingerprint, start)

    @property
    def record(self) -> dict[str, Any]:
        """As plain values, the recipe in its groups, for checkpoints and states to keep."""
        fingerprints = dict(zip(_FINGERPRINTS, (self.data, self.test_data, self.start), strict=True))
        return {"recipe": asdict(self.recipe), "seed": self.seed, "fingerprints": fingerprints}

    @property
    def origin(self) -> Origin:
        """As the toolkit reads it from a checkpoint."""
        return Origin.of(self.training.upper(), **self.record)

    def check(self, path: Path, recorded: Origin) -> None:
        """Raise UsageError, naming the first difference, where a file's record tells of another run than this one."""
        for name, now, before in self.origin.differences(recorded):
            setting = name if name in _WITHOUT_FLAG else "--recipe" if name == "name" else named(name)
            now, before = (value.lower() if name == "training" else value for value in (now, before))
            raise UsageError(
                f"{str(path)!r} belongs to another run: {setting} was {before} and is now {now}; repeat the first "
                f"command as it was, write to another --out, or start from scratch with --force."
            )


def recorded_origin(training: str, record: Mapping[str, Any]) -> Origin:
    """The run that a checkpoint's or a state's record tells of. Raises ValueError where it tells of none."""
    origin = origin_of(training.upper(), record)
    if origin is None:
        raise ValueError("the record is not from csg-train")
    return origin


def flat_origin(values: Mapping[str, Any]) -> Origin:
    """The run that a state of version 1 tells of: the fields of recipe, run and data side by side."""
    apart = ("training", "seed", *_FINGERPRINTS)
    recipe = {name: value for name, value in values.items() if name not in apart}
    fingerprints = {name: values.get(name) for name in _FINGERPRINTS}
    return recorded_origin(values["training"], {"recipe": recipe, "seed": values["seed"], "fingerprints": fingerprints})
