"""The Python examples of both READMEs and of the queue app's pages, by the file that each names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import django

FIRST_SCREEN = Path(__file__).parents[2] / "README.md"
README = Path(__file__).parents[2] / "procrastinate_tasks" / "README.md"
PAGES = Path(__file__).parents[2] / "docs" / "queue"


def documents() -> list[Path]:
    """Return what is read: the READMEs and the pages; Start is followed by a test of its own."""
    first = PAGES / "guides" / "tasks.md"
    others = sorted(path for path in PAGES.rglob("*.md") if path not in (first, PAGES / "index.md"))
    return [FIRST_SCREEN, README, first, *others]


def examples() -> Iterator[tuple[str, str]]:
    """Yield the file of each example ("" where it names none), and its code; what was before is left out."""
    for code in (code for path in documents() for code in python_blocks(path)):
        header = re.match(r"# ([\w/]+\.py)", code)
        if header is None or not header[1].startswith("before/"):
            yield header[1] if header else "", _for_this_django(code)


def python_blocks(document: Path) -> list[str]:
    """Return the Python code that a document shows."""
    return re.findall(r"```python\n(.*?)```", document.read_text(encoding="utf-8"), re.DOTALL)


def _for_this_django(code: str) -> str:
    """Take the import that stands in the comment beside Django 6's, on Django 5.2."""
    return re.sub(r".* # 5\.2: (.*)", r"\1", code) if django.VERSION < (6,) else code


def run(code: str, *, name: str) -> dict[str, Any]:
    """Execute an example with nothing but what it imports, and return what it defines."""
    namespace: dict[str, Any] = {"__name__": name}
    exec(compile(code, name, "exec", dont_inherit=True), namespace)  # noqa: S102 - it is our own README
    return namespace
