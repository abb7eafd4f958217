"""One action on many jobs: chosen at one moment, carried out in batches at a pace, stopped at any time.

The task that carries operations out is here too, and what the queue app tells of it.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.contrib.auth import get_user_model
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from procrastinate_tasks.actions import audit
from procrastinate_tasks.actions.job_actions import May, act_on_jobs, anybody, look_at_jobs, nobody
from procrastinate_tasks.actions.permissions import allowed_tasks
from procrastinate_tasks.actions.policies import Action, Batch, Refusal, decide_batch
from procrastinate_tasks.actions.reports import ActionReport, ActionRequest, Actor, TargetReport, refuse_all
from procrastinate_tasks.actions.services import do_and_record, do_or_fail
from procrastinate_tasks.database import atomic, database_alias, database_now, execute, fetch_row, statement
from procrastinate_tasks.jobs import deferring
from procrastinate_tasks.jobs.descriptions import (
    JobArgs,
    JobDescription,
    RetrySafety,
    TaskDescription,
    describe_task,
)
from procrastinate_tasks.jobs.redaction import redact
from procrastinate_tasks.jobs.retries import Retries
from procrastinate_tasks.jobs.tasks import task
from procrastinate_tasks.models import (
    ActionOutcome,
    BulkItem,
    BulkOperation,
    BulkState,
    Channel,
    Job,
)
from procrastinate_tasks.queries.money import Stake, find_stake

MOST_JOBS = 100_000


MOST_PREVIEWED = 10_000


PACE_OF_MONEY = 60
"""Jobs a minute, by default, where any of them moves money."""


RUN_TASK = "procrastinate_tasks.run_bulk_operation"

NEW = "-"
"""The target of what does not exist yet."""


# A command carries its operation out without a job, batch upon batch.
_PATIENCE = timedelta(minutes=1)


_LARGEST_ID = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkPreview:
    """What a bulk operation would come to now, judged by its first ``MOST_PREVIEWED`` jobs.

    ``stake`` is what money hangs on those for which it is possible.
    """

    action: Action
    requested: int
    looked_at: int
    possible: int
    refused: Mapping[Refusal, int]
    sample: tuple[TargetReport, ...]
    stake: Stake


def batch_of(operation: BulkOperation) -> Batch:
    """How many jobs are taken at once, and the pause after them."""
    return decide_batch(operation.pace_per_minute)


def preview(request: ActionRequest, *, may: May = anybody, sample: int = 20) -> BulkPreview:
    """Count what would be done and what would be refused, and why; nothing is changed."""
    looked_at = replace(request, targets=request.targets[:MOST_PREVIEWED])
    targets = look_at_jobs(looked_at, may=may)
    refused = Counter(target.refusal for target in targets if target.refusal is not None)
    return BulkPreview(
        action=request.action,
        requested=len(request.targets),
        looked_at=len(targets),
        possible=len(targets) - refused.total(),
        refused=dict(refused.most_common()),
        sample=targets[:sample],
        stake=find_stake([int(target.target) for target in targets if target.refusal is None]),
    )


def usual_pace(job_ids: Sequence[int]) -> int | None:
    """Return how many jobs a minute are taken unless somebody says otherwise: money goes slowly."""
    return PACE_OF_MONEY if find_stake(job_ids[:MOST_PREVIEWED]).moves_money else None


# --- Starting and stopping --------------------------------------------------------------------------------


def start(
    action: Action,
    *,
    job_ids: Sequence[int],
    filters: Mapping[str, object],
    actor: Actor,
    reason: str = "",
    token: str = "",
    pace_per_minute: int | None = None,
    in_background: bool = True,
) -> ActionReport:
    """Write a bulk operation down, and let a worker carry it out.

    Args:
        job_ids: the jobs that match, in the order of their turns; at most ``MOST_JOBS``.
        filters: how they were chosen, as it shall be shown; e-mail addresses are taken out.
        token: the form's; when it comes again, the first report is returned.
        pace_per_minute: the most jobs a minute; None for as fast as it goes.
        in_background: False leaves it to the caller to call ``run_batch``.

    Returns:
        A report on one target: the operation, by its id.
    """
    request = ActionRequest(action=Action.START_BULK, targets=(NEW,), actor=actor, reason=reason, token=token)

    def effect() -> tuple[TargetReport, ...]:
        refusal = _refusal_of_size(len(job_ids))
        if refusal is not None:
            return refuse_all(request, refusal, most=MOST_JOBS, of=action.value)
        operation = _write_down(
            action, request, job_ids=job_ids, filters=filters, pace_per_minute=pace_per_minute
        )
        if in_background:
            defer_next(operation.pk)
        return (_applied(request, operation.pk, {"requested": operation.requested, "of": action.value}),)

    return do_and_record(request, effect)


def stop(operation_id: int, *, actor: Actor, reason: str = "", token: str = "") -> ActionReport:
    """Stop a bulk operation: the batch that runs is finished, what was done stays done."""
    request = ActionRequest(
        action=Action.STOP_BULK, targets=(str(operation_id),), actor=actor, reason=reason, token=token
    )

    def effect() -> tuple[TargetReport, ...]:
        operation = _running().filter(pk=_bounded(operation_id)).select_for_update().first()
        if operation is None:
            return refuse_all(request, Refusal.BULK_HAS_ENDED)
        operation.stopped_by = actor.name[:150]
        _end(operation, BulkState.STOPPED)
        return (_applied(request, operation_id, {"remaining": operation.remaining}),)

    return do_and_record(request, effect)


def is_abandoned(operation: BulkOperation, *, now: datetime) -> bool:
    """Tell whether nobody carries a running operation out any more: its job was cancelled, or gave up."""
    pause = batch_of(operation).pause or timedelta(0)
    acted_at = operation.last_batch_at or operation.created_at
    if operation.state != BulkState.RUNNING or now - acted_at < pause + _PATIENCE:
        return False
    unfinished = Q(status="todo") | Q(status="doing")
    return not Job.objects.filter(unfinished, queueing_lock=_queueing_lock(operation.pk)).exists()


def _refusal_of_size(count: int) -> Refusal | None:
    if count == 0:
        return Refusal.NO_JOB_MATCHES
    return Refusal.TOO_MANY_JOBS if count > MOST_JOBS else None


def _write_down(
    action: Action,
    request: ActionRequest,
    *,
    job_ids: Sequence[int],
    filters: Mapping[str, object],
    pace_per_minute: int | None,
) -> BulkOperation:
    actor = request.actor
    operation = BulkOperation.objects.using(database_alias()).create(
        token=request.group,
        action=action,
        actor=actor.name[:150],
        user_id="" if actor.user_id is None else str(actor.user_id),
        channel=actor.channel,
        reason=request.reason,
        filters=_without_addresses(filters),
        pace_per_minute=pace_per_minute,
    )
    row = fetch_row(statement("actions/add_bulk_items"), operation_id=operation.pk, job_ids=list(job_ids))
    operation.requested = row["requested"]
    return operation


def _without_addresses(filters: Mapping[str, object]) -> dict[str, object]:
    """Return a filter as it may be kept: somebody may have searched for a guest."""
    return {
        name: redact(value, arguments={}) if isinstance(value, str) else value
        for name, value in filters.items()
    }


def _applied(request: ActionRequest, operation_id: int, detail: Mapping[str, object]) -> TargetReport:
    return TargetReport(
        action=request.action, target=str(operation_id), outcome=ActionOutcome.APPLIED, detail=detail
    )


def defer_next(operation_id: int) -> None:
    """Let a worker take the next batches, after the pause that the pace asks for."""
    operation = BulkOperation.objects.using(database_alias()).get(pk=operation_id)
    pause = batch_of(operation).pause if operation.last_batch_at is not None else None
    deferring.defer(
        RUN_TASK,
        {"operation_id": operation_id},
        schedule_at=database_now() + pause if pause else None,
        queueing_lock=_queueing_lock(operation_id),
    )


def _queueing_lock(operation_id: int) -> str:
    return f"{RUN_TASK}:{operation_id}"


# --- Carrying out -----------------------------------------------------------------------------------------


def run_batch(operation_id: int) -> bool:
    """Act on the next jobs of an operation, in one transaction with the record of it.

    Returns:
        Whether jobs are left to another batch: False once it has ended, was stopped, or while another process
        is at it.
    """
    with atomic():
        operation = _running().filter(pk=operation_id).select_for_update(skip_locked=True).first()
        if operation is None:
            return False
        items = list(operation.items.filter(outcome="").order_by("id")[: batch_of(operation).size])
        request = _request_of(operation, items)
        may = _may_of(operation)
        targets = do_or_fail(request, lambda: act_on_jobs(request, may=may))
        audit.record(request, targets)
        _settle(operation, targets)
        has_more = operation.items.filter(outcome="").exists()
        if not has_more:
            _end(operation, BulkState.FINISHED)
    audit.log(request, targets)
    return has_more


def report_of_item(item: BulkItem, *, action: Action) -> TargetReport | None:
    """Return what became of one job of an operation; None while its turn has not come."""
    if not item.outcome:
        return None
    return TargetReport(
        action=action,
        target=str(item.job_id),
        outcome=ActionOutcome(item.outcome),
        refusal=Refusal(item.refusal) if item.refusal else None,
        detail=item.detail,
    )


def _request_of(operation: BulkOperation, items: Sequence[BulkItem]) -> ActionRequest:
    return ActionRequest(
        action=Action(operation.action),
        targets=tuple(str(item.job_id) for item in items),
        actor=Actor(
            name=operation.actor, user_id=operation.user_id or None, channel=Channel(operation.channel)
        ),
        reason=operation.reason,
        own_group=operation.token,
    )


def _may_of(operation: BulkOperation) -> May:
    """Ask for the person's permissions as they are now: one that was taken away ends at once."""
    if not operation.user_id:
        return anybody
    user = get_user_model()._default_manager.filter(pk=operation.user_id, is_active=True).first()
    return allowed_tasks(user, Action(operation.action)) if user is not None else nobody


def _settle(operation: BulkOperation, targets: Sequence[TargetReport]) -> None:
    execute(
        statement("actions/end_bulk_items"),
        operation_id=operation.pk,
        job_ids=[int(target.target) for target in targets],
        outcomes=[target.outcome.value for target in targets],
        refusals=[target.refusal or "" for target in targets],
        details=[json.dumps(target.detail) for target in targets],
    )


def _end(operation: BulkOperation, state: BulkState) -> None:
    operation.state, operation.ended_at = state, database_now()
    operation.save(update_fields=["state", "ended_at", "stopped_by"])


def _running() -> QuerySet[BulkOperation]:
    return BulkOperation.objects.using(database_alias()).filter(state=BulkState.RUNNING)


def _bounded(operation_id: int) -> int:
    return min(operation_id, _LARGEST_ID)


_LONGEST_RUN_SECONDS = 20.0

RETRIES = Retries(max_retries=10, delay=timedelta(seconds=5), backoff=2, max_delay=timedelta(minutes=5))


@task(name=RUN_TASK, retry=RETRIES, log_fields=("operation_id",))
def run_bulk_operation(operation_id: int) -> str:
    """Take the next jobs of a bulk operation, and defer its next run if any are left."""
    give_way_at = time.monotonic() + _LONGEST_RUN_SECONDS
    operation = BulkOperation.objects.get(pk=operation_id)
    while run_batch(operation_id):
        if batch_of(operation).pause or time.monotonic() >= give_way_at:
            defer_next(operation_id)
            break
    operation.refresh_from_db()
    return (
        f"applied={operation.applied} refused={operation.refused} failed={operation.failed}"
        f" remaining={operation.remaining}{_ending(operation)}"
    )


def _ending(operation: BulkOperation) -> str:
    return "" if operation.state == BulkState.RUNNING else f" {operation.state}"


def describe_bulk_runs(jobs: Sequence[JobArgs]) -> Mapping[int, JobDescription]:
    """Name the bulk operation that a job carries on."""
    return {
        job.id: JobDescription(
            sentence=_("Carry out bulk operation %(id)s") % {"id": job.args.get("operation_id", "?")},
            retry_safety=RetrySafety.SAFE,
            retry_reason=_("It goes on where it was, and does nothing twice."),
        )
        for job in jobs
    }


describe_task(
    RUN_TASK,
    TaskDescription(
        title=gettext_lazy("Bulk operation"), describe=describe_bulk_runs, related_argument="operation_id"
    ),
)
