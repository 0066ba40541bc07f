"""The plan of a run: analyzers, all inputs they need, and the options of both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from csg_analyze.errors import UsageError, unknown
from csg_analyze.registry import ANALYZERS, INPUTS, Step, find, registered

ALWAYS_THERE = ("classifier", "dataset", "compared", "requested", "cache", "track")
"""Inputs that every run has, without a function."""
Options = Mapping[str, Mapping[str, Any]]
"""Values of options by the name of the analyzer or input, then by the name of the option."""


@dataclass(frozen=True)
class Plan:
    """Analyzers in order; all inputs they need, directly or not, each after the inputs it needs itself; options."""

    analyzers: tuple[Step, ...] = ()
    inputs: Mapping[str, Step] = field(default_factory=dict)
    options: Options = field(default_factory=dict)

    @property
    def settings(self) -> dict[str, dict[str, Any]]:
        """The values of all options of all steps, requested or default."""
        steps = (*self.inputs.values(), *self.analyzers)
        return {
            step.name: {
                name: self.options.get(step.name, {}).get(name, option.default) for name, option in step.options.items()
            }
            for step in steps
        }


def plan(analyzers: Sequence[str] | None = None, options: Options | None = None) -> Plan:
    """Look up the analyzers (names, or one name; by default all) and the inputs they need.

    Raises UsageError for an unknown analyzer or option, and for an input that nothing provides.
    """
    analyzers = [analyzers] if isinstance(analyzers, str) else analyzers
    names = dict.fromkeys(registered(ANALYZERS) if analyzers is None else analyzers)
    steps = tuple(find(ANALYZERS, name) for name in names)
    inputs: dict[str, Step] = {}
    for step in steps:
        _collect_inputs(step, inputs, (step.name,))
    owners = {step.name: step for step in (*inputs.values(), *steps)}
    for name, values in (options or {}).items():
        if name not in owners:
            raise unknown("analyzer or input with options", name, owners)
        for option in values:
            if option not in owners[name].options:
                raise unknown(f"option of {name}", option, owners[name].options or ("(it has none)",))
    return Plan(steps, inputs, options or {})


def _collect_inputs(step: Step, inputs: dict[str, Step], path: tuple[str, ...]) -> None:
    for need in step.needs:
        if need in ALWAYS_THERE or need in inputs:
            continue
        if need in path[1:]:
            raise UsageError(f"input {need!r} needs itself ({' -> '.join((*path, need))}).")
        if need not in registered(INPUTS):
            raise UsageError(f"{step.name!r} needs an input {need!r} that nothing installed provides.")
        needed = find(INPUTS, need)
        _collect_inputs(needed, inputs, (*path, need))
        inputs[need] = needed
