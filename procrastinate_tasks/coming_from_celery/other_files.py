"""Finds the lines of Celery where there is no tree: in a Procfile, requirements, code of another Python."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from procrastinate_tasks.coming_from_celery.modules import LARGEST_FILE
from procrastinate_tasks.coming_from_celery.reading import Use

_LONGEST_LINE = 2_000
_NAMES = re.compile(
    r"Procfile.*|.*Dockerfile.*|.*requirements.*\.(?:txt|in)|Pipfile|pyproject\.toml|setup\.cfg|Makefile"
    r"|.*\.(?:service|conf|ini|sh|ya?ml)|run",
    re.IGNORECASE,
)
_COMMAND = re.compile(r"\bcelery\b(?:\s+(?:-A|--app)[= ]?\S+|\s+--?[\w-]+=\S+)*\s+(?P<verb>[a-z]+)\b")
_VERBS = {
    "worker",
    "beat",
    "flower",
    "status",
    "inspect",
    "control",
    "purge",
    "multi",
    "events",
    "call",
    "shell",
}
_PACKAGE = re.compile(
    r"^[\s\"'-]*(?P<name>celery|django-celery-\w+|flower|kombu|celery-\w+)\s*(?:[\[=<>~!\"'@;]|$)"
)
_CODE = re.compile(r"\b(?:celery|kombu|shared_task)\b|@\w+\.task\b|\.(?:delay|apply_async)\(|CELERY_")


def is_looked_at(path: Path) -> bool:
    """Whether a file of this name starts or installs programs."""
    return bool(_NAMES.fullmatch(path.name))


def find_lines(path: Path, *, shown: str) -> Iterator[Use]:
    """Yield each line that runs or installs something of Celery's; comments are passed over."""
    for number, line in _lines(path):
        if key := _key_of(line):
            yield Use(shown, number, key, line.strip()[:120])


def find_lines_of_code(path: Path, *, shown: str) -> Iterator[Use]:
    """Yield each line of a Python file that looks like Celery, for code that has no tree."""
    for number, line in _lines(path):
        if _CODE.search(line):
            yield Use(shown, number, "unparsed", line.strip()[:120])


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    with path.open(encoding="utf-8", errors="replace") as file:
        text = file.read(LARGEST_FILE)
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.lstrip().startswith("#"):
            yield number, line[:_LONGEST_LINE]


def _key_of(line: str) -> str | None:
    command = _COMMAND.search(line)
    if command and command["verb"] in _VERBS:
        return f"command.{command['verb']}"
    package = _PACKAGE.match(line)
    return f"dependency.{package['name']}" if package else None
