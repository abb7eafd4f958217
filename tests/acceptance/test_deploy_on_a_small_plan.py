"""A rolling deploy of the Procfile on a plan of twenty connections: no job fails, none is done twice."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg
import pytest

from tests.acceptance.dynos import ROOT, Dyno, collect_static, procfile, running_dyno, status_at, stop
from tests.acceptance.live_house import SECRET
from tests.ports import free_port
from tests.stripe_transport import TEST_KEY
from tests.workers.postgres import Server, own_server
from tests.workers.storm.ledger import PATH_VARIABLE, read_runs
from tests.workers.workers import wait_for

pytestmark = pytest.mark.slow  # a minute, with five processes: run it with -m slow

CONNECTIONS = 20
SLOTS_OF_A_WORKER = 4
JOBS_A_SECOND = 40
VISITORS = 4
# Both releases serve side by side for this long before the old one is told to stop.
OVERLAP_SECONDS = 25.0

_ORDER = """
INSERT INTO procrastinate_jobs (task_name, queue_name, args)
SELECT 'small_plan.query', 'default', '{}' FROM generate_series(1, %s)
"""
_RUNNING = "SELECT worker_id, count(*) FROM procrastinate_jobs WHERE status = 'doing' GROUP BY worker_id"
_UNFINISHED = "SELECT count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing')"
_SUCCEEDED = "SELECT count(*) FROM procrastinate_jobs WHERE status = 'succeeded'"
_BAD_ENDS = """
SELECT outcome, message FROM procrastinate_tasks_jobattempt WHERE outcome NOT IN ('succeeded', 'interrupted')
"""
_CHARGED = "SELECT count(*) FROM procrastinate_jobs WHERE attempts <> 1"


class Load:
    """Orders jobs at a steady pace, visits pages, and looks all the while how many jobs are ``doing``."""

    def __init__(self, server: Server) -> None:
        self._url = server.url  # the superuser's, whom no limit concerns
        self._over = threading.Event()
        self.pages: list[str] = []
        self.ordered = 0
        self.most_running: Counter[int] = Counter()

    @contextmanager
    def going_on(self) -> Iterator[None]:
        work = [self._order, self._look, *[self._visit] * VISITORS]
        threads = [threading.Thread(target=each) for each in work]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._over.set()
            for thread in threads:
                thread.join()

    def _order(self) -> None:
        began = time.monotonic()
        with psycopg.connect(self._url, autocommit=True) as connection:
            while not self._over.wait(0.1):
                due = int((time.monotonic() - began) * JOBS_A_SECOND) - self.ordered
                connection.execute(_ORDER, [due])
                self.ordered += due

    def _visit(self) -> None:
        while not self._over.wait(0.2):
            for page in list(self.pages):
                status_at(page)

    def _look(self) -> None:
        with psycopg.connect(self._url, autocommit=True) as connection:
            while not self._over.wait(0.05):
                for worker_id, running in connection.execute(_RUNNING).fetchall():
                    self.most_running[worker_id] = max(self.most_running[worker_id], running)


@pytest.fixture
def server() -> Iterator[Server]:
    with own_server() as server:
        server.rows("CREATE ROLE site LOGIN IN ROLE pg_read_all_data, pg_write_all_data")
        server.rows(f"ALTER ROLE site CONNECTION LIMIT {CONNECTIONS}")
        yield server


@pytest.fixture
def release(server: Server, tmp_path: Path) -> Callable[[ExitStack], tuple[list[Dyno], str]]:
    """Does what a deploy does: the release phase, then web and worker; answers where the web process is."""
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.acceptance.small_plan_settings",
        "DATABASE_URL": server.url.replace("postgres@", "site@", 1),
        "DYNO_STATIC_ROOT": str(tmp_path / "static"),
        PATH_VARIABLE: str(tmp_path / "ledger"),
        "DEBUG": "False",
        "SECRET_KEY": os.environ.get("SECRET_KEY", "insecure-development-key"),
        "SITE_BASE_URL": "https://reyes.example",
        "STRIPE_SECRET_KEY": TEST_KEY,
        "STRIPE_WEBHOOK_SECRETS": SECRET,
        "EMAIL_URL": "dummymail://",
        "WEB_CONCURRENCY": "2",
    }
    (tmp_path / "ledger").touch()
    collect_static(environment)

    def start(stack: ExitStack) -> tuple[list[Dyno], str]:
        port = free_port()
        _run_release_phase(environment)
        dynos = [
            stack.enter_context(
                running_dyno(
                    name, log=tmp_path / f"{name}-{port}.log", environment={**environment, "PORT": str(port)}
                )
            )
            for name in ("web", "worker")
        ]
        return dynos, f"http://127.0.0.1:{port}/"

    return start


def _run_release_phase(environment: dict[str, str]) -> None:
    """Run the Procfile's line, but for the checks of a production's settings, which no test has."""
    _, _, commands = procfile()["release"].partition("&&")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(
        ["sh", "-c", commands.strip()], cwd=ROOT, env={**environment, "PATH": path}, check=True, timeout=600
    )


def test_a_deploy_on_twenty_connections_fails_no_job_and_runs_none_twice(
    server: Server, release: Callable[[ExitStack], tuple[list[Dyno], str]], tmp_path: Path
):
    load = Load(server)
    with ExitStack() as stack:
        old, page = release(stack)
        wait_for(lambda: status_at(page) == 200)
        with load.going_on():
            load.pages.append(page)
            wait_for(lambda: server.rows(_SUCCEEDED)[0][0] > JOBS_A_SECOND)
            new, page = release(stack)
            load.pages.append(page)
            both_since = time.monotonic()
            wait_for(lambda: time.monotonic() - both_since > OVERLAP_SECONDS)
            load.pages.pop(0)
            ended = stop(old)
            wait_for(lambda: status_at(page) == 200)
        wait_for(lambda: server.rows(_UNFINISHED) == [(0,)], within=60)
        stop(new)

    complete = Counter(run.job_id for run in read_runs(tmp_path / "ledger") if run.is_complete)
    assert set(ended) == {"web", "worker"}  # nobody had to be killed
    assert server.rows(_BAD_ENDS) == []
    assert server.rows(_SUCCEEDED) == [(load.ordered,)]
    assert server.rows(_CHARGED) == [(0,)]
    assert (len(complete), set(complete.values())) == (load.ordered, {1})
    assert max(load.most_running.values()) <= SLOTS_OF_A_WORKER
    assert len(load.most_running) == 2  # each release did some of it
