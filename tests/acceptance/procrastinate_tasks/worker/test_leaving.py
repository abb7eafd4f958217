"""What a job returns, raises or leaves behind touches neither its end, nor its neighbours, nor the next."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.auth.models import Group

from tests.workers.leaving_tasks import CHANGES, CHANGES_OF_LOOP
from tests.workers.workers import (
    insert_jobs,
    outcomes_of,
    query,
    started_count,
    started_worker,
    status_of,
    wait_for,
)

ONE = ("--concurrency", "1")
MANY = ("--concurrency", "4")


def result_of(job_id: int) -> object:
    ((_, _, result),) = outcomes_of(job_id)
    return json.loads(result)


def attempt_of(job_id: int) -> tuple[str, str]:
    """How the last attempt ended and what it said."""
    rows = query(
        "SELECT outcome, message FROM procrastinate_tasks_jobattempt WHERE job_id = %s ORDER BY id DESC",
        job_id,
    )
    return rows[0][0], rows[0][1]


def have_ended(job_ids: list[int]) -> bool:
    return all(status_of(job_id) in ("succeeded", "failed", "aborted") for job_id in job_ids)


def ended(job_ids: list[int], log: Path, *options: str) -> None:
    with started_worker(log, *options) as worker:
        wait_for(lambda: have_ended(job_ids))
        assert "this child exits" not in worker.read_log()


# --- Results and errors -------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [ONE, MANY])
def test_a_result_that_cannot_be_shown_costs_its_job_nothing(options: tuple[str, ...], log: Path):
    kinds = ["repr", "nameless", "number", "queryset", "nested", "held", "lazy"]
    jobs = {
        (task, kind): insert_jobs(task, {"kind": kind})[0]
        for kind in kinds
        for task in ("leaving.return", "leaving.return_async")
    }
    neighbours = insert_jobs("engine.sleep", {"seconds": 0.5}, count=2)

    ended([*jobs.values(), *neighbours], log, *options)

    for (_, kind), job_id in jobs.items():
        assert status_of(job_id) == "succeeded", kind
        assert started_count(job_id) == 1, kind
        assert "cannot be shown)" in str(result_of(job_id)) or kind == "lazy"
    assert [started_count(job_id) for job_id in neighbours] == [1, 1]
    assert Group.objects.filter(name__startswith="returns ").count() == len(jobs)


@pytest.mark.parametrize("options", [ONE, MANY])
def test_an_error_that_cannot_be_shown_fails_its_job_once_and_at_once(options: tuple[str, ...], log: Path):
    jobs = {
        (task, kind): insert_jobs(task, {"kind": kind})[0]
        for kind in ("str", "name", "queryset", "word", "exit", "look", "group")
        for task in ("leaving.raise", "leaving.raise_async")
    }

    ended([*jobs.values()], log, *options)

    for (_, kind), job_id in jobs.items():
        assert status_of(job_id) == "failed", kind
        ((outcome, exception_class, _result),) = outcomes_of(job_id)
        assert outcome == "failed"
        assert exception_class
    assert attempt_of(jobs["leaving.raise", "queryset"])[1] == (
        "('no such group', (a value of type QuerySet that cannot be shown))"
    )
    ((longest,),) = query(
        "SELECT max(extract(epoch FROM finished_at - started_at)) FROM procrastinate_tasks_jobattempt"
    )
    assert longest < 4


@pytest.mark.parametrize("options", [ONE, MANY])
def test_what_an_async_job_does_to_its_loop_costs_no_neighbour(options: tuple[str, ...], log: Path):
    kinds = {
        "exit": "failed",
        "callback": "succeeded",
        "stop": "succeeded",
        "cancel": "succeeded",
        "late": "succeeded",
        "factory": "succeeded",
    }
    jobs, neighbours = [], []
    for kind in kinds:
        neighbours += insert_jobs("engine.async_sleep", {"seconds": 0.3}, count=2)
        jobs += insert_jobs("leaving.on_loop", {"what": kind})
    neighbours += insert_jobs("engine.async_no_op", count=4)

    ended([*jobs, *neighbours], log, *options)

    assert [status_of(job_id) for job_id in jobs] == list(kinds.values())
    assert [started_count(job_id) for job_id in jobs] == [1] * len(jobs)
    assert [outcomes_of(job_id)[0][:2] for job_id in neighbours] == [("succeeded", "")] * len(neighbours)


def test_arguments_that_cannot_be_read_here_fail_their_jobs_alone(log: Path):
    complaints = {
        '{"value": %s}' % ("9" * 5000): "integer string conversion",
        '{"value": %s}' % ("[" * 15_000 + "]" * 15_000): "recursion",
    }
    jobs = insert_jobs("leaving.take", count=len(complaints))
    for job_id, args in zip(jobs, complaints, strict=True):
        query("UPDATE procrastinate_jobs SET args = %s::jsonb WHERE id = %s RETURNING id", args, job_id)
    (fine,) = insert_jobs("leaving.take")

    ended([*jobs, fine], log)

    assert [status_of(job_id) for job_id in (*jobs, fine)] == ["failed", "failed", "succeeded"]
    for job_id, complaint in zip(jobs, complaints.values(), strict=True):
        assert complaint in attempt_of(job_id)[1]


# --- A cancellation that nobody asked for -------------------------------------------------------------------


def test_a_cancellation_that_nobody_asked_for_is_a_failure_with_its_retries(log: Path):
    jobs = [*insert_jobs("leaving.cancelled_library"), *insert_jobs("leaving.cancelled_once")]

    ended(jobs, log)

    for job_id in jobs:
        assert status_of(job_id) == "failed"
        assert [outcome for outcome, _, _ in outcomes_of(job_id)] == ["retrying", "retrying", "failed"]


# --- What a job leaves to the next --------------------------------------------------------------------------

CLEAN = {
    "language": settings.LANGUAGE_CODE,
    "digits": 28,
    "zone": settings.TIME_ZONE,
    "role": True,
    "timeout": "0",
    "isolation": "read committed",
}
LEFT = [
    *("transaction", "block", "autocommit", "failed", "role", "path", "timeout", "lock", "into", "isolation"),
]
# What code on the server did is not known: the connection is closed without a word.
LEFT_IN_DOUBT = ["code", "second"]


@pytest.mark.parametrize("task", ["leave", "leave_async"])
def test_the_next_job_begins_on_a_connection_as_it_was_opened(task: str, log: Path):
    left, arrivals = {}, {}
    for what in [*LEFT, *LEFT_IN_DOUBT]:
        (left[what],) = insert_jobs(f"leaving.{task}", {"what": what}, lock="one by one")
        arrivals[what] = [
            insert_jobs(f"leaving.{name}", lock="one by one")[0]
            for name in ("arrive", "arrive_async", "arrive", "arrive_async")
        ]

    ended([*left.values(), *itertools.chain(*arrivals.values())], log, *ONE)

    assert {what: [result_of(job_id) for job_id in jobs] for what, jobs in arrivals.items()} == {
        what: [CLEAN] * 4 for what in [*LEFT, *LEFT_IN_DOUBT]
    }
    assert Group.objects.filter(name="written").count() == 1
    assert not Group.objects.filter(name="never committed").exists()
    for what, job_id in left.items():
        outcome, message = attempt_of(job_id)
        assert (outcome, "left behind" in message) == ("failed", what in LEFT), what
    told = [line for line in log.read_text().splitlines() if "left behind" in line]
    assert sum(f"leaving.{task}" in line for line in told) >= len(LEFT)


def test_in_a_thread_too_the_next_job_begins_as_the_first(log: Path):
    left = [insert_jobs("leaving.leave", {"what": what}, lock="one by one")[0] for what in LEFT]
    (arrival,) = insert_jobs("leaving.arrive", lock="one by one")

    ended([*left, arrival], log, *MANY)

    assert result_of(arrival) == CLEAN
    assert all("left behind" in attempt_of(job_id)[1] for job_id in left)


@pytest.mark.parametrize("options", [ONE, MANY])
def test_language_digits_and_time_zone_of_a_job_end_with_it(options: tuple[str, ...], log: Path):
    calls: list[tuple[str, dict[str, object]]] = [
        ("leave", {"what": "context", "raises": False}),
        ("arrive", {}),
        ("leave_async", {"what": "context"}),
        ("arrive_async", {}),
        ("arrive", {}),
    ]
    jobs = [insert_jobs(f"leaving.{name}", args, lock="one by one")[0] for name, args in calls]

    ended(jobs, log, *options)

    assert [result_of(job_id) for job_id in (jobs[1], jobs[3], jobs[4])] == [CLEAN] * 3


def test_a_job_that_succeeds_says_so_too_and_one_that_leaves_nothing_says_nothing(log: Path):
    (left,) = insert_jobs("leaving.leave", {"what": "transaction", "raises": False})
    (clean,) = insert_jobs("leaving.leave", {"what": "nothing", "raises": False})

    ended([left, clean], log)

    assert attempt_of(left) == ("succeeded", "(left behind: an open transaction; undone)")
    assert attempt_of(clean) == ("succeeded", "")


# --- What a job changes for its whole process ---------------------------------------------------------------

IN_MAIN_THREAD = {"signal handlers"}
# What a process may take from itself for good: limits, if it has no right to raise them, a closed stream, and
# clocks, which whoever freezes them replaces in all modules.
MAY_BE_LOST = ("limits of the process", "the standard streams", "the clocks")


@pytest.mark.parametrize("options", [ONE, MANY])
def test_what_a_job_changes_for_its_process_is_put_back(options: tuple[str, ...], log: Path):
    kinds = [kind for kind in CHANGES if options == ONE or kind not in IN_MAIN_THREAD]
    before = {kind: insert_jobs("leaving.look", {"what": kind}, lock="one by one")[0] for kind in kinds}
    changes, after = {}, {}
    for kind in kinds:
        (changes[kind],) = insert_jobs("leaving.change", {"what": kind}, lock="one by one")
        (after[kind],) = insert_jobs("leaving.look", {"what": kind}, lock="one by one")

    ended([*before.values(), *changes.values(), *after.values()], log, *options)

    assert {kind: outcomes_of(job_id) for kind, job_id in after.items()} == {
        kind: outcomes_of(job_id) for kind, job_id in before.items()
    }
    assert {outcome for kind in kinds for outcome, _, _ in outcomes_of(after[kind])} == {"succeeded"}
    for kind, job_id in changes.items():
        ways = ("put back", "this process is replaced") if kind.startswith(MAY_BE_LOST) else ("put back",)
        told = {f"(left behind: {kind.partition(' (')[0]}; {way})" if options == ONE else "" for way in ways}
        outcome, message = attempt_of(job_id)
        assert outcome == "succeeded" and message in told, kind


@pytest.mark.parametrize("options", [ONE, MANY])
def test_what_an_async_job_changes_of_its_loop_is_put_back(options: tuple[str, ...], log: Path):
    looks = insert_jobs("leaving.look_async", lock="one by one")
    changes = []
    for what in CHANGES_OF_LOOP:
        changes += insert_jobs("leaving.change_async", {"what": what}, lock="one by one")
        looks += insert_jobs("leaving.look_async", lock="one by one")

    ended([*changes, *looks], log, *options)

    assert [status_of(job_id) for job_id in changes] == ["succeeded"] * len(changes)
    assert [result_of(job_id) for job_id in looks] == [["called", False, "None"]] * len(looks)


@pytest.mark.parametrize("options", [ONE, MANY])
def test_a_watchdog_ends_no_other(options: tuple[str, ...], log: Path):
    (watched,) = insert_jobs("leaving.watch_itself", lock="one by one")
    (after,) = insert_jobs("leaving.look", {"what": "a timer"}, lock="one by one")  # it sleeps for a second

    ended([watched, after], log, *options)

    assert [outcome for job_id in (watched, after) for outcome, _, _ in outcomes_of(job_id)] == [
        *("succeeded", "succeeded"),
    ]


@pytest.mark.parametrize("options", [ONE, MANY])
def test_who_breaks_what_records_its_end_has_ended(options: tuple[str, ...], log: Path):
    broken = [insert_jobs("leaving.break_machinery", {"what": what})[0] for what in ("json", "setting")]

    ended(broken, log, *options)

    assert [started_count(job_id) for job_id in broken] == [1, 1]
    assert [result_of(job_id) for job_id in broken] == ["(a value that cannot be shown)"] * 2


@pytest.mark.parametrize("options", [ONE, MANY])
def test_a_job_profiles_itself_after_others_have_run_and_were_interrupted(
    options: tuple[str, ...], log: Path
):
    calls = ["engine.no_op", "leaving.profile_itself", "engine.spin", "leaving.profile_itself"]
    jobs = [insert_jobs(name, lock="one by one")[0] for name in calls]

    ended(jobs, log, *options, "--soft-time-limit", "1", "--time-limit", "60")

    assert [outcome for job_id in jobs for outcome, _, _ in outcomes_of(job_id)] == [
        *("succeeded", "succeeded", "failed", "succeeded"),
    ]
