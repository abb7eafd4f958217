"""The faults there are: noted once they are seen, and muted by people until they change."""

from __future__ import annotations

from datetime import datetime

from procrastinate_tasks.database import execute, fetch_row, statement
from procrastinate_tasks.exceptions import UnknownFault

_LONGEST_PERSON = 150
_LONGEST_REASON = 2000
_KEY = "\t"

_MUTE = """
-- Mute a fault; one that is muted stays so by whom and since when it was. Answers whether this was news.
WITH muted AS (
    UPDATE procrastinate_tasks_fault
    SET muted_at = now(), muted_by = %(by)s, mute_reason = %(reason)s
    WHERE (task_name, fingerprint, exception_class) = (%(task)s, %(fingerprint)s, %(exception_class)s)
      AND muted_at IS NULL
    RETURNING id
)
SELECT count(*) = 1 AS changed FROM muted
"""

_UNMUTE = """
-- Tell of a fault again. Answers whether it was muted.
WITH told AS (
    UPDATE procrastinate_tasks_fault
    SET muted_at = NULL, muted_by = '', mute_reason = ''
    WHERE (task_name, fingerprint, exception_class) = (%(task)s, %(fingerprint)s, %(exception_class)s)
      AND muted_at IS NOT NULL
    RETURNING id
)
SELECT count(*) = 1 AS changed FROM told
"""


def note_faults(*, from_at: datetime | None = None, until: datetime | None = None) -> None:
    """Note the faults of attempts that ended within a window and were never seen before."""
    execute(statement("jobs/note_faults"), from_at=from_at, until=until, task=None)


def key_of_fault(*, task: str, fingerprint: str, exception_class: str) -> str:
    """Return the name by which people act on a fault."""
    return _KEY.join((task, fingerprint, exception_class))


def mute_fault(*, key: str, by: str, reason: str = "") -> bool:
    """Tell of a fault no more, until a later release has it too; False when it was muted already.

    Raises:
        UnknownFault: no kept attempt has it.
    """
    names = _read(key)
    execute(statement("jobs/note_faults"), from_at=None, until=None, task=names["task"])
    if not fetch_row(_EXISTS, **names)["is_known"]:
        raise UnknownFault(key)
    person, why = by.strip()[:_LONGEST_PERSON], reason[:_LONGEST_REASON]
    changed: bool = fetch_row(_MUTE, **names, by=person, reason=why)["changed"]
    return changed


def unmute_fault(*, key: str) -> bool:
    """Tell of a fault again; False when it was not muted."""
    changed: bool = fetch_row(_UNMUTE, **_read(key))["changed"]
    return changed


_EXISTS = """
SELECT EXISTS (
    SELECT FROM procrastinate_tasks_fault
    WHERE (task_name, fingerprint, exception_class) = (%(task)s, %(fingerprint)s, %(exception_class)s)
) AS is_known
"""


def _read(key: str) -> dict[str, str]:
    parts = [*key.split(_KEY), "", ""][:3]
    return dict(zip(("task", "fingerprint", "exception_class"), parts, strict=True))
