"""What a real worker makes of typed arguments, of expiry, of ``Retry`` and ``Snooze``, and of progress."""

from __future__ import annotations

import signal
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import UUID

from procrastinate_tasks.jobs.deferring import defer
from tests.workers import tasks
from tests.workers.workers import (
    attempts_of,
    end_the_patience_with,
    insert_jobs,
    outcomes_of,
    query,
    started_worker,
    status_of,
    wait_for,
)

A_SECOND = timedelta(seconds=1)
PROGRESS = "SELECT done, total, text, attempt FROM procrastinate_tasks_jobprogress WHERE job_id = %s"


def test_arguments_arrive_as_what_they_are(log: Path):
    ids = [
        tasks.typed.defer(Decimal("1.50"), None, [UUID(int=7)], signal.SIGTERM),
        tasks.typed_async.defer(at=datetime(2031, 5, 1, tzinfo=UTC)),
    ]

    with started_worker(log, "--concurrency", "2"):
        wait_for(lambda: [status_of(job_id) for job_id in ids] == ["succeeded"] * 2)

    typed, typed_async = (outcomes_of(job_id)[0][2] for job_id in ids)
    assert "(Decimal('1.50'), None, [UUID('00000000-" in typed
    assert "Signals.SIGTERM" in typed
    assert "datetime.datetime(2031, 5, 1, 0, 0, tzinfo=" in typed_async


def test_an_argument_that_cannot_be_read_fails_its_job_alone(log: Path):
    (senseless,) = insert_jobs("engine.typed_async", {"at": "noon"})
    (fine,) = insert_jobs("engine.typed_async", {"at": "2031-05-01T12:00:00+00:00"})

    with started_worker(log):
        wait_for(lambda: status_of(fine) == "succeeded")
        end_the_patience_with(senseless)
        wait_for(lambda: status_of(senseless) == "failed")

    *_, (_, name, _) = outcomes_of(senseless)  # another release might have read it
    assert name.endswith("JobDoesNotFit")


def test_what_expires_while_every_slot_is_busy_does_not_run(log: Path):
    (busy,) = insert_jobs("engine.sleep", {"seconds": 2})
    expiring = defer("engine.no_op", expires_in=A_SECOND)
    timely = defer("engine.no_op", expires_in=timedelta(hours=1))
    assert expiring is not None and timely is not None

    with started_worker(log, "--concurrency", "1"):
        wait_for(lambda: status_of(timely) == "succeeded")

    assert (status_of(busy), status_of(expiring)) == ("succeeded", "cancelled")
    assert outcomes_of(expiring) == []


def test_what_nobody_runs_expires_all_the_same(log: Path):
    expiring = defer("engine.no_op", expires_in=A_SECOND, queue="nobody-s")
    assert expiring is not None

    with started_worker(log, "--queues", "default"):
        wait_for(lambda: status_of(expiring) == "cancelled")


def test_a_retry_comes_when_the_task_wants_it_and_a_snooze_costs_nothing(log: Path, tmp_path: Path):
    (again,) = insert_jobs("engine.ask_again")
    (put_off,) = insert_jobs("engine.put_off", {"path": str(tmp_path / "times")})

    with started_worker(log):
        wait_for(lambda: status_of(again) == status_of(put_off) == "succeeded")

    assert [outcome for outcome, *_ in outcomes_of(again)] == ["retrying", "succeeded"]
    assert [outcome for outcome, *_ in outcomes_of(put_off)] == ["snoozed", "snoozed", "succeeded"]
    assert (attempts_of(again), attempts_of(put_off)) == (2, 1)


def test_a_running_job_s_last_word_is_seen_though_it_says_no_more(log: Path):
    (job_id,) = insert_jobs("engine.count_once")

    with started_worker(log):
        wait_for(lambda: query(PROGRESS, job_id) == [(2.0, 3.0, "two", 1)])
        assert status_of(job_id) == "doing"


def test_a_million_reports_are_a_few_rows_and_the_last_is_kept_of_a_failure_too(log: Path):
    jobs = [
        *insert_jobs("engine.count_up", {"seconds": 2}),
        *insert_jobs("engine.count_up", {"seconds": 2, "fails": True}),
    ]
    before = query("SELECT n_tup_ins + n_tup_upd FROM pg_stat_user_tables WHERE relname LIKE '%%jobprogress'")

    with started_worker(log, "--concurrency", "1"):
        wait_for(lambda: [status_of(job_id) for job_id in jobs] == ["succeeded", "failed"])
        wait_for(lambda: [query(PROGRESS, job_id) for job_id in jobs] == [[(100.0, 100.0, "counted", 1)]] * 2)

    after = query("SELECT n_tup_ins + n_tup_upd FROM pg_stat_user_tables WHERE relname LIKE '%%jobprogress'")
    assert after[0][0] - before[0][0] < 20


def test_every_few_seconds_is_a_schedule(log: Path):
    ticks = "SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'engine.every'"

    with started_worker(log, settings_module="tests.workers.every_settings"):
        wait_for(lambda: query(ticks)[0][0] >= 3)
