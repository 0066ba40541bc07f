"""A report made again from its provenance."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from csg_analyze import Run, compare
from csg_analyze.repeating import repeated
from tests.test_cli import call, here

__all__ = ["here"]
REPORT = (
    "report", "std.pt", "csg.pt", "--analyzers", "accuracy,correlation", "--limit", "40", "--title", "A title",
    "--light", "-O", "correlation.group_size=5", "--remark", "Said.", "--quiet",
    "--mean", ".5,.5,.5", "--std", ".2,.2,.2",
)  # fmt: skip


def test_a_report_made_again_has_no_difference(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(*REPORT, "--out", "a") == 0
    assert call("report", "--from", "a/provenance.json", "--out", "b", "--quiet", "--no-cache") == 0
    comparison = compare("a", "b")
    assert comparison.zero
    assert comparison.notes == ()
    first, second = (json.loads(Path(name, "provenance.json").read_text()) for name in "ab")
    for name in ("settings", "options", "checkpoints", "data", "seeds"):
        assert first[name] == second[name], name
    assert first["options"]["correlation"]["group_size"] == 5
    assert (here / "b/report.md").read_text().count("# A title") == 1
    assert not (here / "b/figures").exists()
    # what is given besides takes precedence
    changed = repeated(Run((), limit=20, title="Another", analyzers=["mis"]), Path("a/provenance.json"))
    assert (changed.limit, changed.title, changed.analyzers, changed.remark) == (20, "Another", ["mis"], "Said.")


def test_what_cannot_be_repeated_is_refused_in_a_sentence(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("report", "std.pt", "--analyzers", "accuracy", "--limit", "20", "--light", "--quiet", "--out", "a") == 0
    source = here / "a/provenance.json"
    provenance = json.loads(source.read_text())

    def refused(**changes: object) -> str:
        source.write_text(json.dumps({**provenance, **changes}))
        capsys.readouterr()
        assert call("report", "--from", "a/provenance.json", "--out", "b", "--quiet") == 2
        error = capsys.readouterr().err
        assert error.startswith("error: ")
        assert error.count("\n") == 1
        assert not (here / "b").exists()
        return error

    settings, loading = provenance["settings"], provenance["settings"]["loading"]
    assert "checkpoint 'std.pt' is not the one" in refused(checkpoints={"std.pt": "0" * 64})
    assert "'gone.pt', which is not there" in refused(checkpoints={"gone.pt": "0" * 64})
    assert "its command: csg-analyze report" in refused(settings=None, command="csg-analyze report x.pt")
    assert "not the provenance.json of a report" in refused(checkpoints=None)
    assert "in memory" in refused(settings={**settings, "in_memory": True})
    assert "give --arch again (it was os:abort)" in refused(settings={**settings, "loading": {"arch": "os:abort"}})
    assert "give --allow-pickle again" in refused(settings={**settings, "loading": {**loading, "allow_pickle": True}})
    assert "has 'many' as limit" in refused(settings={**settings, "limit": "many"})
    assert "unknown option of accuracy" in refused(options={"accuracy": {"no_such": 1}})
    source.write_text("{")
    assert call("report", "--from", "a/provenance.json", "--quiet") == 2
    assert call("report", "--from", "nowhere.json", "--quiet") == 2
    assert "cannot read 'nowhere.json'" in capsys.readouterr().err


def test_either_checkpoints_or_a_report_to_repeat(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["report"], ["report", "std.pt", "--from", "a/provenance.json"]):
        assert call(*arguments) == 2
        assert "give either checkpoint files or" in capsys.readouterr().err
    assert not (here / "reports").exists()


def test_a_report_of_the_library_can_be_repeated_too(here: Path) -> None:
    from csg_analyze import run

    report = run(["std.pt"], analyzers=["accuracy"], limit=30, no_cache=True)
    Path("provenance.json").write_text(json.dumps(dict(report.provenance)))
    again = repeated(Run(()), Path("provenance.json"))
    assert (again.checkpoints, again.limit, again.analyzers) == ((Path("std.pt"),), 30, ["accuracy"])
