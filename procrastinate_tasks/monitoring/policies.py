"""When a fault is told, and when its end; which slots are summed up: pure decisions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum


class Step(StrEnum):
    """What one look does to an alert."""

    LEAVE = "leave"
    NOTICE = "notice"  # the fault is new: tell nobody yet
    FIRE = "fire"
    FORGET = "forget"  # it passed before anybody was told
    CALM = "calm"  # the fault is not seen at the moment
    RELAPSE = "relapse"
    RETURN = "return"  # it was silenced, and that is over
    RECOVER = "recover"


MUCH_WORSE = 1.5
"""A silenced alert comes back when its measure has grown to so many times what it was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """What somebody asked for: until when, if until any time, and how bad it was then."""

    until: datetime | None = None
    measure: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertMemory:
    """What earlier looks left: since when the fault is seen, when it was told, since when it is not seen."""

    seen_at: datetime
    fired_at: datetime | None = None
    calm_since: datetime | None = None
    silence: Silence | None = None


def decide_step(
    memory: AlertMemory | None,
    *,
    is_seen: bool,
    now: datetime,
    lasting: timedelta,
    calm_for: timedelta,
    measure: float | None = None,
) -> Step:
    """Decide about one alert: told when its fault has lasted, over when nothing was seen of it for a while.

    Args:
        lasting: how long a fault is watched before it is told.
        calm_for: how long it must not be seen to be over: what comes and goes is one alert.
        measure: how bad it is now, where that can be counted.
    """
    silence = memory.silence if memory is not None else None
    if is_seen and silence is not None and is_over(silence, now=now, measure=measure):
        return Step.RETURN
    if is_seen:
        return _step_of_fault(memory, now=now, lasting=lasting)
    return _step_of_calm(memory, now=now, calm_for=calm_for)


def is_over(silence: Silence, *, now: datetime, measure: float | None) -> bool:
    """Tell whether whoever silenced an alert would want to be told again."""
    return has_time_passed(silence, now=now) or is_much_worse(silence, measure)


def has_time_passed(silence: Silence, *, now: datetime) -> bool:
    return silence.until is not None and silence.until <= now


def is_much_worse(silence: Silence, measure: float | None) -> bool:
    """Tell whether a fault has grown by half since it was silenced; what nobody can count never has."""
    if silence.measure is None or measure is None:
        return False
    return measure > silence.measure and measure >= MUCH_WORSE * silence.measure


def _step_of_fault(memory: AlertMemory | None, *, now: datetime, lasting: timedelta) -> Step:
    if memory is None:
        return Step.NOTICE if lasting else Step.FIRE
    if memory.fired_at is None:
        return Step.FIRE if now - memory.seen_at >= lasting else Step.LEAVE
    return Step.LEAVE if memory.calm_since is None else Step.RELAPSE


def _step_of_calm(memory: AlertMemory | None, *, now: datetime, calm_for: timedelta) -> Step:
    if memory is None:
        return Step.LEAVE
    if memory.fired_at is None:
        return Step.FORGET
    if memory.calm_since is None:
        return Step.CALM if calm_for else Step.RECOVER
    return Step.RECOVER if now - memory.calm_since >= calm_for else Step.LEAVE


# --- The roll-up ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class RollupWindow:
    """Whole slots to sum up, ``from_at`` in, ``until`` out; ``has_more`` when later slots are closed."""

    from_at: datetime
    until: datetime
    has_more: bool


def decide_rollup_window(
    *,
    rolled_up_to: datetime,
    now: datetime,
    slot: timedelta,
    lateness: timedelta,
    kept_for: timedelta,
    at_most: timedelta,
) -> RollupWindow:
    """Choose the closed slots that are new, and those before them that late records may have changed.

    A slot of which attempts may be pruned already is left as it was summed up.

    Args:
        rolled_up_to: the end of the last slot that was summed up; at the first turn any instant of that slot.
        kept_for: how long attempts are kept.
        at_most: how much new time one turn takes on.
    """
    closed = _start_of_slot(now, slot)
    oldest = min(closed, _start_of_slot(now - kept_for, slot) + slot)
    done = min(max(_start_of_slot(rolled_up_to, slot), oldest), closed)
    until = min(done + at_most, closed)
    return RollupWindow(from_at=max(oldest, done - lateness), until=until, has_more=until < closed)


def _start_of_slot(instant: datetime, slot: timedelta) -> datetime:
    return instant - (instant - datetime(1970, 1, 1, tzinfo=UTC)) % slot
