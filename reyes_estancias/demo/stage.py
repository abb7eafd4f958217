"""The processes that the demo runs: the local Stripe, one worker, the web server."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from reyes_estancias.demo.interruption import uninterrupted
from reyes_estancias.demo.leftovers import noted

_START_TIMEOUT = 30.0
_STOP_TIMEOUT = 30.0


class PortTaken(Exception):
    """Another program listens where the demo wants to."""

    def __init__(self, *, port: int, option: str) -> None:
        self.port, self.option = port, option
        super().__init__(
            f"Port {port} is taken by another program. Stop it, or choose another port: "
            + option.format(port=port + 1)
        )


class ProcessDied(Exception):
    """A process of the demo ended by itself."""

    def __init__(self, *, name: str, log: Path) -> None:
        self.name, self.log = name, log
        super().__init__(f"The {name} ended by itself. Its last words are in {log}.")


class DoesNotAnswer(Exception):
    """The web server runs and does not answer."""

    def __init__(self, *, url: str, log: Path) -> None:
        self.url, self.log = url, log
        super().__init__(f"Nothing answers at {url}. The web server's last words are in {log}.")


def check_port_is_free(*, port: int, option: str) -> None:
    """Fail early, and say how to go on: ``option`` is the command that takes another ``{port}``.

    Raises:
        PortTaken: something listens there.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise PortTaken(port=port, option=option) from error


@dataclass(frozen=True, slots=True)
class Actor:
    """A process on the stage."""

    name: str
    log: Path
    child: subprocess.Popen[bytes]

    def check_is_alive(self) -> None:
        """Complain about a process that ended by itself.

        Raises:
            ProcessDied: it did.
        """
        if self.child.poll() is not None:
            raise ProcessDied(name=self.name, log=self.log)


@contextmanager
def running_worker(*, project: Path, logs: Path, concurrency: int) -> Iterator[Actor]:
    """Run one worker process for the length of a ``with`` block."""
    arguments = [
        "manage.py",
        "procrastinate",
        "worker",
        "--processes",
        "1",
        "--concurrency",
        str(concurrency),
    ]
    with _running("worker", arguments, project=project, logs=logs) as worker:
        yield worker


@contextmanager
def running_web(*, project: Path, logs: Path, port: int) -> Iterator[Actor]:
    """Run the web server for the length of a ``with`` block, and wait until it answers."""
    config = ["--config", "reyes_estancias/gunicorn_conf.py", "--bind", f"127.0.0.1:{port}"]
    with _running("web server", ["-m", "gunicorn", *config], project=project, logs=logs) as web:
        _wait_until_it_answers(web, f"http://127.0.0.1:{port}/")
        yield web


@contextmanager
def _running(name: str, arguments: list[str], *, project: Path, logs: Path) -> Iterator[Actor]:
    logs.mkdir(parents=True, exist_ok=True)
    note = name.replace(" ", "-")
    path = logs / f"{note}.log"
    with path.open("wb") as log, ExitStack() as ending:
        with uninterrupted():
            child = _start(arguments, project, log)
            try:
                ending.enter_context(noted(note, pid=child.pid, directory=logs))
            finally:
                ending.callback(_stop, child)  # before the note goes
        yield Actor(name, path, child)


def _start(arguments: list[str], project: Path, log: IO[bytes]) -> subprocess.Popen[bytes]:
    # A session of its own, and nothing of the terminal's: Ctrl-C reaches the demo alone, which then stops its
    # children in order, and the terminal is not held open by them.
    return subprocess.Popen(  # noqa: S603 - our own programs, arguments of our own
        [sys.executable, *arguments],
        cwd=project,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,
    )


@uninterrupted()
def _stop(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    try:
        child.wait(_STOP_TIMEOUT)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _wait_until_it_answers(web: Actor, url: str) -> None:
    deadline = time.monotonic() + _START_TIMEOUT
    while not _answers(url):
        web.check_is_alive()
        if time.monotonic() > deadline:
            raise DoesNotAnswer(url=url, log=web.log)
        time.sleep(0.1)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):  # noqa: S310 - our own address
            return True
    except urllib.error.HTTPError as answer:
        answer.close()
        return True
    except OSError:
        return False
