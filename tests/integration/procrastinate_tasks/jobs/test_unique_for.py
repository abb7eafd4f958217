"""Unique within a period: no second job with the same key is deferred, whatever becomes of the first."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from django.db import transaction
from procrastinate.contrib.django.models import ProcrastinateJob

from procrastinate_tasks.jobs import retention
from procrastinate_tasks.jobs.deferring import defer, defer_many
from procrastinate_tasks.models import UniqueJob
from procrastinate_tasks.testing import drain_queue
from tests.integration.procrastinate_tasks.claiming import execute
from tests.integration.procrastinate_tasks.jobs.test_concurrency import in_threads
from tests.integration.procrastinate_tasks.sample_tasks import locked, remember, remember_async

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


def end_period() -> None:
    execute("UPDATE procrastinate_tasks_uniquejob SET until = now() - interval '1 second'")


def test_a_second_job_with_the_same_arguments_is_not_deferred_though_the_first_has_run():
    once = remember.using(unique_for=HOUR)
    first = once.defer(number=1)
    drain_queue()

    with transaction.atomic():
        assert once.defer(number=1) is None
        Group.objects.create(name="still usable")

    assert first is not None
    assert once.defer(number=2) is not None
    assert remember_async.using(unique_for=HOUR).defer(number=1) is not None
    assert defer("sample.remember", {"number": 1}) is not None


def test_after_the_period_it_is():
    once = remember.using(unique_for=HOUR)
    once.defer(number=1)
    end_period()

    assert once.defer(number=1) is not None
    assert once.defer(number=1) is None


def test_a_key_of_one_s_own_stands_for_the_arguments():
    once = remember.using(unique_for=HOUR, unique_key="receipt:7")

    assert once.defer(number=1) is not None
    assert once.defer(number=2) is None


def test_the_order_of_arguments_makes_no_difference():
    first = defer("typing.bare", {"order_id": 1, "email": "x"}, unique_for=HOUR)
    second = defer("typing.bare", {"email": "x", "order_id": 1}, unique_for=HOUR)

    assert (first is None, second is None) == (False, True)


def test_a_rollback_takes_the_key_with_the_job():
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        remember.using(unique_for=HOUR).defer(number=1)
        raise ZeroDivisionError

    assert remember.using(unique_for=HOUR).defer(number=1) is not None


def test_of_many_at_once_one_of_each_key_is_deferred():
    once = remember.using(unique_for=HOUR)

    assert defer_many(once.call(number=n % 3) for n in range(9)) == 3


def test_it_stands_for_the_task_s_own_queueing_lock():
    assert locked.using(unique_for=HOUR).defer(number=1) is not None
    assert locked.using(unique_for=HOUR).defer(number=2) is not None


def test_what_holds_nobody_back_any_more_is_pruned():
    remember.using(unique_for=HOUR).defer(number=1)
    remember.using(unique_for=HOUR).defer(number=2)
    retention.run_once()
    assert UniqueJob.objects.count() == 2

    end_period()
    retention.run_once()

    assert not UniqueJob.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_of_two_who_defer_at_the_same_moment_one_does():
    try:
        ids = in_threads(*[lambda: remember.using(unique_for=HOUR).defer(number=1)] * 4)

        assert sum(job_id is not None for job_id in ids) == 1
        assert ProcrastinateJob.objects.count() == 1
    finally:
        execute("TRUNCATE procrastinate_jobs, procrastinate_tasks_uniquejob CASCADE")
