"""Bulk operations: chosen once, carried out in batches, stopped at any time, and written down job by job."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import Permission, User
from django.utils import timezone

from procrastinate_tasks.actions import bulk
from procrastinate_tasks.actions.policies import Action, Refusal, decide_batch
from procrastinate_tasks.actions.reports import ActionReport, ActionRequest, Actor
from procrastinate_tasks.models import AuditEntry, BulkOperation, Job
from procrastinate_tasks.testing import assert_enqueued, drain_queue, refute_enqueued
from tests.integration.procrastinate_tasks.claiming import execute
from tests.integration.procrastinate_tasks.job_states import make_job, make_running, status_of

pytestmark = pytest.mark.django_db

ANA = Actor(name="ana")


def start(job_ids: list[int], action: Action = Action.RETRY, **options: Any) -> ActionReport:
    return bulk.start(action, **{"job_ids": job_ids, "filters": {"state": "failed"}, "actor": ANA, **options})


def asking_to_retry(job_ids: list[int]) -> ActionRequest:
    return ActionRequest(action=Action.RETRY, targets=tuple(map(str, job_ids)), actor=ANA)


def started(job_ids: list[int], **options: Any) -> BulkOperation:
    (target,) = start(job_ids, **options).applied
    return BulkOperation.objects.get(pk=target.target)


def failed_jobs(count: int) -> list[int]:
    return [make_job(status="failed") for _ in range(count)]


def user_with(*codenames: str) -> User:
    user = User.objects.create_user("berta", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    return user


def counts(operation: BulkOperation) -> tuple[str, int, int, int, int]:
    operation.refresh_from_db()
    return (operation.state, operation.requested, operation.applied, operation.refused, operation.failed)


def test_a_dry_run_counts_what_would_be_done_and_why_the_rest_would_not():
    job_ids = [*failed_jobs(3), make_running(), make_job(status="succeeded"), 987_654_321]

    preview = bulk.preview(asking_to_retry(job_ids))

    assert (preview.requested, preview.looked_at, preview.possible) == (6, 6, 3)
    assert preview.refused == {Refusal.RUNS: 1, Refusal.SUCCEEDED: 1, Refusal.NO_SUCH_JOB: 1}
    assert not BulkOperation.objects.exists()


def test_a_dry_run_of_very_many_says_how_many_it_looked_at(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(bulk, "MOST_PREVIEWED", 2)

    preview = bulk.preview(asking_to_retry(failed_jobs(3)))

    assert (preview.requested, preview.looked_at, preview.possible) == (3, 2, 2)


def test_a_worker_carries_it_out_and_each_job_has_its_answer_and_its_audit_entry():
    good, bad = failed_jobs(3), make_running()

    operation = started([*good, bad], reason="the bank is back")
    drain_queue()

    assert counts(operation) == ("finished", 4, 3, 1, 0)
    reports = {item.job_id: bulk.report_of_item(item, action=Action.RETRY) for item in operation.items.all()}
    assert [reports[job_id].was_applied for job_id in good] == [True] * 3  # type: ignore[union-attr]
    assert reports[bad].refusal is Refusal.RUNS  # type: ignore[union-attr]
    of_jobs = AuditEntry.objects.filter(target_type="job", group=operation.token, reason="the bank is back")
    assert of_jobs.count() == 4
    assert AuditEntry.objects.get(target_type="bulk").detail == {"requested": 4, "of": "retry"}
    assert Job.objects.filter(task_name="sample.remember", status="succeeded").count() == 3


def test_a_paced_operation_takes_a_small_batch_and_waits_for_the_next():
    operation = started(failed_jobs(12), pace_per_minute=20)

    drain_queue(queues=["default"])

    assert counts(operation) == ("running", 12, 5, 0, 0)
    job = assert_enqueued(bulk.RUN_TASK, {"operation_id": operation.pk})
    assert job.scheduled_at is not None
    wait = job.scheduled_at - timezone.now()
    assert timedelta(seconds=10) < wait <= timedelta(seconds=15)


@pytest.mark.parametrize("pace", [1, 3, 7, 20, 59, 240, 1000, 100_000])
def test_no_pace_is_ever_exceeded(pace: int):
    batch = decide_batch(pace)

    assert batch.size >= 1
    assert batch.size * (timedelta(minutes=1) / batch.pause) <= pace * 1.001


def test_a_run_gives_way_after_a_while_and_defers_the_next(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(bulk, "_LONGEST_RUN_SECONDS", 0.0)
    operation = started(failed_jobs(150))

    bulk.run_bulk_operation(operation.pk)

    assert counts(operation)[2] == 100
    assert_enqueued(bulk.RUN_TASK, {"operation_id": operation.pk})


def test_a_stopped_operation_leaves_the_rest_alone():
    job_ids = failed_jobs(12)
    operation = started(job_ids, pace_per_minute=20)
    drain_queue(queues=["default"])

    (target,) = bulk.stop(operation.pk, actor=Actor(name="berta"), reason="too many").targets
    drain_queue(queues=["default"], with_scheduled=True)

    assert target.was_applied
    assert counts(operation) == ("stopped", 12, 5, 0, 0)
    assert operation.stopped_by == "berta"
    assert operation.remaining == 7
    assert [status_of(job_id) for job_id in job_ids[5:]] == ["failed"] * 7


@pytest.mark.parametrize("operation_id", [0, 999_999, 2**63, 10**30])
def test_an_operation_that_is_none_or_has_ended_is_not_stopped(operation_id: int):
    (target,) = bulk.stop(operation_id, actor=ANA).targets

    assert target.refusal is Refusal.BULK_HAS_ENDED


def test_nothing_is_started_on_no_job_or_on_too_many(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(bulk, "MOST_JOBS", 2)

    refusals = [start(job_ids).targets[0].refusal for job_ids in ([], failed_jobs(3))]

    assert refusals == [Refusal.NO_JOB_MATCHES, Refusal.TOO_MANY_JOBS]
    assert not BulkOperation.objects.exists()
    refute_enqueued(bulk.RUN_TASK)
    assert AuditEntry.objects.filter(outcome="refused").count() == 2


def test_a_form_sent_twice_starts_one_operation():
    job_ids = failed_jobs(2)

    first, again = start(job_ids, token="form-1"), start(job_ids, token="form-1")

    assert again.is_repeat
    assert again.targets == first.targets
    assert BulkOperation.objects.count() == 1


def test_a_job_chosen_twice_is_acted_on_once():
    (job_id,) = failed_jobs(1)

    operation = started([job_id, job_id])

    assert operation.requested == 1


def test_who_loses_the_permission_meanwhile_acts_no_more():
    user = user_with("retry_job", "bulk_jobs")
    operation = started(failed_jobs(2), actor=Actor(name="berta", user_id=user.pk))
    user.user_permissions.clear()

    drain_queue(queues=["default"])

    assert counts(operation) == ("finished", 2, 0, 2, 0)
    assert {item.refusal for item in operation.items.all()} == {"not_permitted"}


def test_who_is_gone_acts_no_more():
    user = user_with("retry_job")
    operation = started(failed_jobs(1), actor=Actor(name="berta", user_id=user.pk))
    user.delete()

    drain_queue(queues=["default"])

    assert counts(operation) == ("finished", 1, 0, 1, 0)


def test_a_run_that_comes_again_after_a_crash_goes_on_where_it_was():
    operation = started(failed_jobs(150))
    assert bulk.run_batch(operation.pk)

    result = bulk.run_bulk_operation(operation.pk)

    assert result == "applied=150 refused=0 failed=0 remaining=0 finished"
    assert bulk.run_bulk_operation(operation.pk) == result
    assert AuditEntry.objects.filter(target_type="job").count() == 150


def test_a_batch_that_the_database_refuses_is_told_and_the_rest_goes_on():
    operation = started(failed_jobs(150))
    execute(
        "ALTER TABLE procrastinate_jobs ADD CONSTRAINT never"
        " CHECK (status <> 'todo' OR task_name <> 'sample.remember') NOT VALID"
    )
    assert bulk.run_batch(operation.pk)
    execute("ALTER TABLE procrastinate_jobs DROP CONSTRAINT never")

    drain_queue(queues=["default"])

    assert counts(operation) == ("finished", 150, 50, 0, 100)


def test_the_token_of_an_operation_is_the_group_of_its_audit_entries():
    operation = started(failed_jobs(1))

    assert isinstance(operation.token, UUID)
    assert AuditEntry.objects.get(target_type="bulk").group == operation.token


def test_no_address_of_a_guest_is_kept_with_the_filter():
    bulk.start(
        Action.RETRY,
        job_ids=[1],
        filters={"q": "ana@correo.example", "tab": "failed"},
        actor=Actor(name="ana"),
    )

    assert BulkOperation.objects.get().filters == {"q": "[email]", "tab": "failed"}
