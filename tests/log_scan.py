"""What must never be in a log: keys, card numbers, e-mail addresses, the secret links of guests."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from pathlib import Path

from procrastinate_tasks.jobs.log_context import JobContextFilter
from procrastinate_tasks.monitoring.logging import LogfmtFormatter
from reyes_estancias.log_privacy import RequestFilter

_SECRETS = {
    "key": re.compile(r"\b(?:[sr]k_(?:live|test)_\w{4,}|whsec_\w{4,})"),
    "card number": re.compile(r"\b(?:\d[ -]?){13,19}\b"),
    "e-mail address": re.compile(r"[\w.+-]+@[\w-]+\.[a-z]{2,}"),
    "link of a guest": re.compile(r"/reserva/[^/\s\"…]{20,}"),
}
# Random ones begin with sixteen digits that pass for a card number once in some ten thousand.
_UUID = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")


def find_secrets(text: str) -> list[str]:
    """Return what a text holds that no log may, in words."""
    return [
        f"{kind} {match}" for kind, pattern in _SECRETS.items() for match in _matches(kind, pattern, text)
    ]


def assert_no_secrets_in(log: Path) -> None:
    """Fail if the log of a process holds a secret."""
    found = find_secrets(log.read_text(encoding="utf-8", errors="replace"))
    assert not found, f"in {log.name}: {found}"


class ScanningHandler(logging.Handler):
    """Reads every line as the site's own handler would write it."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.setFormatter(LogfmtFormatter())
        self.addFilter(JobContextFilter())
        self.addFilter(RequestFilter())

    def emit(self, record: logging.LogRecord) -> None:
        self.found += find_secrets(self.format(record))


def _matches(kind: str, pattern: re.Pattern[str], text: str) -> Iterator[str]:
    if kind != "card number":
        yield from pattern.findall(text)
        return
    yield from filter(_has_check_digit, pattern.findall(_UUID.sub("(uuid)", text)))


def _has_check_digit(text: str) -> bool:
    """Source: ISO/IEC 7812-1, annex B (Luhn)."""
    digits = [int(digit) for digit in reversed(text) if digit.isdecimal()]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[1::2]]
    return (sum(digits[::2]) + sum(doubled)) % 10 == 0
