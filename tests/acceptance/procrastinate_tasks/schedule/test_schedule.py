"""Several workers, one schedule: each tick becomes exactly one job."""

from __future__ import annotations

import os
import signal
from datetime import datetime
from itertools import pairwise

from tests.acceptance.tiny import TinyProject, wait_until

TICK_JOBS = "SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'notes.every_second'"


def deferred_ticks(tiny: TinyProject) -> list[str]:
    return [line["tick_at"] for line in tiny.log_lines() if line["message"] == "Tick deferred"]


def seconds_between(ticks: list[str]) -> set[int]:
    instants = sorted(datetime.fromisoformat(tick) for tick in ticks)
    return {int((later - earlier).total_seconds()) for earlier, later in pairwise(instants)}


def test_three_workers_defer_each_tick_of_a_fast_schedule_once(tiny: TinyProject):
    for _ in range(3):
        tiny.start_worker("--queues", "ticks", TINY_TICKS="1")

    wait_until(lambda: tiny.value(TICK_JOBS) >= 8, what="eight ticks have passed")
    tiny.stop_workers()

    ticks = deferred_ticks(tiny)
    assert len(ticks) == len(set(ticks))
    assert seconds_between(ticks) == {1}


def test_ticks_that_pass_while_one_worker_is_stopped_are_deferred_once_by_the_other(tiny: TinyProject):
    stopped = tiny.start_worker("--queues", "ticks", TINY_TICKS="1")
    wait_until(lambda: tiny.value(TICK_JOBS) >= 2, what="the first worker ticks")
    os.killpg(stopped.pid, signal.SIGSTOP)
    tiny.start_worker("--queues", "ticks", TINY_TICKS="1")
    count = tiny.value(TICK_JOBS)
    wait_until(lambda: tiny.value(TICK_JOBS) >= count + 3, what="the second worker ticks")

    os.killpg(stopped.pid, signal.SIGCONT)
    count = tiny.value(TICK_JOBS)
    wait_until(lambda: tiny.value(TICK_JOBS) >= count + 3, what="both tick")
    tiny.stop_workers()

    ticks = deferred_ticks(tiny)
    assert len(ticks) == len(set(ticks))
    assert seconds_between(ticks) == {1}


def test_ticks_missed_while_no_worker_ran_are_caught_up(tiny: TinyProject):
    tiny.start_worker("--queues", "ticks", TINY_TICKS="1")
    wait_until(lambda: tiny.value(TICK_JOBS) >= 1, what="the schedule has started")
    tiny.stop_workers()
    tiny.rows(
        "UPDATE procrastinate_tasks_schedulestate SET last_tick_at = now() - interval '1 hour',"
        " known_since = (SELECT jsonb_object_agg(key, now() - interval '1 day') FROM jsonb_each(known_since))"
    )

    tiny.start_worker("--queues", "ticks", TINY_TICKS="1")

    wait_until(lambda: tiny.value(TICK_JOBS) >= 160, what="sixty on time and a hundred caught up")
    missed = tiny.value("SELECT missed_count FROM procrastinate_tasks_schedulestate")
    assert missed >= 800
