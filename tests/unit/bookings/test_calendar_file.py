"""A stay as calendars read it: lines of 75 octets at most, and nothing a name could add."""

from __future__ import annotations

from datetime import UTC, datetime

from bookings.calendar_file import CalendarEntry, write_calendar

NOW = datetime(2026, 11, 2, 18, tzinfo=UTC)


def written(title: str) -> bytes:
    entry = CalendarEntry(
        uid="1@reyes.example", sequence=0, title=title, place="Tulum", notes="", begins_at=NOW, ends_at=NOW
    )
    return write_calendar(entry, now=NOW)


def unfolded(title: str) -> list[str]:
    return written(title).decode().replace("\r\n ", "").split("\r\n")


def test_long_lines_are_folded_between_characters():
    title = "Estancia en la Casa de los Ñandúes 🌊🌴, con vista al mar y a la montaña " * 3

    assert max(len(line) for line in written(title).split(b"\r\n")) <= 75
    assert f"SUMMARY:{title}".replace(",", "\\,") in unfolded(title)


def test_a_name_adds_no_line():
    lines = unfolded("Casa\r\nATTENDEE:mailto:x@y.example\nSTATUS:CANCELLED")

    assert sum(line.startswith(("ATTENDEE", "STATUS")) for line in lines) == 1
