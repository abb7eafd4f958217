"""What ``manage.py jobs`` exits with, for scripts."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

from procrastinate_tasks.action_policies import Refusal
from procrastinate_tasks.action_reports import TargetReport
from procrastinate_tasks.models import ActionOutcome


class ExitCode(IntEnum):
    """The exit codes of every verb."""

    DONE = 0
    ERROR = 1
    NONE_MATCHED = 3
    NOT_FOUND = 4
    SOME_SKIPPED = 5
    NONE_APPLIED = 6


_NOT_FOUND = (Refusal.UNKNOWN_QUEUE, Refusal.UNKNOWN_SCHEDULE)
_AS_WANTED = (Refusal.PAUSED_ALREADY, Refusal.NOT_PAUSED, Refusal.DISABLED_ALREADY, Refusal.NOT_DISABLED)
_MISTAKES = (Refusal.INVALID_LIMIT, Refusal.INVALID_SCHEDULE)


def code_of_counts(*, applied: int, others: int) -> ExitCode:
    """Return the code of an action on several jobs."""
    if applied == 0:
        return ExitCode.NONE_APPLIED
    return ExitCode.SOME_SKIPPED if others else ExitCode.DONE


def code_of_jobs(targets: Sequence[TargetReport]) -> ExitCode:
    """Return the code of an action on jobs; an error of the database counts more than what was applied."""
    if any(target.outcome is ActionOutcome.FAILED for target in targets):
        return ExitCode.ERROR
    applied = sum(target.was_applied for target in targets)
    return code_of_counts(applied=applied, others=len(targets) - applied)


def code_of_target(target: TargetReport) -> ExitCode:
    """Return the code of an action on a queue or a schedule: one that is as it should be is no failure."""
    if target.was_applied or target.refusal in _AS_WANTED:
        return ExitCode.DONE
    if target.refusal in _NOT_FOUND:
        return ExitCode.NOT_FOUND
    if target.refusal in _MISTAKES or target.refusal is None:
        return ExitCode.ERROR
    return ExitCode.NONE_APPLIED
