"""Drives the tiny project as its operator would: its own database, real processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, LiteralString

import psycopg
from psycopg.rows import dict_row

from tests.workers.workers import pause

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 60.0
# A web process of the project: runs the code of each line it is given, and tells what was printed or failed.
WEB_PROCESS = """
import contextlib, io, json, sys, traceback
import django
django.setup()
from django.db import connections
for line in sys.stdin:
    printed, failure = io.StringIO(), ""
    try:
        with contextlib.redirect_stdout(printed):
            exec(json.loads(line), {})
    except BaseException:
        failure = traceback.format_exc()
    connections.close_all()
    print(json.dumps([printed.getvalue(), failure]), flush=True)
"""


@dataclass
class TinyProject:
    """The tiny project on a database of its own; each worker writes its log to ``log_path``."""

    environment: Mapping[str, str]
    log_path: Path
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)
    web: subprocess.Popen[str] | None = None

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a management command to its end, without judging its exit code."""
        return self._run("-m", "django", *arguments)

    def python(self, code: str) -> subprocess.CompletedProcess[str]:
        """Run code without any settings."""
        return self._run("-c", code)

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS * 2,
            check=False,
        )

    def shell(self, code: str) -> str:
        """Run code in the project's web process, which lives as long as it does; return what it printed."""
        self.web = self.web or self._open_web_process()
        assert self.web.stdin and self.web.stdout
        print(json.dumps(code), file=self.web.stdin, flush=True)
        printed, failure = json.loads(self.web.stdout.readline())
        assert not failure, failure
        return str(printed).strip()

    def _open_web_process(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", WEB_PROCESS],
            cwd=ROOT,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def close_web_process(self) -> None:
        if self.web:
            self.web.communicate(timeout=PATIENCE_SECONDS)

    def defer(self, task_name: str, **args: object) -> int:
        """Defer a job by its task's name and return its id."""
        code = f"from procrastinate_tasks.jobs.deferring import defer; print(defer({task_name!r}, {args!r}))"
        return int(self.shell(code))

    def start_worker(self, *options: str, **extra_environment: str) -> subprocess.Popen[bytes]:
        """Start ``manage.py procrastinate worker`` in a process group of its own."""
        return self._start("-m", "django", "procrastinate", "worker", *options, **extra_environment)

    def start_procrastinate_s_worker(self, **options: object) -> subprocess.Popen[bytes]:
        """Start Procrastinate's own worker on the project's app, as its documentation shows."""
        code = (
            "import django; django.setup()\n"
            "from procrastinate.contrib.django import app\n"
            "with app.replace_connector(app.connector.get_worker_connector()):\n"
            f"    app.run_worker(**{options!r})\n"
        )
        return self._start("-c", code)

    def _start(self, *arguments: str, **extra_environment: str) -> subprocess.Popen[bytes]:
        with self.log_path.open("ab") as log:
            worker = subprocess.Popen(
                [sys.executable, *arguments],
                cwd=ROOT,
                env={**self.environment, **extra_environment},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.workers.append(worker)
        return worker

    def stop_workers(self) -> None:
        """End every worker that still runs, the hard way."""
        for worker in self.workers:
            if worker.poll() is None:
                os.killpg(worker.pid, signal.SIGKILL)
            worker.wait(PATIENCE_SECONDS)
        self.workers.clear()

    def rows(self, query: LiteralString, *parameters: object) -> list[dict[str, Any]]:
        """Run SQL on the project's database, beside Django."""
        with psycopg.connect(
            host=self.environment["PGHOST"],
            port=self.environment["PGPORT"],
            user=self.environment["PGUSER"],
            password=self.environment["PGPASSWORD"],
            dbname=self.environment["PGDATABASE"],
            autocommit=True,
            row_factory=dict_row,
        ) as connection:
            cursor = connection.execute(query, parameters)
            return cursor.fetchall() if cursor.description else []

    def value(self, query: LiteralString, *parameters: object) -> Any:
        """Return the single value a query answers."""
        (row,) = self.rows(query, *parameters)
        (value,) = row.values()
        return value

    def log_lines(self) -> list[dict[str, Any]]:
        """Return the workers' log, each line parsed; lines that are no JSON are left out."""
        lines = self.log_path.read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]

    def status_of(self, job_id: int) -> str:
        return str(self.value("SELECT status FROM procrastinate_jobs WHERE id = %s", job_id))

    def outcomes(self, job_id: int) -> list[str]:
        """Return how the job's attempts ended, the first one first."""
        rows = self.rows(
            "SELECT outcome FROM procrastinate_tasks_jobattempt WHERE job_id = %s ORDER BY id", job_id
        )
        return [row["outcome"] for row in rows]

    def notes(self) -> list[str]:
        return [row["text"] for row in self.rows("SELECT text FROM notes_note ORDER BY id")]

    def forget_everything(self) -> None:
        """Empty the tables, for the next test."""
        self.rows(
            "TRUNCATE procrastinate_jobs, procrastinate_events, procrastinate_workers, notes_note,"
            " procrastinate_tasks_jobattempt, procrastinate_tasks_schedulestate CASCADE"
        )
        self.log_path.write_text("")


def wait_until(condition: Callable[[], bool], *, what: str, seconds: float = PATIENCE_SECONDS) -> None:
    """Poll until the condition holds, and fail naming it when the deadline passes."""
    begun = time.monotonic()
    while not condition():
        waited = time.monotonic() - begun
        assert waited < seconds, f"not within {seconds} s: {what}"
        pause(waited)


@contextmanager
def tiny_project(*, server: Mapping[str, Any], log_path: Path) -> Iterator[TinyProject]:
    """Create the project's database beside Django's, migrate it, and drop it in the end."""
    name = f"{server['NAME']}_tiny_{os.getpid()}"
    environment = {**of_the_server(server), "DJANGO_SETTINGS_MODULE": "tests.tiny_project.settings"}
    admin = TinyProject(environment={**environment, "PGDATABASE": "postgres"}, log_path=log_path)
    project = TinyProject(environment={**environment, "PGDATABASE": name}, log_path=log_path)
    recreate(admin, name)
    try:
        migrated = project.run("migrate", "-v0")
        assert migrated.returncode == 0, migrated.stderr
        yield project
    finally:
        project.stop_workers()
        project.close_web_process()
        drop(admin, name)


def of_the_server(server: Mapping[str, Any]) -> dict[str, str]:
    """Return the environment with libpq's variables for a server."""
    return {
        **{key: value for key, value in os.environ.items() if not key.startswith("PG")},
        "PGHOST": server["HOST"] or "",
        "PGPORT": str(server["PORT"] or "5432"),
        "PGUSER": server["USER"] or "",
        "PGPASSWORD": server["PASSWORD"] or "",
    }


def recreate(admin: TinyProject, name: str) -> None:
    drop(admin, name)
    admin.rows(f'CREATE DATABASE "{name}"')


def drop(admin: TinyProject, name: str) -> None:
    admin.rows(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
