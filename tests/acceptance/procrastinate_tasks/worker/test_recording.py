"""A worker claims no more than it can record, and what has finished is recorded once, whatever happens."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from tests.integration.procrastinate_tasks.claiming import execute
from tests.workers.postgres import Server, own_server
from tests.workers.workers import (
    count_jobs,
    insert_jobs,
    outcomes_of,
    query,
    started_worker,
    status_of,
    wait_for,
)

SLOTS = 2
ROLE = "tenant"


def resting_backend_of(purpose: str) -> int:
    """The server process of one of the worker's sessions, once it waits for the next statement."""
    rows = query(
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE %s"
        " AND state = 'idle' AND state_change < now() - interval '0.5 s'",
        f"worker {purpose} %",
    )
    return int(rows[0][0]) if rows else 0


def outcomes(job_ids: list[int]) -> list[list[str]]:
    return [[outcome for outcome, *_ in outcomes_of(job_id)] for job_id in job_ids]


# --- An answer that never comes ---------------------------------------------------------------------------


def test_what_a_claim_took_whose_answer_was_lost_is_given_back_and_all_else_is_recorded(log: Path):
    with started_worker(log, "--concurrency", str(SLOTS)) as worker:
        claims = wait_for(lambda: resting_backend_of("claims"))
        os.kill(claims, signal.SIGSTOP)
        try:
            job_ids = insert_jobs("engine.sleep", {"seconds": 3}, count=2 * SLOTS)
            # The claim that this process shall carry out later timed out, and was made on another session.
            wait_for(lambda: count_jobs("doing") == SLOTS, within=30)
        finally:
            os.kill(claims, signal.SIGCONT)
        wait_for(lambda: count_jobs("doing") == 2 * SLOTS, within=5)

        wait_for(lambda: count_jobs("succeeded") == 2 * SLOTS, within=20)
        (later,) = insert_jobs("engine.no_op")
        wait_for(lambda: status_of(later) == "succeeded", within=5)
        assert worker.stop() == 0

    assert sorted(outcomes(job_ids)) == [*[["interrupted", "succeeded"]] * SLOTS, *[["succeeded"]] * SLOTS]
    assert worker.read_log().count("event=job_started") == 2 * SLOTS + 1


@pytest.mark.parametrize("purpose", ["settles", "beats"])
def test_a_session_that_stalls_and_carries_on_later_records_nothing_twice(purpose: str, log: Path):
    with started_worker(log, "--concurrency", str(SLOTS)) as worker:
        job_ids = insert_jobs("engine.no_op")
        wait_for(lambda: count_jobs("succeeded") == 1)
        stalled = wait_for(lambda: resting_backend_of(purpose))
        os.kill(stalled, signal.SIGSTOP)
        try:
            job_ids += insert_jobs("engine.no_op", count=2 * SLOTS)
            wait_for(lambda: count_jobs("succeeded") == len(job_ids), within=40)
        finally:
            os.kill(stalled, signal.SIGCONT)
        job_ids += insert_jobs("engine.no_op", count=2 * SLOTS)
        wait_for(lambda: count_jobs("succeeded") == len(job_ids), within=20)
        assert worker.stop() == 0

    assert outcomes(job_ids) == [["succeeded"]] * len(job_ids)
    assert worker.read_log().count("event=job_started") == len(job_ids)


# --- Slots -------------------------------------------------------------------------------------------------


@contextmanager
def noting_crowds() -> Iterator[None]:
    """A trigger that notes how many jobs run after each statement."""
    execute(
        """
        CREATE TABLE crowds (running bigint);
        CREATE FUNCTION note_crowd() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            INSERT INTO crowds SELECT count(*) FROM procrastinate_jobs WHERE status = 'doing';
            RETURN NULL;
        END $$;
        CREATE TRIGGER note_crowd AFTER UPDATE ON procrastinate_jobs
        FOR EACH STATEMENT EXECUTE FUNCTION note_crowd()
        """
    )
    try:
        yield
    finally:
        execute("DROP FUNCTION note_crowd CASCADE; DROP TABLE crowds")


@pytest.mark.parametrize(("slots", "jobs"), [(1, 40), (4, 200), (60, 900)])
def test_a_drain_fills_all_slots_and_never_claims_more(slots: int, jobs: int, log: Path):
    with noting_crowds(), started_worker(log, "--concurrency", str(slots)) as worker:
        job_ids = insert_jobs("engine.no_op", count=jobs)
        wait_for(lambda: count_jobs("succeeded") == jobs)
        assert worker.stop() == 0
        ((most,),) = query("SELECT max(running) FROM crowds")

    assert most == slots
    assert outcomes(job_ids) == [["succeeded"]] * jobs


def test_a_claim_that_takes_long_holds_up_no_end_that_comes_meanwhile(log: Path):
    with started_worker(log, "--concurrency", str(SLOTS)) as worker:
        (running,) = insert_jobs("engine.sleep", {"seconds": 2})
        wait_for(lambda: status_of(running) == "doing")
        claims = wait_for(lambda: resting_backend_of("claims"))
        os.kill(claims, signal.SIGSTOP)
        try:
            insert_jobs("engine.no_op")
            wait_for(lambda: status_of(running) == "succeeded", within=5)
        finally:
            os.kill(claims, signal.SIGCONT)
        wait_for(lambda: count_jobs("succeeded") == 2)
        assert worker.stop() == 0


# --- An end that the database refuses ---------------------------------------------------------------------


STOP_REFUSING = "DROP FUNCTION IF EXISTS refuse_ends CASCADE"


@contextmanager
def refusing_ends(reason: str, *, each: str) -> Iterator[None]:
    """Refuse ends of jobs, as a trigger of the project's may; ``each`` is ROW or STATEMENT."""
    execute(
        f"""
        CREATE FUNCTION refuse_ends() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            {reason};
            RETURN new;
        END $$;
        CREATE TRIGGER refuse_ends BEFORE INSERT ON procrastinate_tasks_jobattempt
        FOR EACH {each} EXECUTE FUNCTION refuse_ends()
        """
    )
    try:
        yield
    finally:
        execute(STOP_REFUSING)


def test_an_end_that_postgres_refuses_costs_the_others_nothing(log: Path):
    three = "IF new.result = '3' THEN RAISE EXCEPTION 'no sums here'; END IF"
    with refusing_ends(three, each="ROW"), started_worker(log, "--concurrency", "8") as worker:
        fine = insert_jobs("engine.no_op", count=5)
        (refused,) = insert_jobs("engine.add", {"left": 1, "right": 2})
        fine += insert_jobs("engine.no_op", count=5)

        wait_for(lambda: count_jobs("succeeded") == 11)
        assert worker.stop() == 0

    assert outcomes(fine) == [["succeeded"]] * 10
    ((outcome, _, result),) = outcomes_of(refused)
    assert outcome == "succeeded"
    assert "P0001" in result
    assert worker.read_log().count("event=job_started") == 11


def test_an_end_that_was_refused_is_tried_once_more_when_its_worker_stops(log: Path):
    no_right = refusing_ends("RAISE insufficient_privilege", each="STATEMENT")
    with no_right, started_worker(log, "--concurrency", "4") as worker:
        job_ids = insert_jobs("engine.no_op", count=2)
        wait_for(lambda: worker.read_log().count("The database refuses every end of job") == 2)
        execute(STOP_REFUSING)
        assert worker.stop() == 0

    assert outcomes(job_ids) == [["succeeded"]] * 2


def test_a_strategy_s_senseless_answer_fails_its_own_job_in_words(log: Path):
    answers = ["priority", "queue", "lock", "retry_at", "object"]
    with started_worker(log, "--concurrency", "8"):
        senseless = [insert_jobs("engine.senseless_retry", {"answer": answer})[0] for answer in answers]
        insert_jobs("engine.no_op", count=5)

        wait_for(lambda: count_jobs("succeeded") == 5 and {*map(status_of, senseless)} == {"failed"})

    for job_id in senseless:
        assert outcomes_of(job_id)[0][:2] == ("failed", "builtins.ValueError")
        ((message,),) = query("SELECT message FROM procrastinate_tasks_jobattempt WHERE job_id = %s", job_id)
        assert "cannot be tried again" in message


# --- No connection left to record with --------------------------------------------------------------------


@pytest.fixture(scope="module")
def small_plan() -> Iterator[Server]:
    with own_server() as server:
        server.rows(f"CREATE ROLE {ROLE} LOGIN CONNECTION LIMIT 4")
        for kind in ("TABLES", "SEQUENCES", "FUNCTIONS"):
            server.rows(f"GRANT ALL ON ALL {kind} IN SCHEMA public TO {ROLE}")
        server.rows(f"GRANT pg_signal_backend TO {ROLE}")
        yield server


def url_of(server: Server) -> str:
    return server.url.replace("postgres://postgres@", f"postgres://{ROLE}@")


@contextmanager
def others_connected(server: Server, count: int) -> Iterator[None]:
    sessions = [psycopg.connect(url_of(server)) for _ in range(count)]
    try:
        yield
    finally:
        for session in sessions:
            session.close()


def statuses(server: Server) -> dict[str, int]:
    return dict(server.rows("SELECT status::text, count(*) FROM procrastinate_jobs GROUP BY 1"))


def says(server: Server, condition: str) -> bool:
    """Whether the worker's own row says so."""
    return server.rows(f"SELECT {condition} FROM procrastinate_tasks_liveworker") == [(True,)]


def insert_into(server: Server, *, count: int, seconds: float) -> None:
    server.rows(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, args)"
        f" SELECT 'default', 'engine.sleep', '{{\"seconds\": {seconds}}}' FROM generate_series(1, {count})"
    )


def test_a_worker_without_a_session_to_record_with_claims_nothing(small_plan: Server, log: Path):
    small_plan.rows("TRUNCATE procrastinate_jobs, procrastinate_workers CASCADE")
    insert_into(small_plan, count=20, seconds=0)

    with others_connected(small_plan, 1), started_worker(log, database_url=url_of(small_plan)) as worker:
        wait_for(lambda: "too many connections" in worker.read_log())
        wait_for(lambda: worker.read_log().count("Trying again") >= 4)
        wait_for(lambda: says(small_plan, "claims_fail_since < now() - interval '1 s'"))
        assert statuses(small_plan) == {"todo": 20}
        assert worker.stop() == 0

    assert "event=job_started" not in worker.read_log()


def test_ends_that_cannot_be_recorded_keep_their_slots_and_are_never_given_back(
    small_plan: Server, log: Path
):
    small_plan.rows("TRUNCATE procrastinate_jobs, procrastinate_workers CASCADE")
    with started_worker(log, "--concurrency", str(SLOTS), database_url=url_of(small_plan)) as worker:
        insert_into(small_plan, count=1, seconds=0)
        wait_for(lambda: statuses(small_plan) == {"succeeded": 1})
        insert_into(small_plan, count=10, seconds=1)
        wait_for(lambda: statuses(small_plan).get("doing") == SLOTS)
        # No place for the two that record, so that what is ended cannot come back.
        small_plan.rows(f"ALTER ROLE {ROLE} CONNECTION LIMIT 2")
        try:
            small_plan.rows(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name ~ '^worker (settles|claims) '"
            )
            wait_for(lambda: "Recording finished jobs failed" in worker.read_log())
            wait_for(lambda: worker.read_log().count("Recording finished jobs failed") >= 4)
            wait_for(lambda: says(small_plan, f"unrecorded = {SLOTS} AND unrecorded_since < now()"))
            assert statuses(small_plan) == {"succeeded": 1, "doing": SLOTS, "todo": 10 - SLOTS}
            assert worker.stop() == 0
        finally:
            small_plan.rows(f"ALTER ROLE {ROLE} CONNECTION LIMIT 4")

    assert statuses(small_plan) == {"succeeded": 1 + SLOTS, "todo": 10 - SLOTS}
    assert worker.read_log().count("event=job_started") == 1 + SLOTS


def test_while_the_session_that_records_is_gone_ends_go_along_with_claims(small_plan: Server, log: Path):
    small_plan.rows("TRUNCATE procrastinate_jobs, procrastinate_workers CASCADE")
    with started_worker(log, "--concurrency", str(SLOTS), database_url=url_of(small_plan)):
        insert_into(small_plan, count=20, seconds=0.2)
        wait_for(lambda: statuses(small_plan).get("doing") == SLOTS)
        small_plan.rows(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name LIKE 'worker settles %'"
        )
        wait_for(lambda: statuses(small_plan) == {"succeeded": 20})
