"""Of ends that are refused together the bad one is found, and the others lose nothing by it."""

from __future__ import annotations

import asyncio
from collections.abc import Set
from typing import Any

import psycopg
import pytest
from procrastinate.exceptions import ConnectorException
from psycopg.pq import DiagnosticField

from procrastinate_tasks.jobs.completion import Completion
from procrastinate_tasks.jobs.recording import Portions, in_our_words, why_refused


def end_of(job_id: int, **columns: Any) -> Completion:
    own: dict[str, Any] = {
        "worker_id": 1,
        "attempts": 0,
        "status": "todo",
        "outcome": "retrying",
        "task_name": "sample",
        "queue_name": "default",
        "started_at": 1.0,
        "finished_at": 2.0,
        "message": "its own",
    }
    return Completion(job_id=job_id, **{**own, **columns})


class Database:
    """Refuses some jobs' ends: in their own words, or in ours as well."""

    def __init__(self, *, refuses: Set[int] = frozenset(), refuses_always: Set[int] = frozenset()) -> None:
        self._refuses = refuses
        self._refuses_always = refuses_always
        self.tries = 0
        self.recorded: dict[int, bool] = {}

    def record(self, count: int) -> set[int]:
        """Record ends, of which ``recorded`` says whether it was in their own words; return the hopeless."""
        portions = Portions([end_of(job_id) for job_id in range(count)])
        while (portion := portions.next) is not None:
            self.tries += 1
            if any(map(self._is_refused, portion)):
                portions.refuse("22003")
            else:
                self.recorded |= {end.job_id: end.message == "its own" for end in portion}
                portions.accept()
        return {end.job_id for end in portions.refused_for_good}

    def _is_refused(self, end: Completion) -> bool:
        is_own = end.message == "its own" and end.job_id in self._refuses
        return is_own or end.job_id in self._refuses_always


def test_who_is_refused_after_one_that_is_hopeless_is_put_in_our_words_all_the_same():
    database = Database(refuses={1}, refuses_always={0})

    assert database.record(2) == {0}
    assert database.recorded == {1: False}


def test_ends_that_are_taken_are_recorded_in_one_go():
    database = Database()

    assert database.record(3) == set()
    assert (database.recorded, database.tries) == (dict.fromkeys(range(3), True), 1)


def test_nothing_is_recorded_in_no_go():
    database = Database()

    assert (database.record(0), database.tries) == (set(), 0)


@pytest.mark.parametrize("bad", range(7))
def test_one_bad_end_is_put_in_our_words_and_the_others_are_recorded_in_their_own(bad: int):
    database = Database(refuses={bad})

    assert database.record(7) == set()
    assert database.recorded == {job_id: job_id != bad for job_id in range(7)}


def test_one_bad_end_of_two_hundred_costs_few_tries():
    database = Database(refuses={77})

    database.record(200)

    assert database.tries < 20


def test_what_is_refused_in_our_words_too_is_kept_apart_and_the_next_is_tried_in_its_own_words():
    database = Database(refuses={2}, refuses_always={0})

    assert database.record(3) == {0}
    assert database.recorded == {1: True, 2: False}


def test_when_everything_is_refused_it_ends():
    database = Database(refuses_always=set(range(200)))

    assert database.record(200) == set(range(200))
    assert database.tries < 3 * 200


def _raised_by_a_trigger(code: str) -> psycopg.Error:
    """Return what psycopg raises for a code that Postgres does not have."""
    error = psycopg.DatabaseError()
    error.sqlstate = code
    return error


class _OfAnotherDriver(Exception):
    """Has a code as psycopg's errors have, and nothing else of theirs."""

    def __init__(self, sqlstate: str) -> None:
        self.sqlstate = sqlstate


def _from_notifying(kind: type[psycopg.Error]) -> psycopg.Error:
    told = {DiagnosticField.SOURCE_FILE: b"async.c"}
    return kind(info=told)  # type: ignore[arg-type] # as if it were pickled


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (psycopg.errors.NumericValueOutOfRange(), "22003"),
        (psycopg.errors.NotNullViolation(), "23502"),
        (psycopg.errors.ProgramLimitExceeded(), "54000"),
        (psycopg.errors.RaiseException(), "P0001"),
        (psycopg.errors.InsufficientPrivilege(), "42501"),
        (psycopg.errors.DataCorrupted(), "XX001"),
        (psycopg.errors.IndexCorrupted(), "XX002"),
        (psycopg.errors.InternalError_(), None),
        (psycopg.errors.ExternalRoutineException(), "38000"),
        (_raised_by_a_trigger("45000"), "45000"),
        (_raised_by_a_trigger("ZX001"), "ZX001"),
        (_OfAnotherDriver("22003"), "22003"),
        (_OfAnotherDriver("57P01"), None),
        (_from_notifying(psycopg.errors.ProgramLimitExceeded), None),
        (_from_notifying(psycopg.errors.InvalidParameterValue), "22023"),
        (psycopg.DataError(), "DataError"),
        (TypeError(), "TypeError"),
        (RecursionError(), "RecursionError"),
        (psycopg.errors.ConnectionFailure(), None),
        (psycopg.errors.DeadlockDetected(), None),
        (psycopg.errors.DiskFull(), None),
        (psycopg.errors.UndefinedColumn(), None),
        (psycopg.errors.QueryCanceled(), None),
        (psycopg.OperationalError(), None),
        (TimeoutError(), None),
        (OSError(), None),
        (asyncio.CancelledError(), None),
        (KeyboardInterrupt(), None),
    ],
)
def test_a_refusal_of_values_is_told_from_a_fault_that_passes(error: BaseException, reason: str | None):
    assert why_refused(error) == reason


@pytest.mark.parametrize(
    ("cause", "reason"),
    [(psycopg.errors.CheckViolation(), "23514"), (psycopg.errors.AdminShutdown(), None)],
)
def test_the_database_s_word_counts_whoever_passes_it_on(cause: Exception, reason: str | None):
    error = ConnectorException()
    error.__cause__ = cause

    assert why_refused(error) == reason


@pytest.mark.parametrize(
    ("status", "kept", "outcome"),
    [
        ("succeeded", "succeeded", "succeeded"),
        ("aborted", "aborted", "aborted"),
        ("failed", "failed", "failed"),
        ("todo", "failed", "failed"),
    ],
)
def test_what_a_run_came_to_stands_and_only_a_retry_becomes_a_failure(status: str, kept: str, outcome: str):
    said = {
        "status": status,
        "result": '"s3cret"',
        "message": "s3cret",
        "traceback": "s3cret",
        "lock": "s3cret",
    }

    told = in_our_words(end_of(1, **said), reason="22003")

    assert (told.status, told.outcome) == (kept, outcome)
    assert "22003" in (told.message or str(told.result))
    assert "s3cret" not in str(told)
