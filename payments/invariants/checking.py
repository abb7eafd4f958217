"""Ask the database whether the invariants hold, and keep the last answer for the alert and the dashboard."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic
from typing import Any, LiteralString

from django.db import DatabaseError, OperationalError, connection, transaction

from payments.invariants.catalogue import INVARIANTS, Invariant, read_sql
from payments.models import InvariantCheck

logger = logging.getLogger(__name__)

# The first look at a million bookings takes 7 s of one core.
_LONGEST = "60s"
_MEMORY = "64MB"
# Times what it took last: each takes half a second of five minutes at most, all of them never more than nine.
_PAUSE = 600
_LONGEST_PAUSE = timedelta(days=1)
MOST_ROWS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the rows say of an invariant.

    Attributes:
        rows: which break it, such as ``booking 17``; the first of them.
        problem: why it could not be asked, empty when it could.
    """

    invariant: Invariant
    count: int = 0
    rows: tuple[str, ...] = ()
    problem: str = ""
    seconds: float = 0.0

    @property
    def holds(self) -> bool:
        return not self.count and not self.problem


def check(*, now: datetime, invariants: Iterable[Invariant] = INVARIANTS) -> Iterator[Verdict]:
    """Ask of each invariant by itself: one that cannot be asked keeps no other from it."""
    chosen = tuple(invariants)
    cleared = dict(_clear(chosen))
    for invariant in chosen:
        yield cleared.get(invariant.name) or _ask(invariant, now)


def _clear(chosen: tuple[Invariant, ...]) -> Iterator[tuple[str, Verdict]]:
    """Return which need not be asked after a first look at all of them, each with its part of the time.

    They hold; or the look ran out of time, and asking each would take longer still.
    """
    for look in {each.first_look for each in chosen if each.first_look}:
        begun = monotonic()
        suspects, problem = _look(look)
        sharing = [each for each in chosen if each.first_look == look]
        seconds = round((monotonic() - begun) / len(sharing), 3)
        for each in sharing:
            if each.name not in suspects:
                yield each.name, Verdict(invariant=each, problem=problem, seconds=seconds)


def _look(name: str) -> tuple[Collection[str], str]:
    """Return which may be broken, and why nobody knows; all may be when the statement itself is refused."""
    try:
        return {suspect for (suspect,) in _fetch(read_sql(name), {"salt": secrets.randbits(62)})}, ""
    except DatabaseError as error:
        logger.exception("a first look at invariants could not be taken", extra={"look": name})
        is_too_slow = isinstance(error, OperationalError)
        return ([], type(error).__name__) if is_too_slow else ([each.name for each in INVARIANTS], "")


def _ask(invariant: Invariant, now: datetime) -> Verdict:
    begun = monotonic()
    try:
        found, problem = _find(invariant, now), ""
    except DatabaseError as error:
        found, problem = [], type(error).__name__
        logger.exception("an invariant could not be checked", extra={"invariant": invariant.name})
    return Verdict(
        invariant=invariant,
        count=found[0][2] if found else 0,
        rows=tuple(f"{what} {id_}" for what, id_, _count in found),
        problem=problem,
        seconds=round(monotonic() - begun, 3),
    )


def check_and_keep(*, now: datetime) -> list[Verdict]:
    """Check those that are due, and write each answer down with since when it has been so."""
    verdicts = []
    for verdict in check(now=now, invariants=due(now=now)):
        _keep(verdict, now)
        verdicts.append(verdict)
    return verdicts


def due(*, now: datetime) -> tuple[Invariant, ...]:
    """Return which the schedule has to ask: the longer one took, the later it is asked again.

    What is broken is asked each time, so that whoever has mended it is told.
    """
    kept = {each.name: each for each in InvariantCheck.objects.all()}
    return tuple(each for each in INVARIANTS if each.name not in kept or _is_due(kept[each.name], now))


def _is_due(kept: InvariantCheck, now: datetime) -> bool:
    pause = min(timedelta(seconds=kept.seconds * _PAUSE), _LONGEST_PAUSE)
    return bool(kept.count) or now - kept.checked_at >= pause


def _find(invariant: Invariant, now: datetime) -> list[tuple[str, str, int]]:
    statement = (
        "SELECT what, id::text, count(*) OVER () FROM (" + invariant.sql + ") found (what, id)"
        " ORDER BY what, length(id::text), id::text LIMIT %(most)s"
    )
    return _fetch(statement, {"now": now, "most": MOST_ROWS})


def _fetch(statement: LiteralString, parameters: Mapping[str, datetime | int]) -> list[Any]:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('statement_timeout', %s, true), set_config('work_mem', %s, true)",
            (_LONGEST, _MEMORY),
        )
        cursor.execute(statement, parameters)
        found: list[Any] = cursor.fetchall()
    return found


def _keep(verdict: Verdict, now: datetime) -> None:
    with transaction.atomic():
        kept, _is_new = InvariantCheck.objects.select_for_update().get_or_create(
            name=verdict.invariant.name, defaults={"checked_at": now}
        )
        if not verdict.holds and kept.rows != list(verdict.rows):
            logger.error(
                "an invariant is broken",
                extra={"invariant": verdict.invariant.name, "rows": ", ".join(verdict.rows)},
            )
        kept.checked_at, kept.count, kept.rows = now, verdict.count, list(verdict.rows)
        kept.problem, kept.seconds = verdict.problem, verdict.seconds
        kept.broken_since = None if verdict.holds else kept.broken_since or now
        kept.save()
