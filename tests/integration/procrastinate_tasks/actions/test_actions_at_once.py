"""Two people at the same moment, with real commits on two connections."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event
from typing import Any

import pytest
from django.db import connections, transaction

from procrastinate_tasks.actions import services
from procrastinate_tasks.actions.policies import Action, Refusal
from procrastinate_tasks.actions.reports import ActionReport, Actor
from procrastinate_tasks.actions.services import act, act_on_queue
from procrastinate_tasks.jobs.deferring import defer
from procrastinate_tasks.models import AuditEntry
from procrastinate_tasks.testing import drain_queue
from tests.integration.procrastinate_tasks import sample_tasks
from tests.integration.procrastinate_tasks.claiming import execute
from tests.integration.procrastinate_tasks.job_states import make_job, make_orphaned, status_of
from tests.integration.procrastinate_tasks.jobs.test_concurrency import wait_until_blocked

pytestmark = pytest.mark.django_db(transaction=True)

ANA, BERTA = Actor(name="ana"), Actor(name="berta")


@pytest.fixture(autouse=True)
def _no_rules_left() -> Any:
    yield
    execute("TRUNCATE procrastinate_tasks_auditentry, procrastinate_tasks_queuerule")


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    """Run the calls at the same moment, each on a connection of its own."""
    barrier = Barrier(len(calls))

    def run(call: Callable[[], Any]) -> Any:
        try:
            barrier.wait(10)
            return call()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def refusals(*reports: ActionReport) -> set[Refusal | None]:
    return {target.refusal for report in reports for target in report.targets}


def test_of_two_who_retry_one_job_one_does_and_the_other_reads_why_not():
    job_id = make_job(status="failed")

    reports = at_once(
        *[lambda actor=actor: act(Action.RETRY, job_ids=[job_id], actor=actor) for actor in (ANA, BERTA)]
    )

    assert refusals(*reports) == {None, Refusal.WAITS}
    assert drain_queue().succeeded == 1
    assert len(sample_tasks.CALLS) == 1
    assert sorted(AuditEntry.objects.values_list("outcome", flat=True)) == ["applied", "refused"]


def test_of_two_who_rescue_one_job_one_does():
    job_id = make_orphaned()

    reports = at_once(*[lambda: act(Action.RETRY, job_ids=[job_id], actor=ANA) for _ in range(4)])

    assert sum(len(report.applied) for report in reports) == 1
    assert refusals(*reports) == {None, Refusal.WAITS}


def test_a_double_click_acts_once_and_both_answers_are_the_same():
    job_id = make_job(status="failed")

    reports = at_once(*[lambda: act(Action.RETRY, job_ids=[job_id], actor=ANA, token="form-1")] * 2)

    assert sorted(report.is_repeat for report in reports) == [False, True]
    assert reports[0].targets == reports[1].targets
    assert reports[0].targets[0].was_applied
    assert AuditEntry.objects.count() == 1


def test_people_who_act_on_many_jobs_in_different_orders_do_not_lock_each_other_out():
    job_ids = [make_job(status="failed") for _ in range(40)]

    reports = at_once(
        lambda: act(Action.RETRY, job_ids=job_ids, actor=ANA),
        lambda: act(Action.RETRY, job_ids=job_ids[::-1], actor=BERTA),
    )

    assert sum(len(report.applied) for report in reports) == 40
    assert sum(len(report.failed) for report in reports) == 0


def test_a_queueing_lock_that_is_taken_at_the_same_moment_is_told_and_breaks_nothing():
    job_id, other = make_job(status="failed", queueing_lock="shared"), make_job(status="failed")
    inserted = Event()

    def insert_twin() -> int | None:
        with transaction.atomic():
            twin = defer("sample.remember", {"number": 2}, queueing_lock="shared")
            inserted.set()
            wait_until_blocked()
        return twin

    def retry() -> tuple[ActionReport, str | None]:
        assert inserted.wait(10)
        with transaction.atomic():
            report = act(Action.RETRY, job_ids=[job_id, other], actor=ANA)
            return report, status_of(other)

    twin, (report, status_inside) = at_once(insert_twin, retry)

    assert [target.refusal for target in report.targets] == [Refusal.LOCK_TAKEN, None]
    assert report.targets[0].detail["twin_id"] == twin
    assert status_inside == "todo"
    assert (status_of(job_id), status_of(other)) == ("failed", "todo")


def test_who_waits_too_long_for_a_job_is_told_that_somebody_is_at_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(services, "LONGEST_LOCK_WAIT", services.LONGEST_LOCK_WAIT / 50)
    job_id = make_job(status="failed")
    locked, answered = Event(), Event()

    def hold() -> None:
        with transaction.atomic():
            execute("SELECT FROM procrastinate_jobs WHERE id = %s FOR UPDATE", job_id)
            locked.set()
            assert answered.wait(10)

    def retry() -> ActionReport:
        assert locked.wait(10)
        try:
            return act(Action.RETRY, job_ids=[job_id], actor=ANA)
        finally:
            answered.set()

    _, report = at_once(hold, retry)

    assert refusals(report) == {Refusal.BUSY}
    assert AuditEntry.objects.get().refusal == "busy"


def test_of_two_who_pause_one_queue_one_does():
    reports = at_once(
        *[
            lambda actor=actor: act_on_queue(Action.PAUSE, queue="sample", actor=actor)
            for actor in (ANA, BERTA)
        ]
    )

    assert refusals(*reports) == {None, Refusal.PAUSED_ALREADY}
