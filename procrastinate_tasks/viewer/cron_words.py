"""A schedule in words: the common shapes of cron expressions; any other is shown as it is written."""

from __future__ import annotations

import re
from datetime import timedelta

from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from procrastinate_tasks.formatting import duration_in_words, list_in_words

_EVERY = re.compile(r"\*/(\d+)$")
_INTERVAL = re.compile(r"every ([\d.]+) s$")
_RANGE = re.compile(r"(\d+)-(\d+)$")
_DAY_NAMES = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_FIELDS = 5
_SUNDAY_TOO = 7
_ONE_O_CLOCK = 1


def schedule_in_words(*, cron: str, zone: str) -> str:
    """Return ``Every day at 04:00, Mexico City time``; without the zone where the clock does not matter."""
    if every := _INTERVAL.match(cron):
        return _("Every %(span)s") % {"span": duration_in_words(timedelta(seconds=float(every[1])))}
    words, needs_zone = _in_words(cron.upper().split())
    if not words:
        words = _("At the times of %(cron)s") % {"cron": cron}
    if not needs_zone:
        return words
    return _("%(times)s, %(zone)s") % {"times": words, "zone": zone_in_words(zone)}


def zone_in_words(zone: str) -> str:
    if zone == "UTC":
        return "UTC"
    city = zone.rpartition("/")[2].replace("_", " ")
    known = {"America/Mexico_City": _("Mexico City")}
    return _("%(city)s time") % {"city": known.get(zone, city)}


def _in_words(fields: list[str]) -> tuple[str, bool]:
    """Return the words and whether they name times of a clock; no words for an unusual shape."""
    if len(fields) != _FIELDS or fields[3] != "*":
        return "", True
    minute, hour, day_of_month, _any_month, day_of_week = fields
    if (hour, day_of_month, day_of_week) == ("*", "*", "*"):
        return _within_the_hour(minute)
    times = _times_of_day(minute, hour)
    days = _days(day_of_month, day_of_week)
    if not times or not days:
        return "", True
    return _("%(days)s %(times)s") % {"days": days, "times": times}, True


def _within_the_hour(minute: str) -> tuple[str, bool]:
    step = _EVERY.match(minute)
    if minute == "*" or step:
        count = int(step[1]) if step else 1
        words = _("Every minute") if count == 1 else _("Every %(count)d minutes") % {"count": count}
        return words, False
    if minute == "0":
        return _("Every hour, on the hour"), False
    if minute.isdecimal():
        return _("Every hour, at minute %(minute)s") % {"minute": minute}, False
    return "", True


def _times_of_day(minute: str, hour: str) -> str:
    step, hours = _EVERY.match(minute), _RANGE.match(hour)
    if step and hours:
        text = _("every %(count)d minutes from %(first)s to %(last)s")
        return text % {"count": int(step[1]), "first": _clock(hours[1], "0"), "last": _clock(hours[2], "59")}
    numbers = hour.split(",")
    if not minute.isdecimal() or not all(number.isdecimal() for number in numbers):
        return ""
    times = list_in_words([_clock(number, minute) for number in numbers])
    if int(numbers[0]) == _ONE_O_CLOCK:
        return pgettext("one o'clock first", "at %(times)s") % {"times": times}
    return _("at %(times)s") % {"times": times}


def _clock(hour: str, minute: str) -> str:
    return f"{int(hour):02}:{int(minute):02}"


def _days(day_of_month: str, day_of_week: str) -> str:
    if (day_of_month, day_of_week) == ("*", "*"):
        return _("Every day")
    if day_of_week == "*":
        return _days_of_month(day_of_month)
    return _days_of_week(day_of_week) if day_of_month == "*" else ""


def _days_of_month(field: str) -> str:
    if field == "L":
        return _("On the last day of each month")
    numbers = field.split(",")
    if not all(number.isdecimal() for number in numbers):
        return ""
    text = ngettext("On day %(days)s of each month", "On days %(days)s of each month", len(numbers))
    return text % {"days": list_in_words(numbers)}


def _days_of_week(field: str) -> str:
    first, dash, last = field.partition("-")
    numbers = [_day_number(day) for day in ((first, last) if dash else field.split(","))]
    if None in numbers:
        return ""
    days = [day for day in numbers if day is not None]
    if dash:
        names = _names_of_days()
        return _("%(first)s to %(last)s") % {"first": names[days[0]], "last": names[days[1]]}
    plural = _plurals_of_days()
    return _("On %(days)s") % {"days": list_in_words([plural[day] for day in days])}


def _day_number(day: str) -> int | None:
    if day in _DAY_NAMES:
        return _DAY_NAMES.index(day)
    return int(day) % _SUNDAY_TOO if day.isdecimal() and int(day) <= _SUNDAY_TOO else None


def _names_of_days() -> tuple[str, ...]:
    """Return the days as a range names them: ``From Monday to Friday``, in Spanish ``De lunes a viernes``."""
    return (
        pgettext("from or to a day", "Sunday"),
        pgettext("from or to a day", "Monday"),
        pgettext("from or to a day", "Tuesday"),
        pgettext("from or to a day", "Wednesday"),
        pgettext("from or to a day", "Thursday"),
        pgettext("from or to a day", "Friday"),
        pgettext("from or to a day", "Saturday"),
    )


def _plurals_of_days() -> tuple[str, ...]:
    return (
        pgettext("on each such day", "Sundays"),
        pgettext("on each such day", "Mondays"),
        pgettext("on each such day", "Tuesdays"),
        pgettext("on each such day", "Wednesdays"),
        pgettext("on each such day", "Thursdays"),
        pgettext("on each such day", "Fridays"),
        pgettext("on each such day", "Saturdays"),
    )
