"""Who acts, on what, and what came of it, in the language of whoever reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import NAMESPACE_URL, UUID, uuid4, uuid5

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from procrastinate_tasks.actions.policies import (
    ALERT_ACTIONS,
    FAULT_ACTIONS,
    JOB_ACTIONS,
    QUEUE_ACTIONS,
    SCHEDULE_ACTIONS,
    TASK_ACTIONS,
    Action,
    Refusal,
)
from procrastinate_tasks.conf import QueueLimit
from procrastinate_tasks.models import ActionOutcome, Channel, TargetType


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who acts: ``name`` as colleagues know them, ``user_id`` their Django user's key if they have one."""

    name: str
    user_id: int | str | None = None
    channel: Channel = Channel.ADMIN
    request_id: str = ""


MOST_JOBS = 500
"""How many jobs one form may name."""

TARGET_TYPES: Mapping[Action, TargetType] = {
    **dict.fromkeys((*JOB_ACTIONS, Action.REPLAY), TargetType.JOB),
    **dict.fromkeys(QUEUE_ACTIONS, TargetType.QUEUE),
    **dict.fromkeys(TASK_ACTIONS, TargetType.TASK),
    **dict.fromkeys(FAULT_ACTIONS, TargetType.FAULT),
    **dict.fromkeys(ALERT_ACTIONS, TargetType.ALERT),
    **dict.fromkeys(SCHEDULE_ACTIONS, TargetType.SCHEDULE),
    **dict.fromkeys((Action.START_BULK, Action.STOP_BULK), TargetType.BULK),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionRequest:
    """One form, or one command: who wants what done to which targets, and why.

    ``targets`` are jobs by their ids as text, or else one name; one given twice counts once. What a form's
    ``token`` asked for once is not done twice. ``limit`` is what a queue shall have; one without limits lets
    the settings hold again. ``until`` is when a pause or a silence shall end by itself. ``own_group`` is that
    of the audit entries where no token decides it.
    """

    action: Action
    targets: tuple[str, ...]
    actor: Actor
    reason: str = ""
    token: str = ""
    limit: QueueLimit = field(default_factory=QueueLimit)
    until: datetime | None = None
    own_group: UUID = field(default_factory=uuid4)

    def __post_init__(self) -> None:
        object.__setattr__(self, "targets", tuple(dict.fromkeys(self.targets)))
        object.__setattr__(self, "reason", self.reason.strip())

    @property
    def target_type(self) -> TargetType:
        return TARGET_TYPES[self.action]

    @property
    def job_ids(self) -> tuple[int, ...]:
        return tuple(map(int, self.targets))

    @property
    def group(self) -> UUID:
        """The group of the audit entries: the same for the same token, person, deed and targets only."""
        if not self.token:
            return self.own_group
        actor = self.actor
        who = (actor.channel, str(actor.user_id), actor.name)
        return uuid5(NAMESPACE_URL, "\n".join([self.token, self.action, *who, *sorted(self.targets)]))

    @property
    def expected_text(self) -> str:
        """What is typed to confirm: how many jobs, or the name."""
        return str(len(self.targets)) if self.target_type is TargetType.JOB else self.targets[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetReport:
    """What became of one target: a job by its id as text, a queue or a schedule by its name.

    ``detail`` may hold the state ``before`` and ``after``, the ``twin_id`` that stood in the way, the
    ``job_id`` that was deferred, or the ``problem``.
    """

    action: Action
    target: str
    outcome: ActionOutcome
    refusal: Refusal | None = None
    task_name: str = ""
    detail: Mapping[str, object] = field(default_factory=dict)

    @property
    def sentence(self) -> str:
        """What became of it, in the active language."""
        if self.outcome is ActionOutcome.APPLIED:
            return applied_sentence(self.action, self.detail)
        if self.refusal is not None:
            return refused_sentence(self.refusal, self.detail)
        return failed_sentence()

    @property
    def was_applied(self) -> bool:
        return self.outcome is ActionOutcome.APPLIED


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionReport:
    """What became of an action on all its targets, in the order they were given.

    ``group`` is that of the audit entries; ``is_repeat`` when the same form was sent before, and this is
    what came of it then; ``is_dry_run`` when nothing was done.
    """

    action: Action
    targets: tuple[TargetReport, ...]
    group: UUID | None = None
    is_repeat: bool = False
    is_dry_run: bool = False

    @property
    def applied(self) -> tuple[TargetReport, ...]:
        return self._with(ActionOutcome.APPLIED)

    @property
    def refused(self) -> tuple[TargetReport, ...]:
        return self._with(ActionOutcome.REFUSED)

    @property
    def failed(self) -> tuple[TargetReport, ...]:
        return self._with(ActionOutcome.FAILED)

    def _with(self, outcome: ActionOutcome) -> tuple[TargetReport, ...]:
        return tuple(target for target in self.targets if target.outcome is outcome)


def refuse_all(request: ActionRequest, refusal: Refusal, **detail: object) -> tuple[TargetReport, ...]:
    """Return the report of an action that is refused for all its targets alike."""
    return tuple(
        TargetReport(
            action=request.action,
            target=target,
            outcome=ActionOutcome.REFUSED,
            refusal=refusal,
            detail=detail,
        )
        for target in request.targets
    )


ACTION_LABELS: Mapping[Action, Promise] = {
    Action.RETRY: _("Retry"),
    Action.RUN_NOW: _("Run now"),
    Action.CANCEL: _("Cancel"),
    Action.ABORT: _("Stop"),
    Action.RELEASE: _("Release"),
    Action.RESCUE: _("Rescue"),
    Action.PAUSE: _("Pause"),
    Action.RESUME: _("Resume"),
    Action.PAUSE_TASK: _("Pause the task"),
    Action.RESUME_TASK: _("Resume the task"),
    Action.LIMIT: _("Limit"),
    Action.MUTE_FAULT: _("Mute"),
    Action.UNMUTE_FAULT: _("Tell of it again"),
    Action.SILENCE_ALERT: _("Silence"),
    Action.UNSILENCE_ALERT: _("End the silence"),
    Action.RUN_SCHEDULE: _("Run now"),
    Action.DISABLE_SCHEDULE: _("Disable"),
    Action.ENABLE_SCHEDULE: _("Enable"),
    Action.START_BULK: _("Start a bulk operation"),
    Action.STOP_BULK: _("Stop a bulk operation"),
    Action.REPLAY: _("Replay"),
}

_APPLIED: Mapping[Action, Promise] = {
    Action.RETRY: _("It waits again."),
    Action.RUN_NOW: _("It is due now."),
    Action.CANCEL: _("It was cancelled."),
    Action.ABORT: _("It was asked to stop."),
    Action.RELEASE: _("It was released, and waits again."),
    Action.RESCUE: _("It was taken from its lost worker."),
    Action.PAUSE: _("The queue is paused: running jobs finish, none starts."),
    Action.RESUME: _("The queue runs again."),
    Action.PAUSE_TASK: _("The task is paused: running jobs finish, none starts."),
    Action.RESUME_TASK: _("The task runs again."),
    Action.LIMIT: _("The queue's limits were changed."),
    Action.MUTE_FAULT: _("The fault is muted until a later release has it too."),
    Action.UNMUTE_FAULT: _("The fault is told of again."),
    Action.SILENCE_ALERT: _("The alert is silenced: until it gets worse, is over, or its time has come."),
    Action.UNSILENCE_ALERT: _("The alert is told again, within seconds."),
    Action.RUN_SCHEDULE: _("Job %(job_id)s was deferred. The next regular run stays where it was."),
    Action.DISABLE_SCHEDULE: _("The schedule is disabled: it defers nothing until it is enabled."),
    Action.ENABLE_SCHEDULE: _("The schedule is enabled, from its next time on."),
    Action.START_BULK: _("The bulk operation was started, on %(requested)s jobs."),
    Action.STOP_BULK: _("The bulk operation was stopped; what was done stays done."),
    Action.REPLAY: _("It is run once more in a command, and what it writes is undone."),
}

_REFUSED: Mapping[Refusal, Promise] = {
    Refusal.NO_SUCH_JOB: _("There is no such job: it never was, or it ended and was pruned."),
    Refusal.SUCCEEDED: _("It succeeded: there is nothing to retry."),
    Refusal.ENDED: _("It has ended already."),
    Refusal.WAITS: _("It waits already."),
    Refusal.RUNS: _("It is running, and its worker is alive."),
    Refusal.ORPHANED: _("Its worker is lost: rescue it."),
    Refusal.DUE_ALREADY: _("It is due already: its page tells what it waits for."),
    Refusal.PARKED: _("It is parked, because it kept losing its workers: release it."),
    Refusal.NOT_PARKED: _("It is not parked."),
    Refusal.ASKED_TO_STOP: _("It was asked to stop already."),
    Refusal.LOCK_TAKEN: _("Job %(twin_id)s waits with its queueing lock."),
    Refusal.CHANGED_MEANWHILE: _("It changed at the same moment. Look at it again."),
    Refusal.BUSY: _("Somebody else was changing it. Try again."),
    Refusal.REASON_MISSING: _("A reason is needed."),
    Refusal.NOT_PERMITTED: _("The permission is missing."),
    Refusal.UNKNOWN_QUEUE: _("There is no such queue."),
    Refusal.PAUSED_ALREADY: _("It is paused already."),
    Refusal.NOT_PAUSED: _("It is not paused."),
    Refusal.UNKNOWN_TASK: _("There is no such task."),
    Refusal.UNKNOWN_FAULT: _("There is no such fault, or its runs were pruned."),
    Refusal.MUTED_ALREADY: _("It is muted already."),
    Refusal.NOT_MUTED: _("It is not muted."),
    Refusal.UNKNOWN_ALERT: _("No such alert fires: it is over, or never was."),
    Refusal.SILENCED_ALREADY: _("It is silenced already."),
    Refusal.NOT_SILENCED: _("It is not silenced."),
    Refusal.OVER_ALREADY: _("That time has passed: nothing was done."),
    Refusal.INVALID_LIMIT: _("This is no limit: %(problem)s."),
    Refusal.UNKNOWN_SCHEDULE: _("There is no such schedule."),
    Refusal.DISABLED_ALREADY: _("It is disabled already."),
    Refusal.NOT_DISABLED: _("It is not disabled."),
    Refusal.INVALID_SCHEDULE: _("It cannot run: %(problem)s"),
    Refusal.RUN_WAITS: _("A job of it waits already."),
    Refusal.NO_JOB_MATCHES: _("No job matches."),
    Refusal.TOO_MANY_JOBS: _("More than %(most)s jobs match: narrow the filter."),
    Refusal.BULK_HAS_ENDED: _("The bulk operation has ended already."),
}


def applied_sentence(action: str, detail: Mapping[str, object]) -> str:
    """Say what was done."""
    return str(_APPLIED[Action(action)]) % detail


def refused_sentence(refusal: str, detail: Mapping[str, object]) -> str:
    """Say why something was not done; a code of a later release is told as it is."""
    try:
        return str(_REFUSED[Refusal(refusal)]) % detail
    except ValueError:
        return refusal


def failed_sentence() -> str:
    """Say that the database did not do it."""
    return str(_("The database refused it; nothing was changed. Try again; if it stays so, look at the log."))
