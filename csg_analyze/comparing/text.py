"""A comparison for a terminal of 80 columns."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from csg_analyze.comparing.comparison import Comparison
from csg_analyze.comparing.differences import Difference
from csg_analyze.wording import DASH, cell

WIDTH = 80
VERDICTS = {True: "yes", False: "no", None: "?"}


def comparison_text(comparison: Comparison) -> str:
    """The headlines of every model, or all numbers if there are none, then what else differs."""
    lines = [f"a: {cell(comparison.a)}", f"b: {cell(comparison.b)}", ""]
    shown = comparison.headlines or comparison.differences
    for model in dict.fromkeys(each.model for each in shown):
        lines += [cell(model), *_table([each for each in shown if each.model == model]), ""]
    if not shown:
        lines += ["No model has a number in both reports.", ""]
    rest = [each for each in comparison.differences if each not in shown]
    lines += _wrapped([_others(rest), _tables(comparison), *_legend(shown), *comparison.notes])
    return "\n".join(lines)


def _table(differences: Sequence[Difference]) -> list[str]:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), width=WIDTH)
    table.add_column("number", overflow="fold", ratio=1)
    for title in ("a", "b", "b - a", "95 % interval", "differs"):
        table.add_column(title, justify="left" if title == "differs" else "right", overflow="fold")
    owners = {each.analyzer for each in differences}
    for each in differences:
        name = (
            each.number
            if len(owners) == 1 or each.number.startswith(each.analyzer)
            else f"{each.analyzer}: {each.number}"
        )
        interval = DASH if each.low != each.low else f"[{each.low:+.4f}, {each.high:+.4f}]"
        difference = DASH if each.difference != each.difference else f"{each.difference:+.4f}"
        verdict = "equal" if each.equal else VERDICTS[each.differs]
        table.add_row(*(Text(text) for text in (cell(name), cell(each.a), cell(each.b), difference, interval, verdict)))
    stream = io.StringIO()
    Console(file=stream, width=WIDTH, color_system=None, force_terminal=False).print(table)
    return [line.rstrip() for line in stream.getvalue().splitlines() if line.strip()]


def _others(rest: Sequence[Difference]) -> str:
    unequal = [each for each in rest if not each.equal]
    return f"Of {len(rest)} other numbers {len(rest) - len(unequal)} are equal; --json lists them." if rest else ""


def _tables(comparison: Comparison) -> str:
    n = len(comparison.equal_tables) + len(comparison.other_tables)
    return f"Of {n} tables {len(comparison.equal_tables)} are the same, byte by byte." if n else "There are no tables."


def _legend(shown: Sequence[Difference]) -> list[str]:
    sentences = {
        "differs: the interval of the difference does not hold 0; ?: it has no interval.": any(
            not each.equal for each in shown
        ),
        "Intervals are of the same images, paired (bootstrap), where both reports have samples of them.": any(
            each.way == "samples" for each in shown
        ),
        "Others are made from the two intervals as if independent, and are rather too wide.": any(
            each.way == "intervals" for each in shown
        ),
    }
    return [sentence for sentence, needed in sentences.items() if needed]


def _wrapped(sentences: Sequence[str]) -> list[str]:
    return [
        line
        for sentence in sentences
        if sentence
        for line in textwrap.wrap(cell(sentence), WIDTH, subsequent_indent="  ", break_on_hyphens=False)
    ]
