"""Numbers, amounts, moments and errors as people read them: with their unit, precision and age."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

MOST_COUNTED = 10_000


"""Counts stop here: what is more is shown with a plus."""

_MINUTE = 60


_HOUR = 60 * _MINUTE


_DAY = 24 * _HOUR


def count_in_words(count: int, *, most: int = MOST_COUNTED) -> str:
    """Return a count with its thousands apart; one that was cut off with a plus: ``10,000+``."""
    if count > most:
        return number_format(most, use_l10n=True, force_grouping=True) + "+"
    return number_format(count, use_l10n=True, force_grouping=True)


def duration_in_words(duration: timedelta | None) -> str:
    """Return a duration in its two greatest units: ``850 ms``, ``1.2 s``, ``3 min 5 s``, ``2 d 4 h``."""
    if duration is None:
        return "–"
    seconds = duration.total_seconds()
    if seconds < 0:
        return f"−{duration_in_words(-duration)}"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 10 and round(seconds, 1) % 1:
        return f"{number_format(round(seconds, 1), decimal_pos=1)} s"
    return _in_two_units(round(seconds))


def _in_two_units(seconds: int) -> str:
    if seconds < _MINUTE:
        return f"{seconds} s"
    if seconds < _HOUR:
        return _joined(seconds // _MINUTE, "min", seconds % _MINUTE, "s")
    if seconds < _DAY:
        return _joined(seconds // _HOUR, "h", seconds % _HOUR // _MINUTE, "min")
    return _joined(seconds // _DAY, "d", seconds % _DAY // _HOUR, "h")


def _joined(large: int, large_unit: str, small: int, small_unit: str) -> str:
    return f"{large} {large_unit} {small} {small_unit}" if small else f"{large} {large_unit}"


def span_in_words(duration: timedelta) -> str:
    """Return a duration in one unit, rounded down: ages need no more."""
    seconds = max(0, int(duration.total_seconds()))
    for size, unit in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def age_in_words(at: datetime, *, now: datetime) -> str:
    """Return how long ago something was, or in how long it will be: ``30 s ago``, ``in 5 min``."""
    if at > now:
        return _("in %(span)s") % {"span": span_in_words(at - now)}
    return _("%(span)s ago") % {"span": span_in_words(now - at)}


def moment_in_words(at: datetime, *, to_the_second: bool = True) -> str:
    """Return a moment in the local zone as an office writes it: ``29 Nov 2026, 1:19:05``."""
    local = timezone.localtime(at)
    day = date_format(local, pgettext("format of a day", "j M Y"))
    return f"{day}, {date_format(local, 'G:i:s' if to_the_second else 'G:i')}"


def bytes_in_words(size: int) -> str:
    """Return a size of memory in megabytes of 1024² bytes."""
    return f"{number_format(round(size / 1024**2), force_grouping=True)} MB"


def percentage_in_words(part: int, whole: int) -> str:
    return f"{number_format(round(100 * part / whole) if whole else 0)} %"


def list_in_words(items: list[str]) -> str:
    """Join items as a sentence does: ``a, b and c``."""
    if len(items) < 2:
        return "".join(items)
    last = pgettext("the last two of a list", "%(first)s and %(last)s")
    return last % {"first": ", ".join(items[:-1]), "last": items[-1]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """Money in minor units of an ISO 4217 currency."""

    minor: int
    currency: str


_LONGEST_ERROR = 80


_WITHOUT_CENTS = ("CLP", "COP", "JPY", "KRW", "PYG", "VND")


_SIGNS = {"MXN": "$", "USD": "$", "EUR": "€", "GBP": "£"}


def short_error(exception_class: str, message: str) -> str:
    """Return an error as one short line: the exception's name and how its message begins."""
    name = exception_class.rpartition(".")[2]
    first_line = next(iter(message.splitlines()), "")
    text = f"{name}: {first_line}" if first_line else name
    return text if len(text) <= _LONGEST_ERROR else text[: _LONGEST_ERROR - 1] + "…"


def amounts_in_words(amounts: Iterable[Amount]) -> str:
    """Return sums of several currencies; nothing for none."""
    return " + ".join(amount_in_words(amount) for amount in amounts)


def amount_in_words(amount: Amount) -> str:
    """Return money as it is written here: ``$1,250.50 MXN``."""
    currency = amount.currency.upper()
    decimals = 0 if currency in _WITHOUT_CENTS else 2
    value = Decimal(abs(amount.minor)).scaleb(-decimals)
    minus = "−" if amount.minor < 0 else ""
    number = number_format(value, decimal_pos=decimals, force_grouping=True)
    return f"{minus}{_SIGNS.get(currency, '')}{number} {currency}"
