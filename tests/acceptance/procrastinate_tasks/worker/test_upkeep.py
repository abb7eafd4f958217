"""What a worker does beside its jobs: a project's own periodic tasks tick, whatever its alert rules do."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from tests.workers.workers import insert_jobs, outcomes_of, query, started_worker, wait_for

SETTINGS = "tests.workers.plain_settings"


def ticks() -> list[int]:
    rows = query("SELECT (args ->> 'timestamp')::int FROM procrastinate_jobs WHERE task_name = 'plain.tick'")
    return sorted(timestamp for (timestamp,) in rows)


def test_a_plain_periodic_task_fires_each_second_and_a_job_is_rescued_beside_a_rule_that_hangs(log: Path):
    (orphan,) = insert_jobs("plain.tick", {"timestamp": 1})
    query("UPDATE procrastinate_jobs SET status = 'doing', attempts = 0 WHERE id = %s RETURNING id", orphan)

    with started_worker(log, settings_module=SETTINGS):
        wait_for(lambda: len(ticks()) >= 5 and "succeeded" in {row[0] for row in outcomes_of(orphan)})

    seconds = ticks()[1:]
    assert {later - earlier for earlier, later in pairwise(seconds)} == {1}
    assert "crashed" in {row[0] for row in outcomes_of(orphan)}
