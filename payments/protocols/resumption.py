"""Every five minutes: find what was asked for and is not done, and defer its job again.

Where a job waits already its queueing lock makes the new one needless. Where one fails again and again, its
row is found further apart once it is a day old: a fault that stays should not fill the list of failures.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from payments import unfinished

# The job that was deferred with the row is given this long first.
GRACE = timedelta(minutes=5)
YOUNG = timedelta(days=1)
_HOURLY = timedelta(minutes=5)


def defer_unfinished(*, now: datetime) -> int:
    """Defer the jobs of all that waits, once an hour if it is older than a day. Returns how many are new."""
    is_hourly = timedelta(minutes=now.minute) < _HOURLY
    since = None if is_hourly else now - YOUNG
    return sum(unfinished.defer_waiting(work, since=since, until=now - GRACE) for work in unfinished.WORK)
