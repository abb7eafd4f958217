"""Who acts, and what came of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from procrastinate_tasks import action_words
from procrastinate_tasks.action_policies import Action, Refusal
from procrastinate_tasks.models import ActionOutcome, Channel


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who acts: ``name`` as colleagues know them, ``user_id`` their Django user's key if they have one."""

    name: str
    user_id: int | str | None = None
    channel: Channel = Channel.ADMIN
    request_id: str = ""


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
            return action_words.tell_applied(self.action, self.detail)
        if self.refusal is not None:
            return action_words.tell_refused(self.refusal, self.detail)
        return action_words.tell_failed()

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


def refuse_all(
    action: Action, targets: Iterable[str], refusal: Refusal, **detail: object
) -> tuple[TargetReport, ...]:
    """Return the report of an action that is refused for all its targets alike."""
    return tuple(
        TargetReport(
            action=action, target=target, outcome=ActionOutcome.REFUSED, refusal=refusal, detail=detail
        )
        for target in targets
    )
