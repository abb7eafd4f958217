"""What a measurement needs of a peer, and nothing more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from benchmarks.database import PeerDatabase
from benchmarks.workload import Work


@dataclass(frozen=True, slots=True)
class Span:
    """From the first job's start to the last one's end, as the peer recorded them."""

    first_at: datetime
    last_at: datetime

    @property
    def seconds(self) -> float:
        return (self.last_at - self.first_at).total_seconds()


class Peer(Protocol):
    """A job queue with one worker. Jobs may be loaded before the worker starts."""

    @property
    def name(self) -> str:
        """Heads its column in the report."""

    @property
    def database(self) -> PeerDatabase | None:
        """Where its jobs are; None when that is not Postgres."""

    @property
    def claim_statement(self) -> str:
        """A pattern (LIKE) of the SQL by which its worker claims jobs."""

    @property
    def drain_concurrencies(self) -> tuple[int, ...]:
        """How many jobs at a time it is tried with when it drains no-op jobs; the best rate counts."""

    @property
    def process_counts(self) -> tuple[int, ...]:
        """With how many job processes one worker of its may be started, besides one."""

    @property
    def has_job_table(self) -> bool:
        """Whether its jobs are in Procrastinate's table, which some measurements fill."""

    @property
    def stamps(self) -> Path:
        """The file its ``STAMP`` jobs write to."""

    @property
    def log(self) -> Path:
        """The file its worker writes its log to."""

    def start(self, *, concurrency: int, processes: int | None = None) -> None:
        """Start the worker, and return at once; ``processes`` only if it may have so many."""

    def seconds_to_defer(self, *, singles: int, bulk: int) -> Mapping[str, float]:
        """Defer by the peer's own client: alone, beside a row, in bulk; return seconds a job, by the way."""

    def load(self, work: Work, count: int) -> None:
        """Enqueue jobs in bulk."""

    def wait(self, count: int) -> Span:
        """Wait until this many of the jobs loaded last have succeeded.

        Raises:
            JobsNotDone: one failed, or the time is up.
        """

    def send(self, token: int) -> float:
        """Enqueue one ``STAMP`` job; return the instant just before it was committed."""

    def connections(self) -> int:
        """Return how many connections the worker holds to what keeps the jobs."""

    def process_id(self) -> int:
        """Return the process id of the running worker, parent of all its processes."""

    def stop(self) -> None:
        """Stop the worker and forget all jobs."""


class PeerUnavailable(Exception):
    """This peer cannot run on this machine; the message says why in one sentence."""


class JobsNotDone(Exception):
    """A peer did not finish its jobs."""

    def __init__(self, *, peer: str, done: int, failed: int, wanted: int, log: Path) -> None:
        self.peer = peer
        self.done = done
        self.failed = failed
        self.wanted = wanted
        self.log = log
        super().__init__(peer, done, failed, wanted)

    def __str__(self) -> str:
        last_lines = "\n".join(self.log.read_text(errors="replace").splitlines()[-20:])
        return (
            f"{self.peer}: {self.done} of {self.wanted} jobs succeeded, {self.failed} failed."
            f" The end of its log:\n{last_lines}"
        )
