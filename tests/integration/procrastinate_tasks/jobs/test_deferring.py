"""Deferring by name and by Procrastinate's own verbs, inside Django's transaction."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob
from procrastinate.exceptions import AlreadyEnqueued
from procrastinate.testing import InMemoryConnector

from procrastinate_tasks import Call, cancel, defer, defer_many
from procrastinate_tasks.exceptions import InvalidTaskArguments, UnknownTask
from tests.integration.procrastinate_tasks.sample_tasks import locked, remember

pytestmark = pytest.mark.django_db

TOMORROW = datetime(2031, 5, 1, 9, 30, tzinfo=UTC)


def job_count() -> int:
    return int(ProcrastinateJob.objects.count())


def test_defer_stores_everything_it_was_given():
    job_id = defer("sample.remember", {"number": 1}, schedule_at=TOMORROW, queueing_lock="one", priority=7)

    job = ProcrastinateJob.objects.get()
    assert (job.id, job.task_name, job.queue_name, job.args) == (
        job_id,
        "sample.remember",
        "sample",
        {"number": 1},
    )
    assert (job.scheduled_at, job.queueing_lock, job.priority, job.status) == (TOMORROW, "one", 7, "todo")


def test_a_taken_queueing_lock_answers_none_and_leaves_the_transaction_usable():
    first = defer("sample.remember", {"number": 1}, queueing_lock="one")

    with transaction.atomic():
        second = defer("sample.remember", {"number": 2}, queueing_lock="one")
        Group.objects.create(name="still usable")

    assert first is not None
    assert second is None
    assert Group.objects.filter(name="still usable").exists()
    assert job_count() == 1


def test_the_task_s_own_queueing_lock_is_the_default():
    assert defer("sample.locked") is not None
    assert defer("sample.locked") is None


def test_task_defer_with_a_taken_lock_raises_already_enqueued_and_leaves_the_transaction_usable():
    locked.defer()

    with transaction.atomic():
        with pytest.raises(AlreadyEnqueued, match="sample-lock"):
            locked.defer()
        Group.objects.create(name="still usable")

    assert Group.objects.filter(name="still usable").exists()


def test_task_batch_defer_with_one_taken_lock_defers_none():
    remember.configure(queueing_lock="taken").defer(number=0)

    with transaction.atomic(), pytest.raises(AlreadyEnqueued):
        remember.configure(queueing_lock="taken").batch_defer({"number": 1}, {"number": 2})

    assert job_count() == 1


def test_task_batch_defer_returns_ids_in_the_order_of_its_calls():
    ids = remember.batch_defer({"number": 3}, {"number": 1}, {"number": 2})

    args = {job.id: job.args for job in ProcrastinateJob.objects.all()}
    assert [args[job_id] for job_id in ids] == [{"number": 3}, {"number": 1}, {"number": 2}]


def test_a_rollback_takes_the_job_with_it():
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        defer("sample.remember", {"number": 1})
        remember.defer(number=2)
        raise ZeroDivisionError

    assert job_count() == 0


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({}, "missing a required argument: 'number'"),
        ({"number": 1, "more": 2}, "unexpected keyword argument 'more'"),
        ({"number": -1}, "number must be 0 or more"),
        ({"number": TOMORROW}, "number takes an int, not this datetime"),
    ],
)
def test_arguments_that_do_not_fit_are_refused_by_every_way_of_deferring(
    arguments: dict[str, Any], problem: str
):
    for way in (
        lambda: defer("sample.remember", arguments),
        lambda: defer_many("sample.remember", [Call(arguments)]),
        lambda: remember.defer(**arguments),
        lambda: remember.configure(priority=1).defer(**arguments),
        lambda: remember.batch_defer(arguments),
    ):
        with pytest.raises(InvalidTaskArguments, match=problem) as refusal:
            way()
        assert str(refusal.value).startswith("sample.remember: ")
    assert job_count() == 0


@pytest.mark.parametrize("value", [TOMORROW, float("nan"), "nul\x00", "\ud800", {1, 2}])
def test_arguments_that_postgres_cannot_hold_as_json_are_refused(value: object):
    with transaction.atomic(), pytest.raises(InvalidTaskArguments, match=r"sample\.locked"):
        defer("sample.locked", {"number": value})

    assert job_count() == 0


def test_an_unknown_name_is_refused_with_the_nearest_one():
    with pytest.raises(UnknownTask, match=r"Did you mean 'sample\.remember'\?"):
        defer("sample.rememeber", {"number": 1})


def test_a_naive_time_is_refused():
    with pytest.raises(ValueError, match="aware"):
        defer("sample.remember", {"number": 1}, schedule_at=datetime(2031, 1, 1))  # noqa: DTZ001


def test_defer_many_takes_one_statement_for_thousands_and_skips_taken_locks():
    defer("sample.remember", {"number": 0}, queueing_lock="lock-3")
    calls = (Call({"number": n}, queueing_lock=f"lock-{n}") for n in range(1500))

    with CaptureQueriesContext(
        connection,
    ) as queries:
        deferred = defer_many("sample.remember", calls)

    assert deferred == 1499
    assert len(queries) == 1
    assert job_count() == 1500


def test_defer_many_reads_a_generator_chunk_by_chunk(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("procrastinate_tasks.jobs.deferring.CHUNK", 2)
    stored_when_asked = []

    def calls() -> Iterator[Call]:
        for number in range(5):
            stored_when_asked.append(job_count())
            yield Call({"number": number})

    assert defer_many("sample.remember", calls()) == 5
    assert stored_when_asked == [0, 0, 2, 2, 4]


def test_defer_many_with_the_same_lock_twice_defers_it_once():
    deferred = defer_many("sample.remember", [Call({"number": n}, queueing_lock="same") for n in range(3)])

    assert deferred == 1


def test_cancel_ends_the_waiting_job_and_frees_its_lock():
    job_id = defer("sample.remember", {"number": 1}, queueing_lock="one")

    assert cancel(queueing_lock="one") is True
    assert cancel(queueing_lock="one") is False
    assert ProcrastinateJob.objects.get(id=job_id).status == "cancelled"
    assert defer("sample.remember", {"number": 2}, queueing_lock="one") is not None


def test_a_rollback_takes_the_cancellation_with_it():
    job_id = defer("sample.remember", {"number": 1}, queueing_lock="one")

    with pytest.raises(ZeroDivisionError), transaction.atomic():
        cancel(queueing_lock="one")
        raise ZeroDivisionError

    assert ProcrastinateJob.objects.get(id=job_id).status == "todo"


def test_a_stand_in_connector_gets_the_jobs_itself_and_arguments_are_still_checked():
    with app.replace_connector(InMemoryConnector()) as replaced:
        remember.defer(number=1)
        with pytest.raises(InvalidTaskArguments):
            remember.defer(number=-1)
        assert isinstance(replaced.connector, InMemoryConnector)
        assert len(replaced.connector.jobs) == 1

    assert job_count() == 0


@pytest.mark.parametrize("text", [r"C:\u0000", "\\\\u0000"])
def test_the_text_of_a_nul_s_escape_is_no_nul(text: str):
    job_id = defer("sample.flaky", {"email": text})

    assert ProcrastinateJob.objects.get(id=job_id).args == {"email": text}
