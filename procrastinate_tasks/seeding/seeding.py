"""Fills the queue's tables with a past and a present, by SQL that works on whole stretches of jobs."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connections
from django.utils.translation import gettext
from procrastinate.contrib.django import app

from procrastinate_tasks.conf import queue_settings
from procrastinate_tasks.database import (
    atomic,
    database_alias,
    database_now,
    execute,
    fetch_row,
    fetch_rows,
    statement,
)
from procrastinate_tasks.schedule.periodic import all_schedules
from procrastinate_tasks.seeding.samples import SampleRow, sample_rows

STRETCH = 50_000
RELEASE = "v42"
_WORKERS = 3
_SILENCE = timedelta(seconds=30)  # seeded workers do not beat: so long they are shown as alive
# Tasks of Procrastinate and of this app: their arguments are not for people to make up.
_OURS = ("builtin:", "procrastinate_tasks.")
_LEAST_SAMPLES = 20
_MOST_SAMPLES_OF_A_TASK = 4_000

_BEAT = """
-- Another beat of the seeded workers, except of those that were lost when they were made.
UPDATE procrastinate_workers AS worker
SET last_heartbeat = now()
FROM procrastinate_tasks_liveworker AS live, procrastinate_tasks_seeded AS note
WHERE worker.id = ANY(note.worker_ids[1:cardinality(note.worker_ids) - 1])
  AND live.worker_id = worker.id
RETURNING worker.id
"""

_FAULT_TABLE = """
-- What seeded attempts fail with.
CREATE TEMPORARY TABLE seed_fault (
    n integer PRIMARY KEY,
    exception_class text NOT NULL,
    message text NOT NULL,
    traceback text NOT NULL,
    fingerprint text NOT NULL
) ON COMMIT PRESERVE ROWS
"""

_FAULTS = """
-- Fill the faults of this connection.
INSERT INTO seed_fault (n, exception_class, message, traceback, fingerprint)
SELECT place, fault.exception_class, fault.message, fault.traceback, fault.fingerprint
FROM unnest(%(classes)s::text[], %(messages)s::text[], %(tracebacks)s::text[], %(fingerprints)s::text[])
    WITH ORDINALITY AS fault (exception_class, message, traceback, fingerprint, place)
"""

_FORGET_EVENTS = """
-- The events that Procrastinate's triggers wrote of this stretch: they say now, not when it happened.
DELETE FROM procrastinate_events AS event
USING seed_plan
WHERE event.job_id = seed_plan.id
"""

_NOTE = """
-- Note which jobs were made in this transaction.
INSERT INTO procrastinate_tasks_seeded (first_job_id, last_job_id)
SELECT min(id), max(id) FROM seed_plan
"""

_NOTE_SETTING = """
-- Note the rest of what was made; it names no job.
INSERT INTO procrastinate_tasks_seeded (first_job_id, last_job_id, worker_ids, schedule_names, paused_queues)
VALUES (0, -1, %(worker_ids)s, %(schedule_names)s, %(queues)s)
"""

_NOTE_TABLE = """
-- Where seeding notes what it made, so that exactly that can be removed; the table goes with the last of it.
CREATE TABLE IF NOT EXISTS procrastinate_tasks_seeded (
    id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    first_job_id bigint NOT NULL,
    last_job_id bigint NOT NULL,
    worker_ids bigint[] NOT NULL DEFAULT '{}',
    schedule_names text[] NOT NULL DEFAULT '{}',
    paused_queues text[] NOT NULL DEFAULT '{}'
)
"""

_SAMPLE_TABLE = """
-- What the seeded jobs of this connection are copied from; fault_ids leads into the other table.
CREATE TEMPORARY TABLE seed_sample (
    n integer PRIMARY KEY,
    task_name text NOT NULL,
    queue_name text NOT NULL,
    priority integer NOT NULL,
    args jsonb NOT NULL,
    fault_ids integer[] NOT NULL
) ON COMMIT PRESERVE ROWS
"""

_SAMPLES = """
-- Fill the samples of this connection.
INSERT INTO seed_sample (n, task_name, queue_name, priority, args, fault_ids)
SELECT place, sample.task_name, sample.queue_name, sample.priority, sample.args::jsonb,
    string_to_array(sample.fault_ids, ',')::integer[]
FROM unnest(
    %(task_names)s::text[], %(queues)s::text[], %(priorities)s::integer[], %(arguments)s::text[],
    %(fault_ids)s::text[]
) WITH ORDINALITY AS sample (task_name, queue_name, priority, args, fault_ids, place)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seeding:
    """What is to be made.

    Attributes:
        span: how far back the oldest job goes.
        locks: how many distinct locks the jobs share.
    """

    count: int
    seed: int
    locks: int = 100_000
    span: timedelta = timedelta(days=30)

    @property
    def recent(self) -> int:
        """How many of the newest jobs are in part still waiting."""
        return min(max(100, self.count // 200), max(1, self.count // 10))

    @property
    def running(self) -> int:
        return min(36, self.count // 20)

    @property
    def orphans(self) -> int:
        return min(5, self.count // 100)

    @property
    def blocked(self) -> int:
        return min(12, self.running)


def seed(seeding: Seeding) -> Iterator[int]:
    """Make workers, jobs with all that belongs to them, schedules and rules.

    Each stretch of jobs is a transaction, and noted in it: an interrupted seeding is removed like a whole
    one.

    Yields:
        How many jobs there are so far.
    """
    execute(_NOTE_TABLE)
    rows = sample_rows(_tasks(), rng=random.Random(seeding.seed))  # noqa: S311 - no secret is drawn
    samples = _store_samples(rows)
    try:
        worker_ids = _make_setting(seeding)
        for first in range(1, seeding.count + 1, STRETCH):
            last = min(first + STRETCH - 1, seeding.count)
            _make_stretch(seeding, first=first, last=last, samples=samples, worker_ids=worker_ids)
            yield last
        _make_schedules(seeding)
    finally:
        _execute("DROP TABLE IF EXISTS seed_sample, seed_fault")
    _analyze()


def beat() -> int:
    """Let the seeded workers that live beat once more. Returns how many do."""
    return len(fetch_rows(_BEAT))


def has_seeded() -> bool:
    row = fetch_row("SELECT to_regclass('procrastinate_tasks_seeded') IS NOT NULL AS it")
    return bool(row["it"])


def clear() -> Iterator[int]:
    """Remove what seeding made, and nothing else.

    Yields:
        How many jobs are gone so far.
    """
    if not has_seeded():
        return
    gone = 0
    for note in fetch_rows("SELECT id FROM procrastinate_tasks_seeded ORDER BY id DESC"):
        with atomic():
            gone += fetch_row(statement("seeding/remove"), note=note["id"])["jobs"]
        yield gone
    execute("DROP TABLE procrastinate_tasks_seeded")
    _analyze()


def _tasks() -> list[tuple[str, str, int]]:
    app.perform_import_paths()
    unique = {task.name: task for task in app.tasks.values() if not task.name.startswith(_OURS)}
    return [(name, task.queue, task.priority) for name, task in sorted(unique.items())]


def _store_samples(rows: Sequence[SampleRow]) -> int:
    """Copy what to draw from into tables of this connection. Returns how many samples there are."""
    execute(_FAULT_TABLE)
    execute(_SAMPLE_TABLE)
    faults = [fault for row in rows for fault in row.faults]
    execute(
        _FAULTS,
        classes=[fault.exception_class for fault in faults],
        messages=[fault.message for fault in faults],
        tracebacks=[fault.traceback for fault in faults],
        fingerprints=[fault.fingerprint for fault in faults],
    )
    samples = _spread(rows)
    execute(
        _SAMPLES,
        task_names=[sample["task_name"] for sample in samples],
        queues=[sample["queue"] for sample in samples],
        priorities=[sample["priority"] for sample in samples],
        arguments=[sample["args"] for sample in samples],
        fault_ids=[sample["fault_ids"] for sample in samples],
    )
    return len(samples)


def _spread(rows: Sequence[SampleRow]) -> list[dict[str, Any]]:
    """Repeat each task's samples by its weight, its arguments in turn."""
    widest = max((len(row.arguments) / row.weight for row in rows), default=1)
    unit = int(min(max(widest, _LEAST_SAMPLES), _MOST_SAMPLES_OF_A_TASK))
    samples: list[dict[str, Any]] = []
    next_fault = 1
    for row in rows:
        fault_ids = ",".join(str(next_fault + place) for place in range(len(row.faults)))
        next_fault += len(row.faults)
        samples += [
            {
                "task_name": row.task_name,
                "queue": row.queue,
                "priority": row.priority,
                "args": json.dumps(row.arguments[place % len(row.arguments)]),
                "fault_ids": fault_ids,
            }
            for place in range(unit * row.weight)
        ]
    return samples


def _make_setting(seeding: Seeding) -> list[int]:
    """Make the workers and the rules of queues. Returns the ids of the workers, the lost one last."""
    tasks = _tasks()
    with atomic():
        worker_ids: list[int] = fetch_row(
            statement("seeding/workers"),
            count=_WORKERS,
            release=RELEASE,
            tasks=json.dumps([name for name, _, _ in tasks]),
            orphaned_after=_SILENCE,
        )["ids"]
        queues = fetch_row(
            statement("seeding/rules"),
            queues=sorted({queue for _, queue, _ in tasks})[1:3],
            reason=gettext("the mail server is being moved (made up)"),
        )["queues"]
        execute(_NOTE_SETTING, worker_ids=worker_ids, schedule_names=[], queues=queues)
    return worker_ids


def _make_stretch(
    seeding: Seeding,
    *,
    first: int,
    last: int,
    samples: int,
    worker_ids: list[int],
) -> None:
    settings = queue_settings()
    with atomic():
        # Nobody's jobs get numbers between ours: what was seeded is then a range.
        execute("LOCK TABLE procrastinate_jobs IN SHARE ROW EXCLUSIVE MODE")
        execute(
            statement("seeding/plan"),
            first=first,
            last=last,
            count=seeding.count,
            seed=seeding.seed,
            locks=max(1, min(seeding.locks, seeding.count // 4)),
            span=seeding.span,
            recent=seeding.recent,
            running=seeding.running,
            orphans=seeding.orphans,
            blocked=seeding.blocked,
            samples=samples,
            worker_ids=worker_ids,
            release=RELEASE,
            stamp=worker_ids[0],
        )
        execute(statement("seeding/jobs"))
        execute(_FORGET_EVENTS)
        execute(statement("seeding/events"))
        execute(
            statement("seeding/attempts"),
            worker_ids=worker_ids,
            keep_successes_for=settings.keep_successes_for,
            keep_failures_for=settings.keep_failures_for,
        )
        execute(_NOTE)
        execute("DROP TABLE seed_plan")


def _make_schedules(seeding: Seeding) -> None:
    now = database_now()
    schedules = [(schedule, _last_tick(schedule.cron.next_after, now)) for schedule in all_schedules()]
    with atomic():
        names = fetch_row(
            statement("seeding/schedules"),
            names=[schedule.name for schedule, _ in schedules],
            tasks=[schedule.task_name for schedule, _ in schedules],
            definitions=[schedule.definition for schedule, _ in schedules],
            ticked_ats=[ticked_at for _, ticked_at in schedules],
            span=seeding.span,
        )["names"]
        execute(_NOTE_SETTING, worker_ids=[], schedule_names=names, queues=[])


def _last_tick(next_after: Callable[[datetime], datetime | None], now: datetime) -> datetime | None:
    """Return the latest tick before now that can be found by looking back further and further."""
    for back in (timedelta(hours=1), timedelta(days=1), timedelta(days=8), timedelta(days=40)):
        tick = next_after(now - back)
        latest = None
        while tick is not None and tick <= now:
            tick, latest = next_after(tick), tick
        if latest is not None:
            return latest
    return None


def _analyze() -> None:
    _execute("ANALYZE procrastinate_jobs, procrastinate_events, procrastinate_tasks_jobattempt")


def _execute(sql: str) -> None:
    with connections[database_alias()].cursor() as cursor:
        cursor.execute(sql)
