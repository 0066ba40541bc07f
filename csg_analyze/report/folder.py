"""The report folder: written elsewhere and then moved to its place, so that it is complete or absent."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from csg_analyze.errors import UsageError
from csg_analyze.plots.looks import grouped
from csg_analyze.report.document import Report, json_text
from csg_analyze.report.ledger import Ledger
from csg_analyze.report.opening import write_opening
from csg_analyze.report.pages import html_page, markdown_page
from csg_analyze.report.section_tables import write_headline, write_seeds
from csg_analyze.report.sections import write_section
from csg_analyze.report.seeds import groups_in_figures, seeds_of
from csg_analyze.report.summary import summary_document

FILES = ("index.html", "report.md", "summary.json", "provenance.json")
FOLDERS = ("tables", "figures", "samples", "pages")


def write_report(report: Report, out: Path, *, force: bool = False, light: bool = False) -> None:
    """Write the report folder `out`; on any error `out` stays as it was.

    Contents: index.html, report.md, summary.json, provenance.json, tables/*.{csv,tex}, figures/*.{png,pdf,svg}, and,
    where an analyzer has them, samples/*.parquet and pages/<analyzer>-<model>/*. force: an existing report is replaced,
    whole. light: without pages/, figures/, and tables and samples of more than a million bytes; nothing links to what
    is left out.

    Raises UsageError as `check_out` does.
    """
    with new_folder(out, force=force) as folder:
        for name in ("tables", "figures"):
            (folder / name).mkdir()
        ledger = Ledger(folder, light)
        opening = write_opening(report, ledger)
        headline, seeds = write_headline(report, ledger), write_seeds(report, ledger)
        with grouped(groups_in_figures(report.models)):
            outcomes = [write_section(section, report, ledger) for section in report.presented()]
        # cautions about twins are with the numbers over seeds, or else with the notes
        cautions = [] if seeds else [f"{caution}." for caution in seeds_of(report.models).cautions]
        if light:
            (folder / "figures").rmdir()
        report = replace(report, notes=(*cautions, *report.notes, *_left_out(ledger)))
        _write(folder / "index.html", html_page(report, opening, headline, seeds, outcomes))
        _write(folder / "report.md", markdown_page(report, opening, headline, seeds, outcomes))
        _write(folder / "provenance.json", json_text(report.provenance))
        _write(folder / "summary.json", json_text(summary_document(report)))


def _left_out(ledger: Ledger) -> tuple[str, ...]:
    note = f"left out of this light report: {', '.join(ledger.left_out)}; without --light the command makes them."
    return (note,) if ledger.left_out else ()


def _write(path: Path, text: str) -> None:
    # file names may contain bytes that are no text in any encoding
    path.write_text(text, encoding="utf-8", errors="backslashreplace", newline="\n")


def check_out(out: Path, force: bool = False) -> None:
    """Raise UsageError if `write_report` would; call it before long computations.

    It would if `out` exists without force, or has other files than a report's, or if its place cannot be written.
    """
    out = Path(out)
    try:
        with suppress(FileNotFoundError):
            out.lstat()
            _check_replaceable(out, force)
        place = _existing_parent(out)
        Path(tempfile.mkdtemp(prefix=".report-", dir=place)).rmdir()
    except OSError as error:
        raise _unwritable(out, error) from error


def _check_replaceable(out: Path, force: bool) -> None:
    if not out.is_dir():
        raise UsageError(f"{str(out)!r} exists and is not a folder; choose another place for the report.")
    if not force:
        raise UsageError(f"{str(out)!r} exists; choose another place for the report, or replace it with --force.")
    present = {path.name for path in out.iterdir()} - {".DS_Store", "Thumbs.db", "desktop.ini"}
    foreign = sorted(present.difference(FILES, FOLDERS))
    if foreign or (present and "summary.json" not in present):
        reason = repr(foreign[0]) if foreign else "no summary.json"
        raise UsageError(
            f"{str(out)!r} is not only a report (it has {reason}), and replacing it would delete other files; choose "
            "another place for the report."
        )


def _existing_parent(out: Path) -> Path:
    return next(parent for parent in out.resolve().parents if os.path.lexists(parent))


def _unwritable(out: Path, error: OSError) -> UsageError:
    reason = error.strerror or str(error)
    return UsageError(f"cannot write a report to {str(out)!r}: {reason}; choose another place.")


@contextmanager
def new_folder(out: Path, *, force: bool = False) -> Iterator[Path]:
    """Yield an empty folder beside `out`, which replaces `out` on success and is deleted on any error."""
    check_out(out, force)
    target = Path(out).resolve()  # the folder that a link points to is replaced, not the link
    workplace = Path(tempfile.mkdtemp(prefix=".report-", dir=_existing_parent(target)))
    try:
        folder = workplace / "new"
        folder.mkdir()
        yield folder
        _swap(folder, target, workplace / "old", force)
    except OSError as error:
        # errors of an analyzer's own reading or writing elsewhere propagate
        if error.filename and not str(error.filename).startswith(str(workplace)):
            raise
        raise _unwritable(out, error) from error
    finally:
        shutil.rmtree(workplace, ignore_errors=True)


def _swap(folder: Path, target: Path, old: Path, force: bool) -> None:
    check_out(target, force)  # another run may have written it meanwhile
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        target.rename(old)
    try:
        folder.rename(target)
    except BaseException:
        if old.exists():
            old.rename(target)
        raise
