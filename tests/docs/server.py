"""The reader's server: a copy of the project, a database of its own, and stand-ins on the path."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pexpect
import psycopg

from tests.acceptance.procrastinate_tasks.package import lend_dependencies
from tests.docs.document import ROOT, Command
from tests.docs.stand_in import PROGRAMS

_PATIENCE_SECONDS = 300
# What the guide starts and leaves running.
_SERVES = ("procrastinate worker", "gunicorn")
# By the end of the question, in Spanish as the site asks it.
_ANSWERS = {
    r"[Uu]suario.*: ": "duena",
    r"electr.nico.*: ": "duena@reyes.example",
    r"Password.*: ": "una-clave-larga-9",
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended; ``output`` is what its reader saw."""

    command: Command
    status: int
    output: str


@dataclass(frozen=True, slots=True)
class Server:
    """Where the guide is followed; ``checkout`` is the current directory of every command."""

    checkout: Path
    environment: dict[str, str]

    def follow(self, command: Command) -> Outcome:
        if "createsuperuser" in command.text and not command.text.startswith("heroku"):
            return self._answer(command)
        if any(word in command.text for word in _SERVES):
            return self._serve(command)
        return self.run(command)

    def run(self, command: Command) -> Outcome:
        """Run a command that ends by itself and asks nothing; pip finds what the tests have installed."""
        ended = subprocess.run(
            ["bash", "-c", command.text],
            cwd=self.checkout,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=_PATIENCE_SECONDS,
        )
        if "-m venv" in command.text and ended.returncode == 0:
            lend_dependencies(self.checkout / ".venv")
        return Outcome(command, ended.returncode, ended.stdout)

    def _answer(self, command: Command) -> Outcome:
        """Run a command that asks questions of a person at a terminal."""
        asking = pexpect.spawn(
            "bash",
            ["-c", command.text],
            cwd=str(self.checkout),
            env=self.environment,
            encoding="utf-8",
            timeout=_PATIENCE_SECONDS,
        )
        output = ""
        while asking.expect([*_ANSWERS, pexpect.EOF]) < len(_ANSWERS):
            output += f"{asking.before}{asking.after}"
            asking.sendline(_ANSWERS[str(asking.match.re.pattern)])
        asking.close()
        return Outcome(command, asking.exitstatus or 0, output + str(asking.before))

    def _serve(self, command: Command) -> Outcome:
        """Start what goes on until it is stopped; stop it as a platform does, once it has begun."""
        log = self.checkout / "served.log"
        with log.open("w") as output:
            serving = subprocess.Popen(
                ["bash", "-c", f"exec {command.text}"],
                cwd=self.checkout,
                env=self.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + _PATIENCE_SECONDS
        others = self._count_workers()
        while not self._has_begun(command, log, others) and serving.poll() is None:
            assert time.monotonic() < deadline, f"{command} has not begun: {log.read_text()}"
            time.sleep(0.1)
        serving.send_signal(signal.SIGTERM)
        return Outcome(command, serving.wait(timeout=60), log.read_text())

    def _has_begun(self, command: Command, log: Path, others: int) -> bool:
        if "gunicorn" in command.text:
            return "Booting worker" in log.read_text()
        return self._count_workers() > others

    def _count_workers(self) -> int:
        with psycopg.connect(self.environment["DATABASE_URL"]) as connection:
            row = connection.execute("SELECT count(*) FROM procrastinate_tasks_liveworker").fetchone()
        return int(row[0]) if row else 0

    @contextmanager
    def worker(self) -> Iterator[None]:
        """Let a worker run beside what is followed, as the units of the guide do."""
        with (self.checkout / "worker.log").open("w") as log:
            running = subprocess.Popen(
                ["python", "manage.py", "procrastinate", "worker", "--concurrency", "2"],
                cwd=self.checkout,
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        yield
        running.terminate()
        running.wait(timeout=60)


def copy_project(target: Path) -> Path:
    """Copy what git knows of the project, as a clone would have it."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target / name)
    return target


def put_stand_ins(directory: Path) -> Path:
    """Put a program for each stand-in into a directory for the path."""
    directory.mkdir()
    for name in PROGRAMS:
        link = directory / name
        link.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{ROOT}/tests/docs/stand_in.py" {name} "$@"\n')
        link.chmod(0o755)
    return directory
