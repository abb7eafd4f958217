"""Sends rows as CSV, one by one, however many there are."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from typing import Any

from django.http import StreamingHttpResponse

_STARTS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class _Echo:
    """A file that hands back what is written to it."""

    def write(self, text: str) -> str:
        return text


def stream_csv(
    heading: Sequence[object], rows: Iterable[Sequence[object]], *, name: str
) -> StreamingHttpResponse:
    """Stream a table; a cell that a spreadsheet would take for a formula is quoted."""
    writer = csv.writer(_Echo())
    lines: Iterable[Any] = (writer.writerow([_harmless(cell) for cell in row]) for row in rows)
    response = StreamingHttpResponse(
        _after(writer.writerow([str(cell) for cell in heading]), lines),
        content_type="text/csv; charset=utf-8",
    )
    response.headers["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return response


def _after(first: Any, rest: Iterable[Any]) -> Iterable[Any]:
    yield "\ufeff"  # spreadsheets take a file without it for another encoding
    yield first
    yield from rest


def _harmless(cell: object) -> str:
    text = str(cell)
    return f"'{text}" if text.startswith(_STARTS_A_FORMULA) else text
