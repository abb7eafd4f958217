"""When the janitor looks at what a call has left open, and has its next turn. Pure: no Django, no I/O."""

from __future__ import annotations

from datetime import datetime, timedelta

from payments import policies

SHORTEST_PAUSE = timedelta(seconds=5)


def look_after_call(*, check_at: datetime, checks: int, began_at: datetime) -> datetime:
    """Return when to look at what a call has left open: soon, as nobody has to wait for it any more.

    Args:
        check_at: the next look as it is. One that is sooner stays, or each try would put it off; and that of
            a call which has begun since.
        began_at: when whoever made the call began.
    """
    if check_at > began_at + policies.DRIVER_LEASE:
        return check_at
    return min(check_at, began_at + policies.check_delay(max(checks - 1, 0)))


def next_turn(*, next_look: datetime, now: datetime) -> datetime:
    """Return when to look again: for the next look, after a pause, and never far off.

    One turn waits at most: it would be in the way of another for what is in doubt by then.
    """
    return min(max(next_look, now + SHORTEST_PAUSE), now + policies.LOOK_EVERY)
