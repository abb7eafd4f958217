"""The Procfile on simulated dynos: each line in a session of its own, treated as a platform treats it."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.processes import family_of, resident_megabytes
from tests.workers.workers import is_running, send, wait_for

ROOT = Path(__file__).resolve().parents[2]
MEMORY_MEGABYTES = 512
KILLED_AFTER_SECONDS = 30.0
FROM_THE_ROUTER = {"X-Forwarded-Proto": "https"}  # guests speak https to the platform, which tells us so


@dataclass(frozen=True, slots=True)
class Dyno:
    """One line of the Procfile, running."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def megabytes(self) -> float:
        """Return the memory of all its processes; what they share is counted once."""
        return resident_megabytes(family_of(self.process.pid), shared_once=True)

    def signal_all(self, number: signal.Signals) -> None:
        """Send a signal to every process of the dyno, as the platform does."""
        send(family_of(self.process.pid), number)

    @property
    def is_up(self) -> bool:
        return self.process.poll() is None


@contextmanager
def running_dyno(name: str, *, log: Path, environment: Mapping[str, str]) -> Iterator[Dyno]:
    """Run a line of the Procfile until the block ends."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with log.open("ab") as output:
        process = subprocess.Popen(
            ["sh", "-c", f"exec {procfile()[name]}"],
            cwd=ROOT,
            env={**environment, "PATH": path},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    dyno = Dyno(name, process, log)
    try:
        yield dyno
    finally:
        kill(dyno)


def procfile() -> dict[str, str]:
    """Return the Procfile's commands by name."""
    lines = (ROOT / "Procfile").read_text(encoding="utf-8").splitlines()
    return {name: command.strip() for name, _, command in (line.partition(":") for line in lines)}


def stop(dynos: list[Dyno]) -> dict[str, float]:
    """Stop dynos as a restart does: SIGTERM to every process, again a second later, SIGKILL after 30 s.

    Returns:
        The seconds after which each of them had ended by itself; those that had to be killed are missing.
    """
    began = time.monotonic()
    ended: dict[str, float] = {}
    is_told_again = False
    for dyno in dynos:
        dyno.signal_all(signal.SIGTERM)
    while len(ended) < len(dynos) and time.monotonic() - began < KILLED_AFTER_SECONDS:
        if not is_told_again and time.monotonic() - began > 1:
            is_told_again = True
            for dyno in dynos:
                dyno.signal_all(signal.SIGTERM)
        for dyno in dynos:
            if not dyno.is_up:
                ended.setdefault(dyno.name, time.monotonic() - began)
        time.sleep(0.05)
    for dyno in dynos:
        kill(dyno)
    return ended


def kill(dyno: Dyno) -> None:
    pids = family_of(dyno.process.pid)
    send(pids, signal.SIGKILL)
    dyno.process.wait()
    wait_for(lambda: not any(is_running(pid) for pid in pids))


def collect_static(environment: Mapping[str, str]) -> None:
    """Do what the platform's build does."""
    command = shlex.join([sys.executable, "manage.py", "collectstatic", "--no-input", "--verbosity=0"])
    subprocess.run(["sh", "-c", command], cwd=ROOT, env=dict(environment), check=True)


def status_at(url: str) -> int:
    """Return the status that a GET is answered with; 0 while nobody listens."""
    request = urllib.request.Request(url, headers=FROM_THE_ROUTER)  # noqa: S310 - our own address
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310 - our own address
            return int(answer.status)
    except urllib.error.HTTPError as refusal:
        refusal.close()
        return refusal.code
    except OSError:
        return 0
