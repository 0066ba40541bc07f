"""Counts of what a dataset leaves out, and of what it takes over with a remark; for the user and the report."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Tally:
    """Names by noun and reason: ("image", "without an annotation") -> the images."""

    names: dict[tuple[str, str], list[str]] = field(default_factory=dict)

    def add(self, noun: str, reason: str, name: str) -> None:
        """Count one more, for example "image", "without an annotation" and the image's id."""
        self.names.setdefault((noun, reason), []).append(name)

    def phrases(self) -> tuple[str, ...]:
        """For instance "2 images without an annotation (a, b)"."""
        return tuple(
            f"{len(names)} {noun}{'s' if len(names) > 1 else ''} {reason} "
            f"({', '.join(names[:3])}{', ...' if len(names) > 3 else ''})"
            for (noun, reason), names in self.names.items()
        )


@dataclass
class Account:
    """left_out: what a dataset does not take over. notes: what it takes over with a remark."""

    left_out: Tally = field(default_factory=Tally)
    notes: Tally = field(default_factory=Tally)
