"""Celery on Redis: late acknowledgement, one job prefetched a process, results kept."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.peer import JobsNotDone, PeerUnavailable, Span
from benchmarks.processes import ROOT, WorkerProcess
from benchmarks.workload import STAMPS_VARIABLE, WAIT_SECONDS, Work

NAME = "Celery + Redis"
PATIENCE_SECONDS = 180.0
PYTHON = ROOT / ".local" / "bench" / "celery" / "bin" / "python"

_WAITING = {Work.WAIT_ASYNC, Work.WAIT_SYNC}
_SAME_TASK = {Work.NOOP_ASYNC: Work.NOOP_SYNC, Work.WAIT_ASYNC: Work.WAIT_SYNC}


class CeleryRedis:
    """Celery's prefork worker; it has no coroutine tasks, so both kinds of work are its plain functions."""

    name = NAME
    database = None
    claim_statement = ""
    # Processes, not threads or coroutines: a hundred only push each other off the processor.
    drain_concurrencies = (os.cpu_count() or 1, 20)
    process_counts = ()  # its concurrency is one
    has_job_table = False

    def __init__(self, *, folder: Path, redis_socket: Path) -> None:
        self.stamps = folder / "celery.stamps"
        self.log = folder / "celery.log"
        self._environment = {
            **os.environ,
            "BENCH_REDIS_SOCKET": str(redis_socket),
            STAMPS_VARIABLE: str(self.stamps),
        }
        self._client = Client(self._environment)
        self._own_connections = 0
        self._shortest = timedelta(0)
        self._worker: WorkerProcess | None = None

    def start(self, *, concurrency: int, processes: int | None = None) -> None:
        self._own_connections = self._client.ask("connections")["count"]
        options = ["--concurrency", str(concurrency), "--loglevel", "WARNING"]
        self._worker = WorkerProcess(
            [str(PYTHON), "-m", "celery", "--app", "benchmarks.workers.celery_app", "worker", *options],
            environment=self._environment,
            log=self.log,
        )

    def load(self, work: Work, count: int) -> None:
        self._shortest = timedelta(seconds=WAIT_SECONDS if work in _WAITING else 0)
        self._client.ask("load", task=_SAME_TASK.get(work, work).value, count=count)

    def wait(self, count: int) -> Span:
        answer = self._client.ask("wait", count=count, seconds=PATIENCE_SECONDS)
        if answer["done"] < count:
            raise JobsNotDone(
                peer=NAME, done=answer["done"], failed=answer["failed"], wanted=count, log=self.log
            )
        first, last = (datetime.fromtimestamp(answer[end][0], UTC) for end in ("first", "last"))
        return Span(first - self._shortest, last)  # Celery keeps when a job ended, not when it started

    def send(self, token: int) -> float:
        return float(self._client.ask("send", token=token)["sent"])

    def seconds_to_defer(self, *, singles: int, bulk: int) -> dict[str, float]:
        return {}  # its broker shares no transaction with a row

    def connections(self) -> int:
        return int(self._client.ask("connections")["count"]) - self._own_connections

    def process_id(self) -> int:
        return self._worker.pid if self._worker else 0

    def stop(self) -> None:
        if self._worker:
            self._worker.stop()
        self._worker = None
        self._client.ask("clear")
        self.stamps.unlink(missing_ok=True)

    def versions(self) -> dict[str, str]:
        """Return the versions of Celery and Redis."""
        return self._client.ask("versions")

    def close(self) -> None:
        self.stop()
        self._client.close()


class Client:
    """Celery's side of ``celery_client``: it lives in Celery's own environment."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - a command of our own
            [PYTHON, "-m", "benchmarks.workers.celery_client"],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, verb: str, **arguments: object) -> dict[str, Any]:
        """Send a request and return its answer."""
        if self._process.stdin is None or self._process.stdout is None:
            raise PeerUnavailable("Celery's client has no pipes.")
        self._process.stdin.write(f"{json.dumps({'verb': verb, **arguments})}\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise PeerUnavailable("Celery's client ended; its error stands above.")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        if self._process.stdin:
            self._process.stdin.close()
        self._process.wait(10)


@contextmanager
def open_celery_redis(*, folder: Path) -> Iterator[CeleryRedis]:
    """Start a Redis of our own and prepare Celery.

    Raises:
        PeerUnavailable: Celery's environment or Redis is missing.
    """
    if not PYTHON.exists():
        raise PeerUnavailable(f"{NAME} is left out: `make bench` could not install Celery.")
    with _redis(folder) as redis_socket:
        peer = CeleryRedis(folder=folder, redis_socket=redis_socket)
        try:
            yield peer
        finally:
            peer.close()


@contextmanager
def _redis(folder: Path) -> Iterator[Path]:
    """Run Redis as it is without a configuration file, on a Unix socket only, as Postgres does here."""
    program = shutil.which("redis-server") or _install_redis()
    socket = folder / "redis.socket"
    command = [program, "--port", "0", "--unixsocket", str(socket), "--dir", str(folder)]
    redis = WorkerProcess(command, environment=os.environ, log=folder / "redis.log")
    try:
        _wait_for(socket)
        yield socket
    finally:
        redis.stop()


def _wait_for(socket: Path) -> None:
    give_up_at = time.monotonic() + 10
    while not socket.exists():
        if time.monotonic() > give_up_at:
            raise PeerUnavailable(f"{NAME} is left out: Redis does not start.")
        time.sleep(0.05)


def _install_redis() -> str:
    """Install Debian's package where we may; RUNLEVEL keeps it from starting a server of its own."""
    apt_get = shutil.which("apt-get")
    if apt_get and os.geteuid() == 0:
        command = [apt_get, "install", "--yes", "--no-install-recommends", "redis-server"]
        subprocess.run(command, env={**os.environ, "RUNLEVEL": "1"}, check=False, capture_output=True)  # noqa: S603
    program = shutil.which("redis-server")
    if program is None:
        raise PeerUnavailable(f"{NAME} is left out: there is no redis-server (apt-get install redis-server).")
    return program
