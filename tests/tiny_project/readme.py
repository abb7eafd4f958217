"""The Python examples of the queue app's README, by the file that each names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import django

README = Path(__file__).parents[2] / "procrastinate_tasks" / "README.md"


def examples() -> Iterator[tuple[str, str]]:
    """Yield the file of each example ("" where it names none), and its code."""
    for code in re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL):
        header = re.match(r"# ([\w/]+\.py)", code)
        yield header[1] if header else "", _for_this_django(code)


def _for_this_django(code: str) -> str:
    """Take the import that stands in the comment beside Django 6's, on Django 5.2."""
    return re.sub(r".* # 5\.2: (.*)", r"\1", code) if django.VERSION < (6,) else code


def run(code: str, *, name: str) -> dict[str, Any]:
    """Execute an example with nothing but what it imports, and return what it defines."""
    namespace: dict[str, Any] = {"__name__": name}
    exec(compile(code, name, "exec", dont_inherit=True), namespace)  # noqa: S102 - it is our own README
    return namespace
