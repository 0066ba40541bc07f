from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
import typer
from pydantic import Field
from typer.testing import CliRunner

from csg_analyze import flags


@dataclass(frozen=True)
class Inner:
    size: Annotated[int | None, "Size in pixels."] = None
    deep: Annotated[bool, typer.Option("--deep", help="Go deep.")] = False
    hidden: int = 7


@dataclass(frozen=True)
class Outer:
    paths: Annotated[list[Path], typer.Argument(help="Files.")]
    inner: Inner = field(default_factory=Inner)
    split: Annotated[Literal["test", "train"], "Which part."] = "test"
    words: tuple[str, ...] = ()


Loud = Annotated[bool, typer.Option("--loud", help="Shout.")]


def called(*arguments: str, **options: Any) -> tuple[dict[str, Any], str]:
    """What a command hands over for these arguments, and what it prints."""
    seen: dict[str, Any] = {}

    def both(
        settings: Outer, loud: Annotated[bool, typer.Option("--loud", help="Shout.")] = False, **more: Any
    ) -> None:
        """Do it."""
        seen.update(settings=settings, loud=loud, **more)

    app = typer.Typer()
    app.command()(flags.command(both, **options))
    result = CliRunner().invoke(app, list(arguments))
    return seen, result.output


def test_dataclasses_are_built_from_the_flags_of_their_fields() -> None:
    seen, output = called("a.pt", "b.pt", "--size", "3", "--deep", "--split", "train", "--loud")
    assert seen["settings"] == Outer([Path("a.pt"), Path("b.pt")], Inner(3, True, 7), "train", ()), output
    assert seen["loud"] is True
    seen, _ = called("a.pt")
    assert seen == {"settings": Outer([Path("a.pt")]), "loud": False}


def test_what_is_not_annotated_has_no_flag() -> None:
    for name in ("--hidden", "--words"):
        seen, output = called("a.pt", name, "1")
        assert not seen
        assert "No such option" in output


def test_a_parameter_may_be_called_like_a_field_without_a_flag() -> None:
    more = [flags.flag("words", Annotated[str, "one word"], "a")]
    seen, output = called("a.pt", "--words", "b", more=more)
    assert seen["words"] == "b", output
    assert seen["settings"].words == ()


def test_flags_may_be_left_out_fixed_and_added() -> None:
    seen, output = called("a.pt", "--split", "train", without=("split",))
    assert not seen
    assert "No such option" in output
    seen, _ = called("a.pt", fixed={"loud": True})
    assert seen["loud"] is True
    more = [flags.flag("k", Annotated[int, "neighbours"], 3)]
    assert called("a.pt", more=more)[0]["k"] == 3
    assert called("a.pt", "--k", "5", more=more)[0]["k"] == 5


def test_help_says_what_is_annotated_once() -> None:
    _, output = called("--help")
    for words in ("Files.", "Size in pixels.", "Go deep.", "Which part.", "Shout.", "Do it."):
        assert output.count(words) == 1
    assert "--no-deep" not in output
    assert "Another." in called("--help", summary="Another.")[1]


@dataclass(frozen=True)
class Speed:
    rate: Annotated[float | None, Field(description="how fast")] = None
    flip: Annotated[bool, Field(description="mirror")] = True
    kind: Annotated[Literal["a", "b"] | None, Field(description="which")] = None
    parts: Annotated[tuple[int, ...], Field(description="in parts")] = ()
    steps: Annotated[int, Field(description="how long")] = 1


@dataclass(frozen=True)
class Recipe:
    name: Annotated[str, Field(description="its name")]
    speed: Annotated[Speed, Field(description="speed")]


def test_fields_that_check_themselves_stay_text_until_they_are_given() -> None:
    def change(**changes: str | bool | None) -> None:
        seen.update(changes)

    seen: dict[str, Any] = {}
    app = typer.Typer()
    app.command()(flags.command(change, more=flags.changes_of(Recipe, without=("name",))))
    result = CliRunner().invoke(app, ["--rate", "fast", "--no-flip", "--parts", "1,2"])
    assert seen == {"rate": "fast", "flip": False, "kind": None, "parts": "1,2", "steps": None}, result.output
    shown = CliRunner().invoke(app, ["--help"]).output
    for words in ("NUMBER", "LIST", "INTEGER", "a|b", "speed", "--no-flip"):
        assert words in shown
    assert "--name" not in shown


@pytest.mark.parametrize(("name", "flag"), [("gate_bound", "--gate-bound"), ("lr", "--lr")])
def test_names_of_flags(name: str, flag: str) -> None:
    assert flags.named(name) == flag
