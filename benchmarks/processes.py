"""A peer's worker as a process, with its children: started, weighed, stopped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STOP_PATIENCE_SECONDS = 20.0


class WorkerProcess:
    """A worker that writes its log to a file, and is stopped with everything it started."""

    def __init__(self, command: Sequence[str], *, environment: Mapping[str, str], log: Path) -> None:
        with log.open("ab") as output:
            self._process = subprocess.Popen(  # noqa: S603 - commands of our own
                command,
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def stop(self) -> None:
        """Ask it to end as its operator would, and insist after a while."""
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """Kill -9 it and all that it started, as when a machine goes away."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


def run_to_end(command: Sequence[str], *, environment: Mapping[str, str]) -> None:
    """Run a command that must succeed.

    Raises:
        CalledProcessError: with its output.
    """
    subprocess.run(  # noqa: S603 - commands of our own
        command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True
    )


def family_of(pid: int) -> list[int]:
    """Return a process and all its descendants; empty where /proc does not tell."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(stat.parent.name))
    family = [pid]
    for member in family:
        family += children.get(member, [])
    return family


def resident_megabytes(pids: Sequence[int], *, shared_once: bool) -> float:
    """Return the memory processes hold; ``shared_once`` counts pages that they share a single time (PSS)."""
    wanted = "Pss:" if shared_once else "Rss:"
    kilobytes = 0
    for pid in pids:
        with suppress(OSError):
            rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
            kilobytes += sum(int(line.split()[1]) for line in rollup.splitlines() if line.startswith(wanted))
    return kilobytes / 1024


def bare_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what a process inherits that says nothing of databases, Django or Stripe."""
    prefixes = ("PG", "DJANGO", "DATABASE", "STRIPE", "PROCRASTINATE")
    return {name: value for name, value in environment.items() if not name.startswith(prefixes)}


def processor_seconds(pids: Sequence[int]) -> float:
    """Return the processor time that processes have used, and those they started that are gone."""
    ticks = 0
    for pid in pids:
        with suppress(OSError):
            ticks += sum(map(int, Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def read_json(command: Sequence[str], *, environment: Mapping[str, str]) -> dict[str, float]:
    """Run a command that must succeed, and return the JSON it printed."""
    run = subprocess.run(  # noqa: S603 - commands of our own
        command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True
    )
    answer: dict[str, float] = json.loads(run.stdout)
    return answer
