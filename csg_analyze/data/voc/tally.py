"""What a user is told of the data: how many of what were left out, or taken over in a way worth saying."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Tally:
    """Things counted by kind, each kind with the names concerned."""

    names: dict[tuple[str, str], list[str]] = field(default_factory=dict)

    def add(self, noun: str, why: str, name: str) -> None:
        """Count one more: "image", "without an annotation", its name."""
        self.names.setdefault((noun, why), []).append(name)

    def phrases(self) -> tuple[str, ...]:
        """For instance "2 images without an annotation (a, b)"."""
        return tuple(
            f"{len(names)} {noun}{'s' if len(names) > 1 else ''} {why} "
            f"({', '.join(names[:3])}{', ...' if len(names) > 3 else ''})"
            for (noun, why), names in self.names.items()
        )


@dataclass
class Account:
    """left_out: what a dataset does not take over. notes: what it takes over in a way that has to be said."""

    left_out: Tally = field(default_factory=Tally)
    notes: Tally = field(default_factory=Tally)
