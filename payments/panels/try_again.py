"""An action of the lists: the jobs of chosen rows are deferred again, and that is written down."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from payments.unfinished import Work
from procrastinate_tasks import defer
from procrastinate_tasks.actions import audit
from procrastinate_tasks.actions.permissions import is_allowed
from procrastinate_tasks.actions.policies import Action
from procrastinate_tasks.actions.reports import ActionRequest, Actor, TargetReport
from procrastinate_tasks.models import ActionOutcome


class TryAgain:
    """Mix into the list of rows that a job works for; what is done, or waits already, is passed over."""

    work: ClassVar[Work]
    actions: ClassVar[Any] = ("try_again",)

    def has_try_again_permission(self, request: HttpRequest) -> bool:
        return is_allowed(request.user, Action.RETRY, task_name=self.work.task_name)

    @admin.action(description=_("Try again what is not done yet"), permissions=["try_again"])
    def try_again(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        chosen = [row.pk for row in queryset]
        actor = Actor(name=request.user.get_username(), user_id=request.user.pk)
        count = len(try_again(self.work, ids=chosen, actor=actor))
        text = ngettext(
            "%(count)d is tried again by a job that waits now; what is done, or waits already, is left.",
            "%(count)d are tried again by jobs that wait now; what is done, or waits already, is left.",
            count,
        )
        messages.info(request, text % {"count": count})


def try_again(work: Work, *, ids: Sequence[Any], actor: Actor) -> list[int]:
    """Defer the jobs of rows that are not done, and write down who wanted it. Returns the new jobs."""
    with transaction.atomic():
        calls = [work.call(pk) for pk in work.rows().filter(pk__in=ids).values_list("pk", flat=True)]
        deferred = [defer(work.task_name, call.args, queueing_lock=call.queueing_lock) for call in calls]
        jobs = [job_id for job_id in deferred if job_id is not None]
        if not jobs:
            return []
        request = ActionRequest(
            action=Action.RETRY,
            targets=tuple(map(str, jobs)),
            actor=actor,
        )
        reports = [
            TargetReport(
                action=request.action,
                target=str(job_id),
                outcome=ActionOutcome.APPLIED,
                task_name=work.task_name,
            )
            for job_id in jobs
        ]
        audit.record(request, reports)
    audit.log(request, reports)
    return jobs
