"""Rescue of orphaned jobs, alone and by two at once."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import override_settings
from procrastinate.contrib.django.models import ProcrastinateJob

from procrastinate_tasks.actions.policies import Action
from procrastinate_tasks.actions.reports import Actor
from procrastinate_tasks.actions.services import act
from procrastinate_tasks.exceptions import WorkerDied, WorkerLost
from procrastinate_tasks.jobs import rescue as rescue_module
from procrastinate_tasks.jobs.deferring import defer
from procrastinate_tasks.jobs.policies import LossCause, LossDecision
from procrastinate_tasks.jobs.recording import record
from procrastinate_tasks.jobs.rescue import (
    LostRun,
    RefusedRuns,
    RescueReport,
    judge,
    rescue_chosen,
    rescue_workers,
    run_once,
)
from procrastinate_tasks.models import JobAttempt, Outcome
from tests.integration.procrastinate_tasks.claiming import register_worker as register_our_worker

pytestmark = pytest.mark.django_db


ANA = Actor(name="ana")
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def run_sql(sql: str, *parameters: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)


def register_worker(*, silent_for: timedelta) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO procrastinate_workers (last_heartbeat)"
            " VALUES (now() - make_interval(secs => %s)) RETURNING id",
            [silent_for.total_seconds()],
        )
        return int(cursor.fetchone()[0])


def claim(job_id: int | None, worker_id: int | None) -> int | None:
    run_sql("UPDATE procrastinate_jobs SET status = 'doing', worker_id = %s WHERE id = %s", worker_id, job_id)
    return job_id


def an_orphan(**options: Any) -> int:
    job_id = defer("sample.remember", {"number": 1}, **options)
    assert job_id is not None
    claim(job_id, register_worker(silent_for=timedelta(seconds=31)))
    return job_id


def attempts_of(job_id: int) -> int:
    return int(ProcrastinateJob.objects.get(id=job_id).attempts)


def status_of(job_id: int | None) -> str:
    return str(ProcrastinateJob.objects.get(id=job_id).status)


def test_a_job_of_a_silent_worker_runs_again_and_its_lost_run_is_recorded():
    job_id = an_orphan()

    report = run_once()

    assert report == RescueReport(run_again=(job_id,))
    job = ProcrastinateJob.objects.get()
    assert (job.status, job.attempts) == ("todo", 1)
    attempt = JobAttempt.objects.get()
    assert (attempt.outcome, attempt.exception_class) == ("crashed", f"{WorkerLost.__module__}.WorkerLost")
    assert "sent no heartbeat for 31 s. The job has now lost its worker once." in attempt.message


def test_a_job_whose_worker_s_row_is_gone_runs_again():
    job_id = claim(defer("sample.remember", {"number": 1}), None)

    assert run_once().run_again == (job_id,)
    assert "is gone" in JobAttempt.objects.get().message


def test_a_job_of_a_living_worker_is_left_alone():
    claim(defer("sample.remember", {"number": 1}), register_worker(silent_for=timedelta(seconds=29)))

    assert run_once() == RescueReport()


@override_settings(PROCRASTINATE_WORKER_DEFAULTS={"stalled_worker_timeout": 10.0})
def test_the_patience_with_a_plain_worker_is_procrastinate_s_own_option():
    job_id = claim(defer("sample.remember", {"number": 1}), register_worker(silent_for=timedelta(seconds=29)))

    assert run_once().run_again == (job_id,)


def test_a_worker_s_own_patience_and_heartbeat_decide_and_no_other_s():
    patient, impatient = (register_our_worker(orphaned_after=timedelta(seconds=each)) for each in (50, 10))
    jobs = {worker_id: held_by(worker_id) for worker_id in (patient, impatient)}
    run_sql("UPDATE procrastinate_workers SET last_heartbeat = now() - interval '20 seconds'")
    register_our_worker(orphaned_after=timedelta(0))
    register_worker(silent_for=timedelta(0))

    assert run_once() == RescueReport(run_again=(jobs[impatient],))


def test_a_job_that_waits_takes_no_orphan_s_place(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(rescue_module, "BATCH", 1)
    defer("sample.remember", {"number": 0})
    orphan = an_orphan()

    assert run_once().run_again == (orphan,)


def test_a_lost_run_began_when_its_own_job_was_started_last():
    orphan, other = an_orphan(), an_orphan()
    set_event_times(orphan, deferred=50, started=40)
    set_event_times(other, deferred=50, started=20)
    run_sql("UPDATE procrastinate_jobs SET abort_requested = true WHERE id = %s", orphan)

    run_once()

    assert {attempt.job_id: age_of(attempt) for attempt in JobAttempt.objects.all()} == {
        orphan: 40,
        other: 20,
    }


def set_event_times(job_id: int, **seconds_ago: int) -> None:
    for kind, seconds in seconds_ago.items():
        run_sql(
            "UPDATE procrastinate_events SET at = now() - make_interval(secs => %s)"
            " WHERE job_id = %s AND type::text = %s",
            seconds,
            job_id,
            kind,
        )


def age_of(attempt: JobAttempt) -> int:
    """How many seconds a lost run lasted, which ended when it was found."""
    return round((attempt.finished_at - attempt.started_at).total_seconds())


def test_the_time_can_be_given():
    claim(defer("sample.remember", {"number": 1}), register_worker(silent_for=timedelta(0)))

    assert run_once(datetime.now(UTC) + timedelta(minutes=1)).run_again


def test_a_job_is_parked_at_its_second_crash_and_its_release_starts_the_count_again():
    job_id = an_orphan()
    run_once()
    claim(job_id, None)
    assert run_once().parked == (job_id,)
    assert (status_of(job_id), attempts_of(job_id)) == ("failed", 2)
    assert "has now lost its worker 2 times" in JobAttempt.objects.latest("id").message

    act(Action.RELEASE, job_ids=[job_id], actor=ANA)
    claim(job_id, None)

    assert run_once().run_again == (job_id,)


def test_only_its_own_crashes_count_against_a_job_and_only_its_own_release_forgives_them():
    suspect, innocent, failing = (an_orphan() for _ in range(3))
    for job_id, outcome in ((suspect, Outcome.CRASHED), (failing, Outcome.RETRYING)):
        JobAttempt.objects.create(
            job_id=job_id, attempt=1, started_at=LONG_AGO, finished_at=LONG_AGO, outcome=outcome
        )
    run_sql("INSERT INTO procrastinate_events (job_id, type) VALUES (%s, 'retried')", innocent)

    assert run_once() == RescueReport(parked=(suspect,), run_again=(innocent, failing))


def test_a_crash_at_the_moment_of_the_release_is_forgiven():
    job_id = an_orphan()
    now = datetime.now(UTC)
    JobAttempt.objects.create(
        job_id=job_id, attempt=1, started_at=now, finished_at=now, outcome=Outcome.CRASHED
    )
    run_sql("INSERT INTO procrastinate_events (job_id, type, at) VALUES (%s, 'retried', %s)", job_id, now)

    assert run_once().run_again == (job_id,)


def test_a_job_that_was_asked_to_stop_is_aborted_and_can_be_retried():
    job_id = an_orphan()
    run_sql("UPDATE procrastinate_jobs SET abort_requested = true WHERE id = %s", job_id)

    assert run_once().aborted == (job_id,)
    assert attempts_of(job_id) == 1
    assert ProcrastinateJob.objects.get().abort_requested is False
    assert act(Action.RETRY, job_ids=[job_id], actor=ANA).applied


def test_a_job_whose_queueing_lock_another_waits_with_ends_in_favour_of_that_one():
    job_id = an_orphan(queueing_lock="one")
    defer("sample.remember", {"number": 2}, queueing_lock="one")

    assert run_once().superseded == (job_id,)
    assert status_of(job_id) == "failed"


# --- Chosen by people ---------------------------------------------------------------------------------------


def test_of_the_chosen_jobs_those_are_rescued_that_are_orphans_and_no_others():
    chosen, not_chosen = an_orphan(), an_orphan()
    alive = held_by(register_our_worker())

    assert rescue_chosen([chosen, alive]) == RescueReport(run_again=(chosen,))
    assert (status_of(not_chosen), status_of(alive)) == ("doing", "doing")


def test_what_a_person_decided_of_the_chosen_jobs_stands_against_the_judge_s():
    job_id = an_orphan()

    assert rescue_chosen([job_id], decision=LossDecision.PARK).parked == (job_id,)


# --- Workers whose end is known ---------------------------------------------------------------------------


def held_by(worker_id: int, **options: Any) -> int:
    job_id = claim(defer("sample.remember", {"number": 1}, **options), worker_id)
    assert job_id is not None
    return job_id


@pytest.mark.parametrize(
    ("cause", "error"),
    [(LossCause.WORKER, f"{WorkerDied.__module__}.WorkerDied"), (LossCause.SHUTDOWN, "")],
)
def test_what_a_worker_that_ends_still_holds_is_given_back_at_no_cost(cause: LossCause, error: str):
    worker_id = register_our_worker(release="v7")
    job_id, kept = held_by(worker_id), held_by(worker_id)
    other = held_by(register_our_worker())

    report = rescue_workers([worker_id], cause=cause, except_job_ids=[kept])

    assert report == RescueReport(given_back=(job_id,))
    assert [status_of(each) for each in (job_id, kept, other)] == ["todo", "doing", "doing"]
    attempt = JobAttempt.objects.get()
    assert (attempt.outcome, attempt.task_name, attempt.queue_name) == (
        "interrupted",
        "sample.remember",
        "sample",
    )
    assert (attempt.host, attempt.release, attempt.worker_id) == ("here", "v7", worker_id)
    assert attempt.exception_class == error
    assert ProcrastinateJob.objects.get(id=job_id).attempts == 0


@pytest.mark.parametrize("cause", [LossCause.WORKER, LossCause.SHUTDOWN])
def test_a_job_asked_to_stop_is_aborted_whoever_held_it(cause: LossCause):
    worker_id = register_our_worker()
    job_id = held_by(worker_id)
    run_sql("UPDATE procrastinate_jobs SET abort_requested = true")

    assert rescue_workers([worker_id], cause=cause) == RescueReport(aborted=(job_id,))


def test_of_two_lost_runs_with_one_queueing_lock_the_first_waits_again():
    worker_id = register_our_worker()
    first = held_by(worker_id, queueing_lock="one")
    second = held_by(worker_id, queueing_lock="one")

    report = rescue_workers([worker_id], cause=LossCause.WORKER)

    assert report == RescueReport(given_back=(first,), superseded=(second,))


@pytest.mark.parametrize("cause", LossCause)
def test_a_lost_run_ends_in_favour_of_a_waiting_twin_whoever_died(cause: LossCause):
    worker_id = register_our_worker(orphaned_after=timedelta(0))
    job_id = held_by(worker_id, queueing_lock="one")
    twin = defer("sample.remember", {"number": 2}, queueing_lock="one")

    lose(job_id, worker_id=worker_id, cause=cause)

    assert (status_of(job_id), status_of(twin)) == ("failed", "todo")
    assert JobAttempt.objects.get().outcome == "superseded"
    assert ProcrastinateJob.objects.get(id=twin).queueing_lock == "one"


def lose(job_id: int, *, worker_id: int, cause: LossCause) -> None:
    """Has a run end as whoever notices the loss does."""
    if cause is LossCause.HOST:
        run_once(datetime.now(UTC) + timedelta(minutes=1))
    elif cause in {LossCause.WORKER, LossCause.SHUTDOWN}:
        rescue_workers([worker_id], cause=cause)
    else:
        lost = LostRun(
            cause=cause, job_id=job_id, worker_id=worker_id, attempts=0, started_at=time.monotonic()
        )
        record([judge(lost)])


@pytest.mark.parametrize(
    "rescue", [lambda: rescue_workers([0], cause=LossCause.SHUTDOWN), lambda: rescue_chosen([0])]
)
def test_whoever_waits_for_rows_waits_five_seconds_at_most_and_what_is_tighter_stands(
    rescue: Callable[[], RescueReport],
):
    def limit_of_a_rescue() -> str:
        with transaction.atomic():
            rescue()
            with connection.cursor() as cursor:
                cursor.execute("SHOW lock_timeout")
                return str(cursor.fetchone()[0])

    run_sql("SET LOCAL lock_timeout = '2min'")
    loose = limit_of_a_rescue()
    run_sql("SET LOCAL lock_timeout = '300ms'")

    assert (loose, limit_of_a_rescue()) == ("5s", "300ms")


# --- Ends that the database refuses -----------------------------------------------------------------------


def refuse_changes_of(job_id: int) -> None:
    run_sql(
        "CREATE FUNCTION refuse_end() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN IF new.id = {job_id} AND old.status = 'doing' THEN RAISE EXCEPTION 'no'; END IF;"
        " RETURN new; END $$;"
        " CREATE TRIGGER refuse_end BEFORE UPDATE ON procrastinate_jobs"
        " FOR EACH ROW EXECUTE FUNCTION refuse_end()"
    )


def test_an_orphan_refused_in_every_form_is_told_once_and_holds_up_no_other(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(rescue_module, "BATCH", 1)
    bad, fine = an_orphan(), an_orphan()
    refuse_changes_of(bad)
    refused = RefusedRuns()

    reports = [run_once(refused=refused) for _ in range(3)]

    assert reports == [RescueReport(), RescueReport(run_again=(fine,)), RescueReport()]
    assert status_of(bad) == "doing"
    assert told_of(bad, caplog) == 1


def test_an_orphan_that_was_refused_is_tried_again_later_and_told_no_more(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(rescue_module, "_SECONDS_LEFT_ALONE", 0.0)
    bad = an_orphan()
    refuse_changes_of(bad)
    refused = RefusedRuns()
    for _ in range(3):
        run_once(refused=refused)

    run_sql("DROP FUNCTION refuse_end CASCADE")

    assert run_once(refused=refused).run_again == (bad,)
    assert told_of(bad, caplog) == 1


def test_an_orphan_is_left_alone_for_a_while_and_told_again_when_it_was_fine_for_long(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    bad = an_orphan()
    refuse_changes_of(bad)
    refused = RefusedRuns()
    begun = time.monotonic()

    def look_after(seconds: float) -> tuple[bool, int]:
        """Whether it is left alone then, and how often it has been told once a rescue has run."""
        monkeypatch.setattr(time, "monotonic", lambda: begun + seconds)
        is_left_alone = bad in refused.job_ids()
        run_once(refused=refused)
        return is_left_alone, told_of(bad, caplog)

    assert look_after(0) == (False, 1)
    assert look_after(59) == (True, 1)
    assert look_after(61) == (False, 1)
    assert look_after(61 + 60 + 599) == (False, 1)
    assert look_after(720 + 60 + 601) == (False, 2)


def test_each_lost_run_is_told_in_the_log_and_a_parked_one_as_an_error(caplog: pytest.LogCaptureFixture):
    job_id = an_orphan()
    run_once()
    claim(job_id, None)
    run_once()

    told = [vars(record) for record in caplog.records if record.getMessage() == "Job's run was lost"]

    assert [(each["levelname"], each["event"]) for each in told] == [
        ("WARNING", "job_crashed"),
        ("ERROR", "job_parked"),
    ]
    assert [(each["job_id"], each["attempt"], each["crashes"]) for each in told] == [
        (job_id, 1, 1),
        (job_id, 2, 2),
    ]


def test_a_run_that_was_no_longer_lost_is_not_told(caplog: pytest.LogCaptureFixture):
    job_id = an_orphan()
    refuse_changes_of(job_id)

    run_once()

    assert "Job's run was lost" not in caplog.text


def told_of(job_id: int, caplog: pytest.LogCaptureFixture) -> int:
    return sum(f"every end of job {job_id}," in record.getMessage() for record in caplog.records)
