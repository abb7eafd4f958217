"""A test that commits leaves no job to the next one, by pytest and by Django's own runner."""

from __future__ import annotations

import unittest
from typing import ClassVar

import pytest
from django.db import connection
from django.test import TransactionTestCase

from procrastinate_tasks.jobs.deferring import defer
from procrastinate_tasks.models import Job, LiveWorker
from procrastinate_tasks.testing import EmptyQueueMixin, drain_queue, empty_queue, refute_enqueued


def leave_a_job() -> None:
    defer("sample.defer_another", {"number": 5})


class Twins(TransactionTestCase):
    """Two tests of which the second would meet the first one's job."""

    __test__: ClassVar[bool] = False  # run by the tests below, by Django's rules and not by pytest's
    ran: ClassVar[list[int]] = []

    def test_one(self) -> None:
        self._start_clean()

    def test_two(self) -> None:
        self._start_clean()

    def _start_clean(self) -> None:
        refute_enqueued("sample.defer_another")
        leave_a_job()
        self.ran.append(drain_queue(queues=["nobody's"]).succeeded)


class EmptiedTwins(EmptyQueueMixin, Twins):
    """The same two, with the kit's mixin, whose own setUp forgets its parents'."""

    def setUp(self) -> None: ...


def run(case: type[unittest.TestCase]) -> list[str]:
    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(case).run(result)
    return [text for _, text in (*result.failures, *result.errors)]


@pytest.mark.django_db(transaction=True)
def test_without_the_mixin_djangos_flush_leaves_the_first_ones_job():
    (failure,) = run(Twins)

    assert "A job of sample.defer_another waits" in failure


@pytest.mark.django_db(transaction=True)
def test_with_the_mixin_no_job_reaches_the_next_test_nor_what_comes_after():
    leave_a_job()

    assert run(EmptiedTwins) == []
    assert not Job.objects.exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("_turn", [1, 2])
def test_pytest_empties_after_each_test_that_commits(_turn: int):
    refute_enqueued("sample.defer_another")
    leave_a_job()


@pytest.mark.parametrize("_turn", [1, 2])
def test_so_it_does_for_a_test_that_asks_for_the_fixture(transactional_db: None, _turn: int):
    refute_enqueued("sample.defer_another")
    leave_a_job()


@pytest.mark.django_db
@pytest.mark.parametrize("jobs", [1, 1000])
def test_emptying_takes_workers_and_periodic_ticks_too_of_few_jobs_or_many(jobs: int):
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO procrastinate_workers DEFAULT VALUES")
        cursor.execute(
            "WITH job AS ("
            " INSERT INTO procrastinate_jobs (queue_name, task_name)"
            " SELECT 'default', 't' FROM generate_series(1, %s) RETURNING id)"
            " INSERT INTO procrastinate_periodic_defers (task_name, defer_timestamp, job_id)"
            " SELECT 't', id, id FROM job",
            [jobs],
        )

    empty_queue()

    assert not Job.objects.exists()
    assert not LiveWorker.objects.exists()
    with connection.cursor() as cursor:
        for table in ("procrastinate_workers", "procrastinate_periodic_defers", "procrastinate_events"):
            cursor.execute(f"SELECT count(*) FROM {table}")
            assert cursor.fetchone() == (0,)
