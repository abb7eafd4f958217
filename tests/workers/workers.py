"""Real workers for tests: start one as a process, wait for what it should do, look at what it did."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from django.db import connection

from tests.log_scan import assert_no_secrets_in
from tests.workers.nursery import Fork, Nursery

T = TypeVar("T")

ROOT = Path(__file__).resolve().parents[2]
QUIET_SECONDS = 20.0

# Where nothing else runs (`make soak`) what is promised in seconds has to come within them. Elsewhere a test
# asks for the order of events alone, and waits as long as it takes to be sure that nothing comes.
KEEPS_TIME = os.environ.get("KEEP_TIME") == "1"
SURELY_HANGING = 120.0

_nurseries: dict[frozenset[tuple[str, str]], Nursery | None] = {}


@dataclass(frozen=True, slots=True)
class StartedWorker:
    """A running ``manage.py procrastinate worker``; ``pid`` is its supervisor's."""

    process: subprocess.Popen[bytes] | Fork
    log: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    def read_log(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    def stop(self, *, within: float = QUIET_SECONDS) -> int:
        """Sends SIGTERM and returns the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.wait(within=within)

    def wait(self, *, within: float = QUIET_SECONDS) -> int:
        """Waits until the supervisor has ended, and returns its exit code; see ``wait_for``."""
        return self.process.wait(timeout=granted(within))

    def forks(self) -> list[int]:
        """The supervisor's living forks; none once it has ended, when its pid may be somebody else's."""
        return forks_of(self.pid) if self.process.poll() is None else []

    def fork_named(self, name: str) -> list[int]:
        """The supervisor's forks with this name: ``queue worker``, ``queue child``."""
        return [pid for pid in self.forks() if name_of(pid).startswith(name)]

    def pids(self) -> list[int]:
        """The whole host: the supervisor and its forks."""
        forks = self.forks()
        return [self.pid, *forks] if self.process.poll() is None else forks


def forks_of(pid: int) -> list[int]:
    """The pids of a process's living children."""
    return [int(child) for child in read_proc(pid, f"task/{pid}/children").split()]


def name_of(pid: int) -> str:
    return read_proc(pid, "comm").strip()


def is_running(pid: int) -> bool:
    status = read_proc(pid, "status")
    return bool(status) and "\nState:\tZ" not in status


def peak_memory_of(pid: int) -> int:
    """The most bytes a process ever had resident; 0 when it has ended."""
    lines = (line.split() for line in read_proc(pid, "status").splitlines())
    return next((int(line[1]) * 1024 for line in lines if line[0] == "VmHWM:"), 0)


def read_proc(pid: int, file: str) -> str:
    """What the kernel says of a process; nothing when it has ended.

    A process that ends between the opening and the reading is not a missing file, but ESRCH.
    """
    try:
        return Path(f"/proc/{pid}/{file}").read_text(encoding="ascii")
    except (FileNotFoundError, ProcessLookupError):
        return ""


@contextmanager
def started_worker(
    log: Path,
    *options: str,
    database_url: str | None = None,
    wait_until_up: bool = True,
    settings_module: str = "tests.workers.settings",
    environment: Mapping[str, str] | None = None,
    checkout: Path = ROOT,
) -> Iterator[StartedWorker]:
    """Runs a worker on the test database until the block ends."""
    whole_environment = {
        **os.environ,
        **(environment or {}),
        "DJANGO_SETTINGS_MODULE": settings_module,
        "DATABASE_URL": database_url or current_database_url(),
        "PYTHONUNBUFFERED": "1",
    }
    arguments = ["procrastinate", "worker", *options]
    nursery = None if environment or checkout != ROOT else _nursery_of(whole_environment)
    worker = StartedWorker(
        nursery.start(arguments, log=log)
        if nursery
        else _start(arguments, log=log, checkout=checkout, environment=whole_environment),
        log,
    )
    try:
        if wait_until_up:
            wait_for(lambda: worker.fork_named("queue child"))
        yield worker
    finally:
        end(worker)
    assert_no_secrets_in(log)


def _start(
    arguments: list[str], *, log: Path, checkout: Path, environment: dict[str, str]
) -> subprocess.Popen[bytes]:
    command = [sys.executable, "manage.py", *arguments]
    with log.open("ab") as output:
        return subprocess.Popen(command, cwd=checkout, env=environment, stdout=output, stderr=output)


def _nursery_of(environment: dict[str, str]) -> Nursery | None:
    """Return where workers of this environment come from, once there has been one."""
    lasting = {name: value for name, value in environment.items() if name != "PYTEST_CURRENT_TEST"}
    key = frozenset(lasting.items())
    if key not in _nurseries:
        _nurseries[key] = None
        return None
    nursery = _nurseries[key] = _nurseries[key] or Nursery(ROOT, lasting)
    return nursery


def end(worker: StartedWorker) -> None:
    """Kills what is left, stopped or not, and waits until it is gone: the next test shall not meet it."""
    forks = worker.forks()
    worker.process.kill()
    send(forks, signal.SIGKILL)
    worker.process.wait()
    wait_for(lambda: not any(is_running(pid) for pid in forks))


def send(pids: Iterable[int], number: signal.Signals) -> None:
    """Signals processes; one that has just ended needs none."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def current_database_url() -> str:
    """Return the address of the database that this test uses; the host may be a socket's directory."""
    settings = connection.settings_dict
    user, host = (quote(str(settings[part]), safe="") for part in ("USER", "HOST"))
    return f"postgres://{user}@{host}:{settings['PORT']}/{settings['NAME']}"


def granted(promised: float) -> float:
    """Return how many seconds a test grants for what is promised within so many on a machine at rest."""
    return promised if KEEPS_TIME else max(promised, SURELY_HANGING)


def wait_for(read: Callable[[], T], *, within: float = QUIET_SECONDS) -> T:
    """Returns the first truthy answer.

    Args:
        within: seconds on a machine at rest; see ``granted``.

    Raises:
        AssertionError: There was none in time.
    """
    seconds, begun = granted(within), time.monotonic()
    while True:
        answer = read()
        if answer:
            return answer
        waited = time.monotonic() - begun
        assert waited < seconds, f"not within {seconds:g} s; last answer: {answer!r}"
        pause(waited)


def pause(waited: float) -> None:
    """Sleeps before the next look: who has waited for long looks less often."""
    time.sleep(min(max(waited / 20, 0.02), 0.1))


def insert_jobs(
    task: str,
    args: dict[str, Any] | None = None,
    *,
    count: int = 1,
    queue: str = "default",
    priority: int = 0,
    lock: str | None = None,
    queueing_lock: str | None = None,
    scheduled_at: datetime | None = None,
) -> list[int]:
    """Inserts waiting jobs as any client would, and returns their ids in order."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO procrastinate_jobs
                (queue_name, task_name, priority, lock, queueing_lock, args, scheduled_at)
            SELECT %s, %s, %s, %s, %s, %s::jsonb, %s FROM generate_series(1, %s)
            RETURNING id
            """,
            [queue, task, priority, lock, queueing_lock, json.dumps(args or {}), scheduled_at, count],
        )
        return [row[0] for row in cursor.fetchall()]


def query(sql: str, *params: str | float | list[int]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return list(cursor.fetchall())


def status_of(job_id: int) -> str:
    return str(query("SELECT status::text FROM procrastinate_jobs WHERE id = %s", job_id)[0][0])


def attempts_of(job_id: int) -> int:
    return int(query("SELECT attempts FROM procrastinate_jobs WHERE id = %s", job_id)[0][0])


def count_jobs(*statuses: str) -> int:
    """Count the jobs in any of these states at one moment: a rescued job goes back from "doing" to "todo"."""
    counted = "SELECT count(*) FROM procrastinate_jobs WHERE status::text = ANY (string_to_array(%s, ','))"
    return int(query(counted, ",".join(statuses))[0][0])


def started_count(job_id: int) -> int:
    """How many times a job was claimed."""
    rows = query("SELECT count(*) FROM procrastinate_events WHERE job_id = %s AND type = 'started'", job_id)
    return int(rows[0][0])


def outcomes_of(job_id: int) -> list[tuple[Any, ...]]:
    """Outcome, exception class and result of each recorded attempt."""
    return query(
        "SELECT outcome, exception_class, result FROM procrastinate_tasks_jobattempt"
        " WHERE job_id = %s ORDER BY id",
        job_id,
    )


def end_the_patience_with(job_id: int) -> None:
    """Have a job that did not fit its task wait no longer for a release that may know better."""
    wait_for(lambda: outcomes_of(job_id))
    query(
        "UPDATE procrastinate_tasks_jobattempt SET finished_at = finished_at - interval '30 seconds'"
        " WHERE job_id = %s RETURNING id",
        job_id,
    )


def sessions_asleep() -> int:
    """Database sessions that still sleep in a job's query."""
    rows = query(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database()"
        " AND query LIKE 'SELECT pg_sleep%%' AND state = 'active' AND application_name LIKE 'queue child%%'"
    )
    return int(rows[0][0])
