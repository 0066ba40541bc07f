"""Repeating a report: its settings for the provenance, and the settings read from there again."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields, replace
from pathlib import Path
from typing import Any, get_type_hints

from csg_analyze.errors import UsageError
from csg_analyze.files import sha256_of
from csg_analyze.plan import Plan
from csg_analyze.report.document import JSON, as_json
from csg_analyze.settings import Loading, Run

OF_A_RUN = ("split", "limit", "title", "paper", "remark", "light")
"""Fields of `Run` that are recorded as they are; data, loading, analyzers and options have forms of their own."""

NOT_RECORDED = ("device",)
"""Fields of `Loading` that depend on the machine."""


def settings_of(run: Run, plan: Plan) -> dict[str, JSON]:
    """The settings of a run, besides the checkpoints and the analyzers' options, which the provenance has anyway.

    in_memory: whether data or networks were given in hand, which no file can name.
    """
    in_hand = (run.data is not None and not isinstance(run.data, str)) or any(
        not isinstance(each, str | Path) for each in run.checkpoints
    )
    return {
        "in_memory": in_hand,
        "analyzers": [step.name for step in plan.analyzers],
        "data": run.data if isinstance(run.data, str) else None,
        **{name: as_json(getattr(run, name)) for name in OF_A_RUN},
        "loading": {
            field.name: as_json(_typed(getattr(run.loading, field.name)))
            for field in fields(Loading)
            if field.name not in NOT_RECORDED
        },
    }


def _typed(value: Any) -> Any:
    """Numbers, such as channel means, as they are typed."""
    return ",".join(map(repr, value)) if isinstance(value, list | tuple) and not _texts(value) else value


def _texts(values: Any) -> bool:
    return all(isinstance(value, str) for value in values)


def repeated(run: Run, path: Path) -> Run:
    """The settings that a provenance.json records. Whatever `run` has besides its defaults takes precedence.

    Raises UsageError if the file does not record settings, if a checkpoint is missing or has another SHA-256, and if
    the settings would run code that `run` does not name.
    """
    document = _read(path)
    recorded = document["settings"]
    if recorded.get("in_memory"):
        raise UsageError(f"the report of {str(path)!r} is of networks or data in memory, which no file names.")
    loading = _merged(run.loading, recorded.get("loading") or {}, path)
    for word, of_run, of_file in (
        ("--arch", run.loading.arch, ":" in str(loading.arch)),
        ("--allow-pickle", run.loading.allow_pickle, loading.allow_pickle),
    ):
        if of_file and not of_run:
            raise UsageError(
                f"{str(path)!r} was made with {word}, which runs code; if you trust it, give {word} again "
                f"(it was {loading.arch if word == '--arch' else 'set'})."
            )
    values = {name: recorded[name] for name in (*OF_A_RUN, "data") if name in recorded}
    merged: Run = _merged(run, values, path)
    checkpoints = tuple(_checkpoints(document, path, allow_pickle=loading.allow_pickle))
    options = {**document.get("options", {}), **run.options}
    analyzers = run.analyzers or recorded.get("analyzers")
    return replace(merged, checkpoints=checkpoints, loading=loading, analyzers=analyzers, options=options)


def _read(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read {str(path)!r}: {error.strerror or error}.") from error
    except ValueError:
        document = None
    if not isinstance(document, dict) or not isinstance(document.get("checkpoints"), dict):
        raise UsageError(f"{str(path)!r} is not the provenance.json of a report.")
    if not isinstance(document.get("settings"), dict):
        command = document.get("command")
        raise UsageError(f"{str(path)!r} is of an older version and has no settings; its command: {command}")
    return document


def _merged(given: Any, recorded: Mapping[str, Any], path: Path) -> Any:
    """A dataclass with the recorded values, except where its own differ from the defaults."""
    hints = get_type_hints(type(given))
    changes = {}
    for field in fields(given):
        default = field.default_factory() if field.default_factory is not MISSING else field.default
        if field.name in recorded and getattr(given, field.name) == default:
            value = recorded[field.name]
            if not _fits(value, hints[field.name]):
                raise UsageError(f"{str(path)!r} has {value!r} as {field.name}, which cannot be used.")
            changes[field.name] = value
    return replace(given, **changes)


def _fits(value: object, hint: Any) -> bool:
    from pydantic import TypeAdapter, ValidationError

    try:
        TypeAdapter(hint).validate_python(value, strict=True)
    except ValidationError:
        return False
    return True


def _checkpoints(document: Mapping[str, Any], path: Path, *, allow_pickle: bool) -> Iterator[Path]:
    for name, digest in document["checkpoints"].items():
        checkpoint = Path(name)
        if not checkpoint.exists():
            raise UsageError(
                f"{str(path)!r} names the checkpoint {name!r}, which is not there; call csg-analyze from the folder "
                "where the report was made."
            )
        if _sha256(checkpoint, allow_pickle=allow_pickle) != digest:
            raise UsageError(f"the checkpoint {name!r} is not the one of {str(path)!r}: its SHA-256 differs.")
        yield checkpoint


def _sha256(checkpoint: Path, *, allow_pickle: bool) -> str:
    from csg_analyze.checkpoints.containers import INDEX, open_container

    if checkpoint.is_file() and not checkpoint.name.endswith(INDEX):
        return sha256_of(checkpoint)
    return open_container(checkpoint, allow_pickle=allow_pickle).sha256
