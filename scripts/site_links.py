"""A hook of mkdocs.yml: the pictures of kept reports, and links from docs/ to other places of the repository.

In the repository these work as they are; a site has nothing but docs/.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PICTURES = "reports/figures/"
LINK = re.compile(r"(!?)\[([^\]]*)\]\(((?:\.\./)+[^)\s]+)\)")


def on_files(files: Any, config: Any) -> Any:
    """Add the pictures; called by mkdocs."""
    from mkdocs.structure.files import File

    for picture in sorted((ROOT / PICTURES).glob("*.png")):
        files.append(File.generated(config, f"figures/{picture.name}", abs_src_path=str(picture)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Called by mkdocs with every page's text."""
    return rewritten(markdown, page.file.src_uri)


def rewritten(markdown: str, place: str) -> str:
    """A page's text for the site: pictures beside the pages, the place in the repository instead of a link.

    place: of the page in docs/, as "analyses/mis.md".
    """
    here = posixpath.dirname(posixpath.join("docs", place))

    def link(match: re.Match[str]) -> str:
        shown, text, target = match.groups()
        there = posixpath.normpath(posixpath.join(here, target.partition("#")[0]))
        if there.startswith("docs/"):
            return match[0]
        if shown and there.startswith(PICTURES):
            picture = posixpath.join("docs", "figures", there.removeprefix(PICTURES))
            return f"![{text}]({posixpath.relpath(picture, here)})"
        return f"{text} (`{there}`)"

    return LINK.sub(link, markdown)
