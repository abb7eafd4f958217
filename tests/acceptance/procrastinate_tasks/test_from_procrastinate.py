"""A project of plain Procrastinate does the same before and after this app is added to it."""

from __future__ import annotations

import signal
from itertools import pairwise
from typing import Any

import pytest

from tests.acceptance.tiny import TinyProject, wait_until

BEFORE, AFTER = "tests.plain_project.settings", "tests.plain_project.settings_with_ours"
DEFER = """
from procrastinate import exceptions
from procrastinate.contrib.django import app
from tests.plain_project import mail, tasks
for number in range(3):
    mail.send.defer(address=f"guest {number}")
app.configure_task("mail:send", queue="mail", lock="server", priority=9).defer(address="urgent")
mail.send.configure(schedule_in={"hours": 1}, lock="of its own").defer(address="later")
tasks.retried.defer()
tasks.retried_by_number.defer(a=1, b=[2])
tasks.defers.defer()
tasks.tick.configure(queueing_lock="once").defer(timestamp=0)
try:
    tasks.tick.configure(queueing_lock="once").defer(timestamp=0)
except exceptions.AlreadyEnqueued:
    print("refused")
"""
EXPECTED = [
    ("mail:send", "mail", "server", "from a task", "succeeded", 1),
    ("mail:send", "mail", "server", "guest 0", "succeeded", 1),
    ("mail:send", "mail", "server", "guest 1", "succeeded", 1),
    ("mail:send", "mail", "server", "guest 2", "succeeded", 1),
    ("mail:send", "mail", "of its own", "later", "todo", 0),
    ("mail:send", "mail", "server", "urgent", "succeeded", 1),
    ("plain.defers", "default", None, None, "succeeded", 1),
    ("plain.retried", "default", None, None, "failed", 3),
    ("plain.retried_by_number", "default", None, None, "failed", 2),
]


@pytest.mark.parametrize("settings", [BEFORE, AFTER])
def test_its_jobs_locks_retries_blueprints_and_periodic_tasks_work(tiny: TinyProject, settings: str):
    tiny.forget_everything()
    tiny.rows("TRUNCATE procrastinate_periodic_defers")
    done = tiny.run("shell", "--settings", settings, "--verbosity", "0", "-c", DEFER)
    assert done.stdout.strip() == "refused", done.stderr

    worker = tiny.start_worker("--concurrency", "4", DJANGO_SETTINGS_MODULE=settings)
    wait_until(lambda: jobs(tiny) == EXPECTED, what=f"all jobs ended as expected: {jobs(tiny)}")
    wait_until(lambda: len(ticks(tiny, "plain.tick")) > 3, what="@app.periodic ticks each second")
    wait_until(lambda: len(ticks(tiny, "mail:digest")) > 2, what="a blueprint's ticks every other")
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(60) == 0

    assert order(tiny) == ["urgent", "guest 0", "guest 1", "guest 2"]
    # On a busy machine a tick is left out while the one before it still waits: that is what its lock is for.
    assert {(later - earlier) % 2 for earlier, later in pairwise(ticks(tiny, "mail:digest"))} == {0}
    assert not set(ticks(tiny, "plain.tick")).isdisjoint(ticks(tiny, "mail:digest"))


def test_check_has_nothing_against_it(tiny: TinyProject):
    checked = tiny.run("check", "--settings", AFTER, "--fail-level", "WARNING")

    assert checked.returncode == 0, checked.stderr


def jobs(tiny: TinyProject) -> list[tuple[Any, ...]]:
    rows = tiny.rows(
        "SELECT task_name, queue_name, lock, args ->> 'address' AS address, status::text, attempts"
        " FROM procrastinate_jobs WHERE task_name <> ALL('{plain.tick,mail:digest}') ORDER BY 1, 4"
    )
    return [tuple(row.values()) for row in rows]


def order(tiny: TinyProject) -> list[str]:
    """In which order the jobs with one lock began, of those that were deferred beforehand."""
    rows = tiny.rows(
        "SELECT job.args ->> 'address' AS address FROM procrastinate_events AS event"
        " JOIN procrastinate_jobs AS job ON job.id = event.job_id"
        " WHERE event.type = 'started' AND job.lock = 'server' AND job.args ->> 'address' <> 'from a task'"
        " ORDER BY event.id"
    )
    return [row["address"] for row in rows]


def ticks(tiny: TinyProject, task: str) -> list[int]:
    rows = tiny.rows(
        "SELECT DISTINCT (args ->> 'timestamp')::int AS at FROM procrastinate_jobs"
        " WHERE task_name = %s AND status = 'succeeded' AND args ->> 'timestamp' <> '0' ORDER BY 1",
        task,
    )
    return [row["at"] for row in rows]
