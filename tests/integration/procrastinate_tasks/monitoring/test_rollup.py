"""The roll-up: what it counts, that doing it again changes nothing, and that it stays bounded."""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import override_settings
from procrastinate.contrib.django.models import ProcrastinateJob

from procrastinate_tasks.database import statement
from procrastinate_tasks.jobs.deferring import defer
from procrastinate_tasks.models import JobAttempt, Outcome, Release, RollupProgress, TaskRollup, TaskTotal
from procrastinate_tasks.models.monitoring import SLOT, TIME_BOUNDS
from procrastinate_tasks.monitoring.rollup import KEPT_FOR, MOST_TASKS, TOTALS_KEPT_FOR, run_once
from procrastinate_tasks.queries.history import TimesTaken, read_task_totals
from procrastinate_tasks.testing import drain_queue
from procrastinate_tasks.worker import maintenance
from procrastinate_tasks.worker.maintenance import run_rollup

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 23, 12, 3, tzinfo=UTC)
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)

FAILED = {Outcome.FAILED, Outcome.SUPERSEDED, Outcome.PARKED}
RETRIED = {Outcome.RETRYING, Outcome.CRASHED}


def an_attempt(
    *,
    finished_at: datetime,
    lasted: timedelta = timedelta(seconds=1),
    waited: timedelta | None = None,
    outcome: Outcome = Outcome.SUCCEEDED,
    task_name: str = "sample.remember",
    queue_name: str = "default",
    release: str = "",
) -> JobAttempt:
    """Record an attempt; one with a ``waited`` has a job whose event tells since when it was ready."""
    job_id = 0
    if waited is not None:
        job_id = defer("sample.remember", {"number": 1}) or 0
        ready_at = finished_at - lasted - waited
        with connection.cursor() as cursor:
            cursor.execute("UPDATE procrastinate_events SET at = %s WHERE job_id = %s", [ready_at, job_id])
    return JobAttempt.objects.create(
        job_id=job_id,
        attempt=1,
        task_name=task_name,
        queue_name=queue_name,
        host="h",
        release=release,
        started_at=finished_at - lasted,
        finished_at=finished_at,
        outcome=outcome,
    )


def catch_up(now: datetime = NOW) -> None:
    while run_once(now).has_more:
        pass


def slots() -> Sequence[tuple[object, ...]]:
    return list(
        TaskRollup.objects.order_by("slot_at", "task_name", "queue_name").values_list(
            "slot_at",
            "task_name",
            "queue_name",
            "succeeded",
            "failed",
            "retried",
            "wait_p50",
            "wait_p95",
            "run_p50",
            "run_p95",
        )
    )


def percentile(values: Sequence[timedelta], fraction: float) -> timedelta | None:
    return sorted(values)[math.ceil(fraction * len(values)) - 1] if values else None


NOT_SUMMED = {Outcome.ABORTED, Outcome.INTERRUPTED, Outcome.SNOOZED}


def by_brute_force(waits: dict[int, timedelta]) -> Sequence[tuple[object, ...]]:
    groups: dict[tuple[datetime, str, str], list[JobAttempt]] = defaultdict(list)
    for attempt in JobAttempt.objects.all():
        at = attempt.finished_at
        slot = at.replace(minute=at.minute - at.minute % 5, second=0, microsecond=0)
        if slot + SLOT <= NOW and attempt.outcome not in NOT_SUMMED:
            groups[slot, attempt.task_name, attempt.queue_name].append(attempt)
    rows: list[tuple[object, ...]] = []
    for key, attempts in sorted(groups.items()):
        known = [attempt for attempt in attempts if attempt.outcome not in {Outcome.CRASHED, Outcome.PARKED}]
        runs = [attempt.finished_at - attempt.started_at for attempt in known]
        waited = [waits[attempt.pk] for attempt in attempts if attempt.pk in waits]
        rows.append(
            (
                *key,
                sum(attempt.outcome == Outcome.SUCCEEDED for attempt in attempts),
                sum(attempt.outcome in FAILED for attempt in attempts),
                sum(attempt.outcome in RETRIED for attempt in attempts),
                percentile(waited, 0.5),
                percentile(waited, 0.95),
                percentile(runs, 0.5),
                percentile(runs, 0.95),
            )
        )
    return rows


def test_a_slot_is_what_counting_by_hand_finds():
    chance = random.Random(4)  # noqa: S311 - the same numbers at each run
    waits = {}
    for _ in range(300):
        waited = timedelta(milliseconds=chance.randrange(5000)) if chance.random() < 0.5 else None
        attempt = an_attempt(
            finished_at=NOW - timedelta(seconds=chance.randrange(3 * 3600)),
            lasted=timedelta(milliseconds=chance.randrange(90_000)),
            waited=waited,
            outcome=chance.choice(list(Outcome)),
            task_name=chance.choice(["sample.a", "sample.b"]),
            queue_name=chance.choice(["default", "mail"]),
        )
        if waited is not None:
            waits[attempt.pk] = waited

    catch_up()

    assert slots() == by_brute_force(waits)


def test_doing_it_again_changes_nothing_and_adds_what_came_late():
    an_attempt(finished_at=NOON - MINUTE)
    catch_up()
    first = slots()

    catch_up()
    again = slots()
    an_attempt(finished_at=NOON - 2 * MINUTE, outcome=Outcome.FAILED)
    catch_up()

    assert again == first
    assert [(row.succeeded, row.failed) for row in TaskRollup.objects.all()] == [(1, 1)]


def test_a_slot_that_is_not_over_is_left_for_later():
    an_attempt(finished_at=NOON + MINUTE)

    catch_up()
    assert not TaskRollup.objects.exists()
    catch_up(NOW + SLOT)

    assert TaskRollup.objects.get().slot_at == NOON


def test_one_turn_takes_on_an_hour_and_says_that_there_is_more():
    an_attempt(finished_at=NOON - timedelta(hours=20))

    first = run_once(NOW)
    catch_up()

    assert first.has_more
    assert first.rolled_up_to == NOON - timedelta(hours=19)
    assert TaskRollup.objects.count() == 1
    assert RollupProgress.objects.get().rolled_up_to == NOON


@pytest.mark.parametrize("finished_at", [None, "infinity", NOON - timedelta(hours=30), "-infinity"])
def test_the_first_turn_begins_no_earlier_than_what_there_is(finished_at: datetime | str | None):
    if finished_at:
        an_attempt(finished_at=NOON)
        with connection.cursor() as cursor:
            cursor.execute("UPDATE procrastinate_tasks_jobattempt SET finished_at = %s", [finished_at])

    first = run_once(NOW)

    is_past = finished_at not in (None, "infinity")
    assert first.rolled_up_to == (NOON - timedelta(hours=23) + SLOT if is_past else NOON)
    assert first.has_more == is_past


def test_the_present_is_reached_however_long_nobody_worked():
    RollupProgress.objects.create(rolled_up_to=NOON - timedelta(days=40))
    an_attempt(finished_at=NOON - MINUTE)

    catch_up()

    assert TaskRollup.objects.get().slot_at == NOON - SLOT


@override_settings(PROCRASTINATE_TASKS_KEEP_SUCCESSES_FOR=timedelta(minutes=6))
def test_a_slot_whose_attempts_are_being_pruned_is_not_summed_up_anew():
    for seconds in (70, 80):
        an_attempt(finished_at=NOON + SLOT - timedelta(seconds=seconds))
    catch_up(NOON + SLOT)
    JobAttempt.objects.earliest("id").delete()

    catch_up(NOON + 2 * SLOT + 2 * MINUTE)

    assert TaskRollup.objects.get().succeeded == 2


def test_slots_go_after_two_weeks():
    an_attempt(finished_at=NOON - MINUTE)
    catch_up()

    catch_up(NOW + KEPT_FOR - timedelta(hours=1))
    kept = TaskRollup.objects.count()
    catch_up(NOW + KEPT_FOR + timedelta(hours=1))

    assert (kept, TaskRollup.objects.count()) == (1, 0)


@override_settings(PROCRASTINATE_TASKS_RETENTION_BATCH=2)
def test_a_batch_of_old_slots_is_bounded():
    for minutes in (1, 6, 11):
        an_attempt(finished_at=NOON - minutes * MINUTE)
    catch_up()

    later = NOW + KEPT_FOR + timedelta(hours=1)

    assert (run_once(later).pruned, run_once(later).pruned) == (2, 1)


def test_the_wait_of_a_retry_counts_from_its_own_time():
    defer("sample.flaky", {"email": "ana@example.com", "hopeless": True})
    drain_queue()
    job = ProcrastinateJob.objects.get()
    started_at = NOON - 2 * MINUTE
    with connection.cursor() as cursor:
        cursor.execute("UPDATE procrastinate_events SET at = %s WHERE job_id = %s", [NOON - SLOT, job.pk])
        cursor.execute(
            "INSERT INTO procrastinate_events (job_id, type, at) VALUES (%s, 'scheduled', %s)",
            [job.pk, started_at - timedelta(seconds=3)],
        )
        JobAttempt.objects.all().update(started_at=started_at, finished_at=NOON - MINUTE)

    catch_up()

    assert TaskRollup.objects.get().wait_p50 == timedelta(seconds=3)


def test_a_release_is_remembered_from_when_a_worker_of_it_was_first_seen():
    with connection.cursor() as cursor:
        for release, at in (("v41", NOON), ("v42", NOON + MINUTE), ("v41", NOON + SLOT), ("", NOON)):
            cursor.execute("SELECT worker_id FROM procrastinate_register_worker_v1()")
            cursor.execute(
                "INSERT INTO procrastinate_tasks_liveworker (worker_id, host, pid, release, capacity,"
                " running, memory_bytes, orphaned_after, started_at)"
                " VALUES (%s, 'h', 1, %s, 4, 0, 0, '30 s', %s)",
                [cursor.fetchone()[0], release, at],
            )

    run_once(NOW)
    run_once(NOW)

    assert list(Release.objects.order_by("name").values_list("name", "first_seen_at")) == [
        ("v41", NOON),
        ("v42", NOON + MINUTE),
    ]


def test_a_worker_sums_up_as_part_of_its_upkeep_and_waits_for_the_next_slot():
    while (pause := run_rollup()) == 0:
        pass

    assert 0 < pause <= SLOT.total_seconds() + 10


def test_the_upkeep_of_a_worker_has_it_among_its_routines(monkeypatch):
    monkeypatch.setattr(maintenance, "close_old_connections", lambda: None)  # the test's own has to stay

    maintenance.Routines(maintenance.patient_routines()).run_once()

    assert RollupProgress.objects.get().rolled_up_to is not None


def test_the_database_keeps_one_row_of_progress_and_one_of_each_slot():
    RollupProgress.objects.create(id=1)
    an_attempt(finished_at=NOON - MINUTE)
    catch_up()
    row = TaskRollup.objects.get()
    row.pk = None

    for write in (lambda: RollupProgress.objects.create(id=2), row.save):
        with pytest.raises(IntegrityError), transaction.atomic():
            write()


def test_the_attempts_of_a_window_are_found_by_an_index():
    window: dict[str, Any] = {"slot": SLOT, "from_at": NOON - SLOT, "until": NOON}
    window |= {"bounds": list(TIME_BOUNDS), "longest": timedelta(days=30), "most_tasks": 100}
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE procrastinate_tasks_jobattempt")  # and the pages that earlier tests left
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"EXPLAIN {statement('monitoring/roll_up_attempts')}", window)
        plan = "\n".join(row[0] for row in cursor.fetchall())

    assert "ptasks_attempt_outcome" in plan
    assert "Seq Scan" not in plan


@pytest.mark.django_db(transaction=True)
def test_one_process_sums_up_at_a_time_and_another_does_not_wait():
    an_attempt(finished_at=NOON - MINUTE)
    RollupProgress.objects.create(id=1, rolled_up_to=NOON - SLOT)
    other = connection.copy()
    try:
        other.set_autocommit(False)
        with other.cursor() as cursor:
            cursor.execute("SELECT FROM procrastinate_tasks_rollupprogress FOR UPDATE")

        meanwhile = run_once(NOW)
        other.rollback()
        after = run_once(NOW)
    finally:
        other.close()

    assert (meanwhile.rolled_up_to, after.rolled_up_to) == (None, NOON)


# --- Totals -----------------------------------------------------------------------------------------------


def times(taken: Sequence[timedelta]) -> TimesTaken:
    """Count by hand how many took as long as each bound, or more than all."""
    bounds = (*TIME_BOUNDS, timedelta.max)
    lower = (timedelta.min, *TIME_BOUNDS)
    return TimesTaken(
        buckets=tuple(
            sum(low < time <= bound for time in taken) for low, bound in zip(lower, bounds, strict=True)
        ),
        together=sum(taken, timedelta()),
    )


def test_the_totals_are_what_counting_by_hand_finds_however_often_a_slot_is_summed_up():
    chance = random.Random(5)  # noqa: S311 - the same numbers at each run
    waits, runs, ended = [], [], dict.fromkeys(("succeeded", "failed", "retried"), 0)
    for minute in range(60):
        run = chance.choice([*TIME_BOUNDS, timedelta(milliseconds=chance.randrange(90_000))])
        wait = chance.choice([*TIME_BOUNDS, timedelta(hours=2), timedelta(0)])
        outcome = chance.choice([Outcome.SUCCEEDED, Outcome.FAILED, Outcome.RETRYING])
        an_attempt(
            finished_at=NOON - timedelta(hours=1) + minute * MINUTE, lasted=run, waited=wait, outcome=outcome
        )
        waits.append(wait)
        runs.append(run)
        ended[{"retrying": "retried"}.get(outcome.value, outcome.value)] += 1
        catch_up(NOON - timedelta(hours=1) + minute * MINUTE + MINUTE)
    catch_up()

    (total,) = read_task_totals()
    assert {name: getattr(total, name) for name in ended} == ended
    assert total.waits == times(waits)
    assert total.runs_took == times(runs)


def test_a_total_never_falls_when_attempts_are_gone():
    attempts = [an_attempt(finished_at=NOON - MINUTE) for _ in range(3)]
    catch_up()
    for attempt in attempts[:2]:
        attempt.delete()

    catch_up()
    an_attempt(finished_at=NOON - MINUTE)
    catch_up()

    (total,) = read_task_totals()
    assert total.succeeded == sum(total.runs_took.buckets) == 4


def test_the_tasks_beyond_the_first_hundred_are_counted_together():
    for number in range(MOST_TASKS - 1):
        an_attempt(finished_at=NOON - MINUTE, task_name=f"sample.task_{number:03}")
    catch_up()
    for name in ("sample.other_a", "sample.other_b", "sample.other_c", "sample.task_000"):
        an_attempt(finished_at=NOON - MINUTE, task_name=name)

    catch_up()
    catch_up()

    totals = {total.task_name: total.succeeded for total in read_task_totals()}
    assert len(totals) == MOST_TASKS + 1
    assert (totals["sample.other_a"], totals[""], totals["sample.task_000"]) == (1, 2, 2)


def test_an_instant_that_no_clock_showed_is_counted_and_ends_no_roll_up():
    an_attempt(finished_at=NOON - MINUTE, lasted=timedelta(days=300_000))
    an_attempt(finished_at=NOON - MINUTE, lasted=-timedelta(days=300_000))

    catch_up()

    (total,) = read_task_totals()
    assert (total.runs_took.buckets[0], total.runs_took.buckets[-1]) == (1, 1)
    assert total.runs_took.together == timedelta(days=30)


def test_the_totals_of_a_task_that_has_not_run_for_long_go():
    an_attempt(finished_at=NOON - MINUTE)
    catch_up()
    TaskTotal.objects.update(grown_at=NOW - TOTALS_KEPT_FOR + MINUTE)

    catch_up(NOW)
    kept = len(read_task_totals())
    catch_up(NOW + 2 * MINUTE)

    assert (kept, len(read_task_totals())) == (1, 0)


def test_the_database_keeps_one_total_of_a_figure():
    an_attempt(finished_at=NOON - MINUTE)
    catch_up()
    row = TaskTotal.objects.filter(figure="succeeded").get()
    row.pk = None

    with pytest.raises(IntegrityError), transaction.atomic():
        row.save()
