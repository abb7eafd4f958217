"""How ``manage.py jobs`` prints: aligned tables for people, JSON for scripts, never a colour."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.core.management.base import OutputWrapper
from django.utils import timezone
from django.utils.functional import Promise

_NOTHING = "-"


@dataclasses.dataclass(frozen=True, slots=True)
class Output:
    """Where a verb prints, and in which of the two forms."""

    stream: OutputWrapper
    as_json: bool = False

    def line(self, text: str = "") -> None:
        self.stream.write(text)

    def table(self, headings: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Print columns as wide as their widest value; the last may be as long as it likes."""
        lines = [tuple(headings), *(tuple(cell(value) for value in row) for row in rows)]
        widths = [max(len(line[column]) for line in lines) for column in range(len(headings))]
        for line in lines:
            padded = (text.ljust(width) for text, width in zip(line, widths, strict=True))
            self.line("  ".join(padded).rstrip())

    def facts(self, facts: Iterable[tuple[str, object]]) -> None:
        """Print names and values below each other; a value that is missing is left out."""
        known = [(name, cell(value)) for name, value in facts if value not in (None, "")]
        width = max((len(name) for name, _ in known), default=0)
        for name, value in known:
            self.line(f"{name.ljust(width)}  {value}")

    def json(self, value: object) -> None:
        self.line(json.dumps(plain(value), indent=2, ensure_ascii=False))

    def json_lines(self, values: Iterable[object]) -> None:
        for value in values:
            self.line(json.dumps(plain(value), ensure_ascii=False))


def cell(value: object) -> str:
    """Return a value on one line: times in the project's zone, line breaks as spaces."""
    if value is None or value == "":
        return _NOTHING
    if isinstance(value, datetime):
        return timezone.localtime(value).strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, timedelta):
        return f"{value.total_seconds():.1f} s"
    return " ".join(str(value).split())


def plain(value: object) -> object:
    """Turn dataclasses into what JSON holds: times as ISO 8601, durations in seconds."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, UUID | Promise):
        return str(value)
    return value.total_seconds() if isinstance(value, timedelta) else value
