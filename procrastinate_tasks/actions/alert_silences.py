"""Silences alerts that fire: nobody is told anew. Health, metrics and exit codes stay as they are."""

from __future__ import annotations

from datetime import datetime

from procrastinate_tasks.database import database_now, fetch_row
from procrastinate_tasks.exceptions import AlreadyOver, UnknownAlert
from procrastinate_tasks.queries.alerts import read_key

_LONGEST_PERSON = 150
_LONGEST_NOTE = 2000

_EXISTS = """
-- Whether an alert fires.
SELECT EXISTS (
    SELECT FROM procrastinate_tasks_alertstate
    WHERE rule = %(rule)s AND subject = %(subject)s AND fired_at IS NOT NULL
) AS fires
"""

_SILENCE = """
-- Silence an alert as bad as it is now; one that is silenced stays so by whom and until when it was. Answers
-- whether this was news. Whoever looks after the alerts tells the channels.
WITH silenced AS (
    UPDATE procrastinate_tasks_alertstate
    SET silenced_at = now(), silenced_by = %(by)s, silence_note = %(note)s, silenced_until = %(until)s,
        silenced_measure = measure, silence_is_told = false
    WHERE rule = %(rule)s AND subject = %(subject)s AND fired_at IS NOT NULL
      AND (silenced_at IS NULL OR silenced_until <= now())
    RETURNING id
)
SELECT count(*) = 1 AS changed FROM silenced
"""

_UNSILENCE = """
-- Let the time of a silence be over: the next look tells the alert again. Answers whether it was silenced.
WITH told AS (
    UPDATE procrastinate_tasks_alertstate
    SET silenced_until = now()
    WHERE rule = %(rule)s AND subject = %(subject)s AND fired_at IS NOT NULL
      AND silenced_at IS NOT NULL AND (silenced_until IS NULL OR silenced_until > now())
    RETURNING id
)
SELECT count(*) = 1 AS changed FROM told
"""


def silence_alert(*, key: str, by: str, note: str, until: datetime | None = None) -> bool:
    """Tell an alert no more until it is over, gets much worse, or ``until``; False when it was silenced.

    Raises:
        AlreadyOver: ``until`` has passed.
        UnknownAlert: it does not fire.
    """
    names = _firing(key)
    if until is not None and until <= database_now():
        raise AlreadyOver(until)
    person, why = by.strip()[:_LONGEST_PERSON], note[:_LONGEST_NOTE]
    changed: bool = fetch_row(_SILENCE, **names, by=person, note=why, until=until)["changed"]
    return changed


def unsilence_alert(*, key: str) -> bool:
    """Let a silenced alert be told again; False when it was not silenced.

    Raises:
        UnknownAlert: it does not fire.
    """
    changed: bool = fetch_row(_UNSILENCE, **_firing(key))["changed"]
    return changed


def _firing(key: str) -> dict[str, str]:
    names = read_key(key)
    if not fetch_row(_EXISTS, **names)["fires"]:
        raise UnknownAlert(key)
    return names
