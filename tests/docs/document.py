"""The commands and files that a guide shows, in the order in which its reader meets them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs" / "guia-de-produccion.md"

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"^`(/[\w./-]+)`", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Command:
    """One command of a ``shell`` block; ``line`` is where the guide shows it."""

    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.line}: {self.text}"


def commands_of(document: Path) -> tuple[Command, ...]:
    """Return every command; one that ends with a backslash goes on in the next line."""
    return tuple(command for line, block in _blocks(document, "shell") for command in _split(line, block))


def files_of(document: Path) -> dict[str, str]:
    """Return every configuration file by the path that stands before it."""
    text = document.read_text(encoding="utf-8")
    return {
        _FILE.findall(text[: match.start()])[-1]: match[2]
        for match in _BLOCK.finditer(text)
        if match[1] == "ini"
    }


def _blocks(document: Path, language: str) -> Iterator[tuple[int, str]]:
    text = document.read_text(encoding="utf-8")
    for match in _BLOCK.finditer(text):
        if match[1] == language:
            yield text.count("\n", 0, match.start(2)) + 1, match[2]


def _split(first_line: int, block: str) -> Iterator[Command]:
    begun = ""
    for offset, line in enumerate(block.splitlines()):
        begun += line.removesuffix("\\")
        if not line.endswith("\\") and begun.strip() and not begun.startswith("#"):
            yield Command(first_line + offset, begun.strip())
        if not line.endswith("\\"):
            begun = ""
