"""Two releases serve one database, as in every deploy: no job is lost, and no attempt charged."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.workers.workers import (
    StartedWorker,
    count_jobs,
    end_the_patience_with,
    insert_jobs,
    outcomes_of,
    query,
    started_worker,
    status_of,
    wait_for,
)

SETTINGS = "tests.workers.releases.settings"


@contextmanager
def worker_of(release: str, folder: Path, *options: str) -> Iterator[StartedWorker]:
    with started_worker(
        folder / f"{release}.log", *options, settings_module=SETTINGS, environment={"TEST_RELEASE": release}
    ) as worker:
        yield worker


def count_failures() -> int:
    return int(
        query("SELECT count(*) FROM procrastinate_tasks_jobattempt WHERE outcome <> 'succeeded'")[0][0]
    )


def attempts_charged() -> int:
    rows = query("SELECT coalesce(sum(attempts), 0) FROM procrastinate_jobs WHERE status <> 'succeeded'")
    return int(rows[0][0])


def test_beside_an_older_release_each_job_runs_where_its_task_is_known(tmp_path: Path):
    with worker_of("first", tmp_path), worker_of("second", tmp_path):
        insert_jobs("release.only_second", count=300)
        insert_jobs("release.only_first", count=50)
        wait_for(lambda: count_jobs("succeeded", "failed") == 350)

    assert count_jobs("failed") == 0
    assert count_failures() == 0


def test_jobs_of_a_release_that_is_not_up_yet_wait_at_no_attempt_and_hold_up_nobody(tmp_path: Path):
    unknown = insert_jobs("release.only_second", count=20)
    (known,) = insert_jobs("release.only_first")

    with worker_of("first", tmp_path):
        wait_for(lambda: status_of(known) == "succeeded")
        assert count_jobs("todo") == 20
        assert attempts_charged() == 0

        with worker_of("second", tmp_path):
            wait_for(lambda: {status_of(job_id) for job_id in unknown} == {"succeeded"}, within=3)
    assert count_failures() == 0


def test_a_worker_that_stops_when_the_queue_is_dry_does_not_wait_for_another_release(tmp_path: Path):
    insert_jobs("release.only_second", count=3)
    (known,) = insert_jobs("release.only_first")

    with worker_of("first", tmp_path, "--one-shot") as worker:
        assert worker.wait() == 0

    assert status_of(known) == "succeeded"
    assert count_jobs("todo") == 3


def test_a_job_with_an_argument_of_the_newer_release_ends_there_at_no_attempt(tmp_path: Path):
    with worker_of("first", tmp_path), worker_of("second", tmp_path):
        wait_for(lambda: query("SELECT count(*) FROM procrastinate_workers") == [(2,)])
        jobs = insert_jobs("release.greet", {"name": "Ana", "greeting": "good day"}, count=20)
        wait_for(lambda: count_jobs("succeeded", "failed") == 20, within=60)

    assert count_jobs("failed") == 0
    assert {outcomes_of(job_id)[-1][2] for job_id in jobs} == {json.dumps("second: good day Ana")}
    assert {row for (row,) in query("SELECT attempt FROM procrastinate_tasks_jobattempt")} == {1}


def test_a_job_whose_arguments_fit_no_living_release_fails_with_a_clear_sentence(tmp_path: Path):
    (job_id,) = insert_jobs("release.greet", {"name": "Ana", "greeting": "good day"})

    with worker_of("first", tmp_path):
        end_the_patience_with(job_id)
        wait_for(lambda: status_of(job_id) == "failed")

    *before, (outcome, exception_class, _) = outcomes_of(job_id)
    assert {each[0] for each in before} == {"interrupted"}
    ((message,),) = query(
        "SELECT message FROM procrastinate_tasks_jobattempt WHERE job_id = %s ORDER BY id DESC LIMIT 1",
        job_id,
    )
    assert outcome == "failed"
    assert exception_class == "procrastinate_tasks.exceptions.JobDoesNotFit"
    assert "unexpected keyword argument 'greeting'" in message
    assert "good day" not in message
