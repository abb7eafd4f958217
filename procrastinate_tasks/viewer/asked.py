"""What a form or an address asks for: an action on jobs, a queue or a schedule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol

from procrastinate_tasks.action_policies import JOB_ACTIONS, QUEUE_ACTIONS, SCHEDULE_ACTIONS, Action
from procrastinate_tasks.limits import QueueLimit, Rate
from procrastinate_tasks.models import TargetType
from procrastinate_tasks.viewer.numbers import read_decimal, read_whole

MOST_JOBS = 500
_LARGEST_NUMBER = 2**31 - 1
_LONGEST_REASON = 2000
_DEFAULT_PERIOD = "60"
_TARGET_TYPES = (
    (JOB_ACTIONS, TargetType.JOB),
    (QUEUE_ACTIONS, TargetType.QUEUE),
    (SCHEDULE_ACTIONS, TargetType.SCHEDULE),
)


class Parameters(Protocol):
    """What a request's GET or POST can be asked."""

    def get(self, key: str, default: str) -> str | list[object]: ...
    def getlist(self, key: str) -> Sequence[object]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """An action on ``job_ids``, or on the queue or schedule called ``name``."""

    action: Action
    target_type: TargetType
    job_ids: tuple[int, ...] = ()
    name: str = ""
    reason: str = ""
    typed: str = ""
    is_confirmed: bool = False
    limit: QueueLimit = field(default_factory=QueueLimit)

    @property
    def targets(self) -> tuple[str, ...]:
        return tuple(map(str, self.job_ids)) or (self.name,)

    @property
    def expected_text(self) -> str:
        """What is typed to confirm: how many jobs, or the name."""
        return self.name or str(len(self.job_ids))


def read_asked(parameters: Parameters) -> Asked | None:
    """Read what is asked for; None if it is nothing that can be done.

    A button of a list names both in ``do``: ``retry:123``.
    """
    word, _, number = _text(parameters, "do").partition(":")
    action = _read_action(word or _text(parameters, "action"))
    target_type = next((target for actions, target in _TARGET_TYPES if action in actions), None)
    if action is None or target_type is None:
        return None
    is_about_jobs = target_type is TargetType.JOB
    job_ids = _read_ids([number] if number else parameters.getlist("job")) if is_about_jobs else ()
    name = "" if is_about_jobs else _text(parameters, target_type.value)[:255]
    if not name and not 0 < len(job_ids) <= MOST_JOBS:
        return None
    return Asked(
        action=action,
        target_type=target_type,
        job_ids=job_ids,
        name=name,
        reason=_text(parameters, "reason")[:_LONGEST_REASON],
        typed=_text(parameters, "typed"),
        is_confirmed=_text(parameters, "confirmed") == "yes",
        limit=_read_limit(parameters),
    )


def _read_action(word: str) -> Action | None:
    return next((action for action in Action if action == word), None)


def _read_ids(values: Sequence[object]) -> tuple[int, ...]:
    ids = (read_whole(str(value)) for value in values)
    return tuple(dict.fromkeys(job_id for job_id in ids if job_id is not None))


def _read_limit(parameters: Parameters) -> QueueLimit:
    """Read the limits wanted. What is no number counts as 0, which is refused: it must not lift a limit."""
    count, seconds = _number(parameters, "rate"), _text(parameters, "rate_seconds") or _DEFAULT_PERIOD
    rate = None
    if count is not None:
        period = read_decimal(seconds, most=_LARGEST_NUMBER) or 0
        rate = Rate(count, per=timedelta(seconds=float(period)))
    return QueueLimit(rate=rate, concurrency=_number(parameters, "concurrency"))


def _number(parameters: Parameters, name: str) -> int | None:
    text = _text(parameters, name)
    return (read_whole(text, most=_LARGEST_NUMBER) or 0) if text else None


def _text(parameters: Parameters, name: str) -> str:
    return str(parameters.get(name, "")).strip().replace("\x00", "")
