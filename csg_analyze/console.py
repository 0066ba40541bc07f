"""Shared by all commands of this project: exit codes, one-line errors on stderr, --debug, --version."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from csg_analyze.errors import UsageError
from csg_analyze.progress import say
from csg_analyze.version import __version__

if TYPE_CHECKING:
    from rich.console import Console

INTERRUPTED = 130
"""Exit code after Ctrl-C, as in shells."""


def stderr_console() -> Console:
    """A rich console on stderr, for everything but results."""
    from rich.console import Console

    return Console(stderr=True, highlight=False)


def _show_version(context: typer.Context, requested: bool) -> None:
    if requested:
        print(f"{context.find_root().info_name} {__version__}")
        raise typer.Exit


def program_flags(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """The flags of a whole program, for the callback of its Typer app: --version."""


def run_app(app: Callable[..., object], *, program: str, arguments: Sequence[str] | None = None) -> int:
    """Run a Typer app, or a function that calls one with the same arguments, and return its exit code.

    0; 2 after one line `error: ...` on stderr; 130 after Ctrl-C; a command's own. Without any words: the help.
    `--debug`, anywhere on the command line, also shows the traceback of an error. arguments: sys.argv[1:] by default.
    Errors other than UsageError and Typer's own are defects: they propagate.
    """
    typed = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in typed
    try:
        words = [word for word in typed if word != "--debug"] or ["--help"]
        code = app(words, prog_name=program, standalone_mode=False)
    except UsageError as error:
        if debug:
            raise
        return _refuse(str(error))
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # `csg-analyze ... | head`: the reader has stopped, which is no error
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        # Typer's own errors (unknown flag, missing value) have no public base class in all of its versions
        message = getattr(error, "format_message", None)
        if debug or message is None:
            raise
        return _refuse(f"{message()} See {program} --help.")
    return code if isinstance(code, int) else 0


def _refuse(message: str) -> int:
    say(f"error: {' '.join(message.split())}")
    return 2
