"""Puts sections of the package's README into the pages that name them: ``<!-- README: The worker -->``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

README = Path(__file__).parents[1] / "procrastinate_tasks" / "README.md"
_NAMED = re.compile(r"^<!-- README: (.+) -->$", re.MULTILINE)
_ANCHOR = re.compile(r"\]\(#([\w-]+)\)")


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Return a page's text with the sections that it names; MkDocs calls this."""
    return with_sections(markdown, page.file.src_uri)


def with_sections(markdown: str, place: str) -> str:
    """Return the text of the page at ``place`` with its sections, their links leading to other pages."""
    up = "../" * place.count("/")
    shown = _NAMED.sub(lambda named: section(named[1]), markdown)
    return _ANCHOR.sub(lambda link: f"]({_page_of(link[1], place, up)}#{link[1]})", shown)


def section(heading: str) -> str:
    """Return a section of the README, without its heading."""
    _, _, rest = README.read_text(encoding="utf-8").partition(f"\n## {heading}\n")
    if not rest:
        raise KeyError(f"The README has no section {heading}")
    return rest.partition("\n## ")[0].strip()


def _page_of(anchor: str, place: str, up: str) -> str:
    """Return the page that a heading of the README stands on, as seen from another page."""
    for path in sorted((README.parents[1] / "docs" / "queue").rglob("*.md")):
        text = path.read_text(encoding="utf-8")
        headings = [*re.findall(r"^#+ (.+)$", text, re.MULTILINE), *_NAMED.findall(text)]
        target = path.relative_to(README.parents[1] / "docs" / "queue").as_posix()
        if target != place and anchor in map(_slug, headings):
            return up + target
    return ""


def _slug(heading: str) -> str:
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
