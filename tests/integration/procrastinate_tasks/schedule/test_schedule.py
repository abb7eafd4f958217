"""Schedules: what is due, what was missed, and what a change of code does."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test import override_settings
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob

from procrastinate_tasks.exceptions import ScheduleNameTaken
from procrastinate_tasks.jobs.deferring import defer
from procrastinate_tasks.models import ScheduleState
from procrastinate_tasks.schedule import periodic as schedule
from procrastinate_tasks.schedule.periodic import periodic
from procrastinate_tasks.schedule.policies import CatchUp
from procrastinate_tasks.schedule.state import list_schedule
from procrastinate_tasks.schedule.ticks import run_once
from procrastinate_tasks.worker import maintenance
from tests.integration.procrastinate_tasks.sample_tasks import locked, remember

pytestmark = pytest.mark.django_db


@app.task(name="sample.plain_periodic")
def plain_periodic(timestamp: int) -> int:
    return timestamp


# Taken before a test hides them.
app.perform_import_paths()
SITE_SCHEDULES = schedule.all_schedules()

MIDNIGHT_UTC = datetime(2026, 5, 1, tzinfo=UTC)
THREE_IN_MEXICO = datetime(2026, 5, 1, 9, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def _only_schedules_of_the_test(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(schedule, "_schedules_by_name", {})
    yield


def nightly(catch_up: CatchUp = CatchUp.LAST, cron: str = "0 3 * * *") -> None:
    periodic(cron=cron, catch_up=catch_up, args={"number": 1})(remember)


def redeclare(cron: str) -> None:
    schedule._schedules_by_name.clear()
    nightly(cron=cron)


def job_count() -> int:
    return int(ProcrastinateJob.objects.count())


def test_ticks_do_not_pile_up_while_nobody_runs_their_jobs():
    nightly()
    run_once(MIDNIGHT_UTC)

    for day in range(3):
        run_once(THREE_IN_MEXICO + day * DAY)

    assert job_count() == 1
    assert ProcrastinateJob.objects.get().queueing_lock == remember.name


def test_a_schedule_that_wants_every_tick_gets_every_tick():
    nightly(CatchUp.ALL)
    run_once(MIDNIGHT_UTC)

    run_once(THREE_IN_MEXICO + 2 * DAY)

    assert job_count() == 3


def test_every_schedule_of_the_site_keeps_one_job_waiting_at_most():
    assert {item.queueing_lock for item in SITE_SCHEDULES if item.catch_up is not CatchUp.ALL} != set()
    assert all(item.queueing_lock for item in SITE_SCHEDULES if item.catch_up is not CatchUp.ALL)


# --- Procrastinate's own @app.periodic --------------------------------------------------------------------


@pytest.fixture
def adopted(monkeypatch: pytest.MonkeyPatch) -> Iterator[schedule.Schedule]:
    """A task with @app.periodic, as a project of plain Procrastinate has it."""
    monkeypatch.setattr(app.periodic_registry, "periodic_tasks", {})
    app.periodic(cron="0 3 * * *", periodic_id="night", queue="elsewhere", lock="L", queueing_lock="Q")(
        plain_periodic
    )
    (found,) = schedule.all_schedules()
    yield found


def test_what_procrastinate_s_own_decorator_declares_is_deferred_as_declared(adopted: schedule.Schedule):
    run_once(MIDNIGHT_UTC)
    three = MIDNIGHT_UTC + 3 * HOUR

    report = run_once(three)

    job = ProcrastinateJob.objects.get()
    assert [tick.tick_at for tick in report.deferred] == [three]
    assert (job.queue_name, job.lock, job.queueing_lock) == ("elsewhere", "L", "Q")
    assert job.args == {"timestamp": int(three.timestamp())}
    assert adopted.name == "sample.plain_periodic#night"


def test_a_tick_that_procrastinate_s_worker_deferred_is_not_deferred_again(adopted: schedule.Schedule):
    run_once(MIDNIGHT_UTC)
    three = MIDNIGHT_UTC + 3 * HOUR
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO procrastinate_periodic_defers (task_name, periodic_id, defer_timestamp)"
            " VALUES (%s, %s, %s)",
            ["sample.plain_periodic", "night", int(three.timestamp())],
        )

    assert [tick.job_id for tick in run_once(three).deferred] == [None]
    assert job_count() == 0


def test_a_tick_is_skipped_while_a_job_with_the_declared_queueing_lock_waits(adopted: schedule.Schedule):
    run_once(MIDNIGHT_UTC)

    run_once(MIDNIGHT_UTC + 3 * HOUR)
    run_once(MIDNIGHT_UTC + 3 * HOUR + DAY)

    assert job_count() == 1


def test_it_can_be_run_by_hand_like_any_other(adopted: schedule.Schedule):
    assert schedule.defer_job(schedule.find_schedule(adopted.name)) is not None
    assert job_count() == 1


# --- What people wait for, and what may take its time -----------------------------------------------------


def test_schedule_and_rescue_share_their_thread_with_nothing():
    prompt = {routine.name for routine in maintenance.prompt_routines()}
    patient = {routine.name for routine in maintenance.patient_routines()}

    assert prompt == {"schedule", "rescue", "expiry", "pauses"}
    assert patient == {"alerts", "limits", "retention", "roll-up"}


def test_a_new_schedule_does_not_fire_for_the_past():
    nightly()

    report = run_once(THREE_IN_MEXICO + HOUR)

    assert report.deferred == ()
    assert report.next_at == THREE_IN_MEXICO + DAY


def test_three_in_the_morning_is_that_of_the_project_s_time_zone():
    nightly()
    run_once(MIDNIGHT_UTC)

    early = run_once(THREE_IN_MEXICO - timedelta(seconds=1))
    on_time = run_once(THREE_IN_MEXICO)

    assert early.deferred == ()
    assert [tick.tick_at for tick in on_time.deferred] == [THREE_IN_MEXICO]
    assert ProcrastinateJob.objects.get().args == {"number": 1}


def test_a_schedule_s_own_time_zone_wins():
    periodic(cron="0 3 * * *", timezone="UTC", args={"number": 1})(remember)
    run_once(MIDNIGHT_UTC)

    assert run_once(MIDNIGHT_UTC + 3 * HOUR).deferred[0].tick_at == MIDNIGHT_UTC + 3 * HOUR


def test_looking_again_at_the_same_tick_defers_nothing():
    nightly()
    run_once(MIDNIGHT_UTC)
    run_once(THREE_IN_MEXICO)

    assert run_once(THREE_IN_MEXICO).deferred == ()
    assert run_once(THREE_IN_MEXICO + MINUTE).deferred == ()
    assert job_count() == 1


def test_a_clock_that_lags_defers_nothing_twice():
    nightly(cron="* * * * *")
    run_once(MIDNIGHT_UTC)
    run_once(MIDNIGHT_UTC + MINUTE)

    for lag in (timedelta(seconds=61), timedelta(seconds=1), timedelta(0)):
        run_once(MIDNIGHT_UTC + MINUTE - lag)

    assert job_count() == 1


@pytest.mark.parametrize(("catch_up", "deferred", "missed"), [("skip", 0, 5), ("last", 1, 4), ("all", 5, 0)])
def test_five_missed_nights(catch_up: str, deferred: int, missed: int):
    nightly(CatchUp(catch_up))
    run_once(MIDNIGHT_UTC)

    report = run_once(THREE_IN_MEXICO + 4 * DAY + HOUR)

    assert len(report.deferred) == deferred
    assert ScheduleState.objects.get().missed_count == missed
    assert run_once(THREE_IN_MEXICO + 4 * DAY + 2 * HOUR).deferred == ()


def test_a_tick_within_the_grace_is_deferred_even_when_missed_ones_are_skipped():
    nightly(CatchUp.SKIP)
    run_once(MIDNIGHT_UTC)

    assert len(run_once(THREE_IN_MEXICO + timedelta(seconds=59)).deferred) == 1


@override_settings(PROCRASTINATE_TASKS_CATCH_UP_LIMIT=3)
def test_catching_up_on_all_is_capped_at_the_latest():
    nightly(CatchUp.ALL)
    run_once(MIDNIGHT_UTC)

    report = run_once(THREE_IN_MEXICO + 9 * DAY + HOUR)

    assert [tick.tick_at for tick in report.deferred] == [THREE_IN_MEXICO + n * DAY for n in (7, 8, 9)]
    assert ScheduleState.objects.get().missed_count == 7


def test_a_changed_schedule_starts_with_its_next_tick_and_the_old_code_still_running_does_not_stop_it():
    nightly()
    run_once(MIDNIGHT_UTC)
    run_once(THREE_IN_MEXICO)

    redeclare("0 2 * * *")
    assert run_once(THREE_IN_MEXICO + HOUR).deferred == ()
    redeclare("0 3 * * *")
    assert run_once(THREE_IN_MEXICO + 2 * HOUR).deferred == ()
    redeclare("0 2 * * *")

    assert [tick.tick_at for tick in run_once(THREE_IN_MEXICO + 23 * HOUR).deferred] == [
        THREE_IN_MEXICO + 23 * HOUR
    ]


def test_going_back_to_an_older_schedule_does_not_fire_for_the_time_between():
    nightly()
    run_once(MIDNIGHT_UTC)
    redeclare("0 4 * * *")
    run_once(THREE_IN_MEXICO - HOUR)
    run_once(THREE_IN_MEXICO + HOUR + 3 * DAY)

    redeclare("0 3 * * *")

    assert run_once(THREE_IN_MEXICO + 2 * HOUR + 3 * DAY).deferred == ()


def test_a_tick_whose_queueing_lock_is_taken_is_left_to_the_waiting_job():
    periodic(cron="* * * * *")(locked)
    defer("sample.locked")
    run_once(MIDNIGHT_UTC)

    report = run_once(MIDNIGHT_UTC + MINUTE)

    assert report.deferred[0].job_id is None
    assert job_count() == 1


def test_one_schedule_that_cannot_run_does_not_hold_up_the_others(caplog: pytest.LogCaptureFixture):
    periodic(cron="nonsense", schedule_id="a")(remember)
    periodic(cron="* * * * *", schedule_id="b", args={"number": -1})(remember)
    periodic(cron="* * * * *", schedule_id="c", args={"number": 1})(remember)
    run_once(MIDNIGHT_UTC)

    report = run_once(MIDNIGHT_UTC + MINUTE)

    assert [tick.schedule_name for tick in report.deferred] == ["sample.remember#c"]
    assert {vars(record)["schedule"] for record in caplog.records if record.levelname == "ERROR"} == {
        "sample.remember#a",
        "sample.remember#b",
    }


def test_a_failing_deferral_leaves_the_tick_due():
    periodic(cron="* * * * *", args={"number": -1})(remember)
    run_once(MIDNIGHT_UTC)
    run_once(MIDNIGHT_UTC + MINUTE)

    schedule._schedules_by_name.clear()
    periodic(cron="* * * * *", args={"number": 1})(remember)

    assert len(run_once(MIDNIGHT_UTC + MINUTE).deferred) == 1


def test_half_minutes():
    nightly(cron="* * * * * */30")
    run_once(MIDNIGHT_UTC)

    report = run_once(MIDNIGHT_UTC + MINUTE)

    assert [tick.tick_at - MIDNIGHT_UTC for tick in report.deferred] == [MINUTE / 2, MINUTE]
    assert report.next_at == MIDNIGHT_UTC + 1.5 * MINUTE


def test_two_schedules_of_one_task_need_their_own_ids():
    nightly()

    with pytest.raises(ScheduleNameTaken, match="schedule_id"):
        nightly()


def test_last_and_next_run_lateness_and_missed_count_can_be_read():
    nightly()
    run_once(MIDNIGHT_UTC)
    report = run_once(THREE_IN_MEXICO + 2 * DAY + timedelta(seconds=7))

    (info,) = list_schedule(THREE_IN_MEXICO + 2 * DAY + MINUTE)

    assert info.next_at == THREE_IN_MEXICO + 3 * DAY
    assert info.last_tick_at == THREE_IN_MEXICO + 2 * DAY
    assert info.lateness == timedelta(seconds=7)
    assert info.last_job_id == report.deferred[0].job_id
    assert info.missed_count == 2
    assert (info.zone, info.catch_up, info.problem) == ("America/Mexico_City", CatchUp.LAST, "")


def test_the_database_s_clock_is_the_default():
    nightly(cron="* * * * * *")

    report = run_once()

    assert abs(report.now - datetime.now(UTC)) < MINUTE
    assert report.next_at is not None
    assert report.next_at - report.now <= timedelta(seconds=1)


def test_a_schedule_has_either_a_cron_expression_or_an_interval():
    for times in ({}, {"cron": "0 3 * * *", "every": 90}, {"every": 0.5}):
        with pytest.raises(ValueError, match="every"):
            periodic(**times)


def test_an_interval_s_ticks_are_deferred_once_each_and_shown_as_such():
    periodic(every=90, args={"number": 1}, catch_up=CatchUp.ALL)(remember)
    run_once(MIDNIGHT_UTC)

    ticks = [tick.tick_at for tick in run_once(MIDNIGHT_UTC + 5 * MINUTE).deferred]

    assert ticks == [MIDNIGHT_UTC + timedelta(seconds=90 * number) for number in (1, 2, 3)]
    assert run_once(MIDNIGHT_UTC + 5 * MINUTE).deferred == ()
    (info,) = list_schedule(MIDNIGHT_UTC + 5 * MINUTE)
    assert (info.cron, info.next_at) == ("every 90 s", MIDNIGHT_UTC + 6 * MINUTE)
