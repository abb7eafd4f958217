"""A stay as a file that calendars read (iCalendar, RFC 5545). Pure: no Django, no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

_MOST_OCTETS = 75


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarEntry:
    """A stay in a calendar.

    Attributes:
        uid: the same for the same booking, so that a newer entry takes the place of an older.
        sequence: grows with each change.
    """

    uid: str
    sequence: int
    title: str
    place: str
    notes: str
    begins_at: datetime
    ends_at: datetime
    is_cancelled: bool = False


def write_calendar(entry: CalendarEntry, *, now: datetime) -> bytes:
    """Return the file. It holds no link: calendars are shared, and whoever has a link may cancel."""
    lines = (
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//Reyes Estancias//Bookings//ES",
        "METHOD:PUBLISH",
        "BEGIN:VEVENT",
        f"UID:{entry.uid}",
        f"SEQUENCE:{entry.sequence}",
        f"DTSTAMP:{_instant(now)}",
        f"DTSTART:{_instant(entry.begins_at)}",
        f"DTEND:{_instant(entry.ends_at)}",
        f"SUMMARY:{_escape(entry.title)}",
        f"LOCATION:{_escape(entry.place)}",
        f"DESCRIPTION:{_escape(entry.notes)}",
        f"STATUS:{'CANCELLED' if entry.is_cancelled else 'CONFIRMED'}",
        "TRANSP:TRANSPARENT",
        "END:VEVENT",
        "END:VCALENDAR",
    )
    return b"".join(_fold(line) + b"\r\n" for line in lines)


def _instant(value: datetime) -> str:
    return value.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def _escape(text: str) -> str:
    for char in "\\;,":
        text = text.replace(char, "\\" + char)
    return " ".join(text.split("\r")).replace("\n", "\\n")


def _fold(line: str) -> bytes:
    """Break a long line between characters, as each part may have so many octets."""
    parts, part = [], b""
    for char in line:
        octets = char.encode()
        if len(part) + len(octets) > _MOST_OCTETS:
            parts.append(part)
            part = b" "
        part += octets
    return b"\r\n".join([*parts, part])
