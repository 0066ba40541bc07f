"""The pages of docs/analyses/: what every analysis declares for reports and for `--help`, and its signature.

    python scripts/analysis_pages.py

writes them anew. The tests compare them with the code, so that they cannot say what is no longer true.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

from csg_analyze.paper import ORDER
from csg_analyze.plan import plan
from csg_analyze.registry import Step

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "analyses"
LIST = re.compile(r"(?<=<!-- all analyses -->\n).*?(?=\n<!-- end -->)", flags=re.DOTALL)
"""The part of index.md that is written; the rest is by hand."""
PICTURES = {
    "gate": ("cifar10-fig4.png", "Gates and mutual information of the CSG and STD networks of three seeds"),
    "mis": ("scenes-fig4.png", "Gate, mutual information of both networks, and the overlap of both"),
}
"""Of reports/figures, by analysis: the file and what stands for it where it cannot be seen."""


def main() -> None:
    """Write the page of every built-in analysis, and the list of them in index.md."""
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")


def pages() -> dict[str, str]:
    """Texts by file name."""
    planned = {name: plan([name]) for name in ORDER}
    written = {
        f"{name}.md": "\n\n".join(_parts(name, each.analyzers[0], each.inputs)) + "\n" for name, each in planned.items()
    }
    rows = [f"| [{name}]({name}.md) | {_prose(each.analyzers[0].about.summary)} |" for name, each in planned.items()]
    table = "\n".join(["| | what it asks |", "|---|---|", *rows])
    index = (FOLDER / "index.md").read_text(encoding="utf-8")
    return {"index.md": LIST.sub(lambda _: table, index), **written}


def _parts(name: str, step: Step, inputs: Mapping[str, Step]) -> Iterator[str]:
    about = step.about
    yield f"# {about.title}"
    yield _prose(about.summary)
    yield f"```sh\ncsg-analyze {name} std.pt csg.pt\n```"
    if name in PICTURES:
        file, text = PICTURES[name]
        yield f"![{text}](../../reports/figures/{file})"
    yield f"## What it measures\n\n{_prose(about.measures)}"
    yield f"## How to read it\n\n{_prose(about.reading)}"
    yield f"## Its definition\n\n{_docstring(step.function)}"
    if about.headlines:
        numbers = "\n".join(f"- `{headline.number}`{_better(headline.claim)}" for headline in about.headlines)
        yield f"## Numbers that a report shows first\n\n{numbers}"
    needed = "\n".join(f"- `{need}`: {_first_sentence(inputs[need].function)}" for need in step.needs if need in inputs)
    once = "Every input is computed once a run, however many analyses ask."
    yield f"## What it needs, and so costs\n\n{once}\n\n{needed}"
    yield "[Costs measured on the demo's networks](index.md#what-they-cost)"
    yield f"## Options\n\n{_options(step, inputs)}"


def _prose(text: str) -> str:
    """Paragraphs of `about` as Markdown: only what stands between backticks has a meaning there."""
    pieces = re.split(r"(`[^`\n]+`)", inspect.cleandoc(text))
    return "".join(piece if index % 2 else _escaped(piece) for index, piece in enumerate(pieces))


def _escaped(text: str) -> str:
    return re.sub(r"([\\*_\[\]<>|])", r"\\\1", text)


def _docstring(function: Any) -> str:
    """For developers: shapes, equations, sections of the paper, errors."""
    return _prose(inspect.getdoc(function) or "")


def _first_sentence(function: Any) -> str:
    return _prose((inspect.getdoc(function) or "").partition("\n\n")[0].replace("\n", " "))


def _better(claim: Any) -> str:
    return f": {_prose(claim.subject.replace('{}', '…'))}, {claim.better} for class-specific filters" if claim else ""


def _options(step: Step, inputs: Mapping[str, Step]) -> str:
    """Flags of the command, with their defaults: the analysis' own, then those of its inputs."""
    owners = (step, *inputs.values())
    rows = [
        f"| `--{name.replace('_', '-')}` | {_escaped(_help(option.annotation))} | {_default(option.default)} | "
        f"`-O {owner.name}.{name}=` |"
        for owner in owners
        for name, option in owner.options.items()
    ]
    if not rows:
        return "It has none of its own."
    return "\n".join(["| flag | | default | in `report` |", "|---|---|---|---|", *rows])


def _help(annotation: Any) -> str:
    texts = (getattr(each, "help", None) or each for each in get_args(annotation)[1:])
    return next((text for text in texts if isinstance(text, str)), "")


def _default(value: Any) -> str:
    return "" if value is None else f"`{value}`"


if __name__ == "__main__":
    main()
