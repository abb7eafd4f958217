"""When a fault is told, and when its end: pure decisions over what was noticed so far."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class Step(StrEnum):
    """What one look does to an alert."""

    LEAVE = "leave"
    NOTICE = "notice"  # the fault is new: tell nobody yet
    FIRE = "fire"
    FORGET = "forget"  # it passed before anybody was told
    CALM = "calm"  # the fault is not seen at the moment
    RELAPSE = "relapse"
    RECOVER = "recover"


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertMemory:
    """What earlier looks left: since when the fault is seen, when it was told, since when it is not seen."""

    seen_at: datetime
    fired_at: datetime | None = None
    calm_since: datetime | None = None


def decide_step(
    memory: AlertMemory | None, *, is_seen: bool, now: datetime, lasting: timedelta, calm_for: timedelta
) -> Step:
    """Decide about one alert: told when its fault has lasted, over when nothing was seen of it for a while.

    Args:
        lasting: how long a fault is watched before it is told.
        calm_for: how long it must not be seen to be over: what comes and goes is one alert.
    """
    if is_seen:
        return _step_of_fault(memory, now=now, lasting=lasting)
    return _step_of_calm(memory, now=now, calm_for=calm_for)


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
